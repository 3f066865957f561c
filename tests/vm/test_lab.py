"""The lab itself: what tests in a guest may rely on."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.vm_lab.polling import wait_until

from breezeblock.execution.command import run

CONFIGFS = Path("/sys/kernel/config")


def test_root_with_two_scratch_disks_of_8_gib() -> None:
    assert os.geteuid() == 0
    for name in ("vda", "vdb"):
        assert stat.S_ISBLK(Path("/dev", name).stat().st_mode)
        assert int(Path("/sys/block", name, "size").read_text()) * 512 == 8 * 1024**3


def test_temporary_files_are_in_memory() -> None:
    assert tempfile.gettempdir() == "/run/scratch"
    assert run(["stat", "-f", "-c", "%T", "/run/scratch"]).text.strip() == "tmpfs"


def test_control_groups_version_2_can_throttle() -> None:
    assert "io" in Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()


@pytest.mark.guest("cgroup1")
def test_control_groups_version_1_can_throttle() -> None:
    assert Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device").exists()


@pytest.mark.guest("fibre_channel")
def test_two_network_cards_wired_to_each_other() -> None:
    cards = json.loads(run(["ip", "-json", "link"]).text)
    addresses = {card["address"] for card in cards}
    assert {"52:54:00:00:fc:01", "52:54:00:00:fc:02"} <= addresses


def test_thin_volume_in_a_volume_group(volume_group: str) -> None:
    run(["lvcreate", "--type", "thin-pool", "-L", "256M", "-n", "pool", volume_group])
    run(["lvcreate", "--thin", "-V", "1G", "-n", "thin", f"{volume_group}/pool"])
    device = Path("/dev", volume_group, "thin")
    wait_until(device.exists, what="udev's link")
    device.write_bytes(b"pattern")
    run(["lvcreate", "--snapshot", "-n", "snap", "-kn", f"{volume_group}/thin"])
    device.write_bytes(b"PATTERN")
    with Path("/dev", volume_group, "snap").open("rb") as snapshot:
        assert snapshot.read(7) == b"pattern"


def test_second_volume_group(second_volume_group: str) -> None:
    run(["lvcreate", "-L", "8M", "-n", "thick", second_volume_group])
    assert (
        run(["lvs", "--noheadings", "-o", "lv_name", second_volume_group]).text.strip() == "thick"
    )


def test_lio_in_configfs(modules: Callable[..., None]) -> None:
    modules("iscsi_target_mod", "target_core_iblock")
    assert (CONFIGFS / "target" / "core").is_dir()


def test_nvmet_in_configfs(modules: Callable[..., None]) -> None:
    modules("nvmet", "nvmet-tcp", "nvmet-rdma", "nvme-tcp", "nvme-rdma")
    assert {path.name for path in (CONFIGFS / "nvmet").iterdir()} >= {"ports", "subsystems"}


def test_initiator_daemons(iscsid: None, multipathd: None) -> None:
    assert "iqn.1993-08.org.debian:01:vm-lab" in Path("/etc/iscsi/initiatorname.iscsi").read_text()
    # 21: no sessions; without a daemon it would be 20, could not connect to iscsid
    assert run(["iscsiadm", "-m", "session"], accept=(21,)).exit_code == 21
    assert "ok" in run(["multipathd", "reconfigure"]).text


def test_rdma_in_software(soft_rdma: str) -> None:
    links = json.loads(run(["rdma", "-j", "link"]).text)
    assert [(link["ifname"], link["state"]) for link in links] == [("rxe0", "ACTIVE")]
    assert soft_rdma in run(["ip", "-brief", "address", "show", "card0"]).text
