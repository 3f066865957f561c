"""Which disks LVM must not read: this host's own volumes, attached to it."""

from __future__ import annotations

from pathlib import Path

from breezeblock.drivers.lvm import loopback
from breezeblock.drivers.lvm.commands import with_setting

OWN = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"


def scsi(system: Path, name: str, serial: str) -> None:
    device = system / "block" / name / "device"
    device.mkdir(parents=True)
    (device / "vpd_pg80").write_bytes(b"\x00\x80\x00$" + serial.encode())


def machine(tmp_path: Path) -> tuple[Path, Path]:
    """A volume of ours, and disks: that volume by iSCSI and by NVMe, two others."""
    system, devices = tmp_path / "sys", tmp_path / "dev"
    scsi(system, "sda", f"{OWN}\0")
    scsi(system, "sdc", f"{OWN}  ")
    scsi(system, "sdb", OTHER)
    for name, uuid in (("nvme0n1", OWN), ("nvme1n1", OTHER)):
        (system / "block" / name).mkdir()
        (system / "block" / name / "uuid").write_text(f"{uuid}\n")
    (system / "block" / "dm-3" / "slaves" / "sda").mkdir(parents=True)
    (system / "block" / "dm-4" / "slaves" / "sdb").mkdir(parents=True)
    by_id = devices / "disk" / "by-id"
    by_id.mkdir(parents=True)
    (devices / "mapper").mkdir()
    (devices / "mapper" / ("vg0-volume--" + OWN.replace("-", "--"))).touch()
    for link, target in (
        (by_id / "scsi-one", "sda"),
        (by_id / "scsi-other", "sdb"),
        (devices / "mapper" / "mpatha", "dm-3"),
    ):
        link.symlink_to(devices / target)
    return system, devices


def test_own_volumes_are_hidden_under_all_their_names(tmp_path: Path) -> None:
    found = loopback.patterns(*machine(tmp_path))
    names = {pattern.removeprefix(f"{tmp_path}/dev/") for pattern in found}
    assert names == {"sda", "sdc", "nvme0n1", "dm-3", "disk/by-id/scsi-one", "mapper/mpatha"}


def test_a_volume_that_is_taken_away_for_a_moment_stays_hidden(tmp_path: Path) -> None:
    system, devices = machine(tmp_path)
    before = loopback.patterns(system, devices)
    for volume in (devices / "mapper").glob("vg0-*"):
        volume.unlink()
    assert loopback.patterns(system, devices) == before


def test_disks_of_others_are_read(tmp_path: Path) -> None:
    system, devices = machine(tmp_path)
    found = " ".join(loopback.patterns(system, devices))
    assert "sdb" not in found
    assert "nvme1n1" not in found
    assert "dm-4" not in found


def test_settings_are_added_to_those_of_the_command() -> None:
    assert with_setting(["lvs", "vg"], "a=1") == ["lvs", "vg", "--config", "a=1"]
    assert with_setting(["lvs", "--config", "b=2", "vg"], "a=1") == [
        *("lvs", "--config", "b=2 a=1", "vg")
    ]
