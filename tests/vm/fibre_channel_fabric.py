"""A fibre channel fabric in software: FCoE between the two wired cards of the guest.

The initiator's port comes up after the target, as a machine does that is switched on while the
service runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.vm_lab.polling import wait_until

from breezeblock.execution.command import run
from breezeblock.targets.configfs import MOUNT_POINT, Configfs

#: A port's name is 2000 and its card's address.
INITIATOR, TARGET = "200052540000fc01", "200052540000fc02"
_LIBFCOE = Path("/sys/module/libfcoe/parameters")


@contextmanager
def port(wwpn: str) -> Iterator[None]:
    """The port ``wwpn``, online."""
    card = _card(wwpn)
    run(["ip", "link", "set", card, "mtu", "2500", "up"])  # a frame holds 2112 bytes of data
    (_LIBFCOE / "create_vn2vn").write_text(card)
    try:
        wait_until(lambda: _text(_host(wwpn) / "port_state") == "Online", what=f"{wwpn} online")
        yield
    finally:
        (_LIBFCOE / "destroy").write_text(card)


def wipe_targets() -> None:
    """What a reboot leaves of the fibre channel targets in the kernel: nothing."""
    kernel = Configfs(MOUNT_POINT / "target" / "fc")
    for group in kernel.root.glob("*:*/tpgt_1"):
        mappings = list(group.glob("acls/*/lun_*"))
        luns = list(group.glob("lun/lun_*"))
        for lun in (*mappings, *luns):
            for link in kernel.links(lun):
                kernel.unlink(link)
        for directory in (*mappings, *luns, *group.glob("acls/*:*"), group, group.parent):
            kernel.remove(directory)


def scan() -> None:
    """Let the initiator's port look for all LUNs."""
    (Path("/sys/class/scsi_host") / _host(INITIATOR).name / "scan").write_text("- - -")


def seen_luns() -> list[int]:
    """The LUNs that the initiator's port knows."""
    return sorted(_devices())


def disk(lun: int) -> Path:
    """The initiator's disk, looked for as an administrator does; os-brick takes much longer."""
    scan()
    (name,) = wait_until(lambda: _names(_devices()[lun] / "device/block"))
    wait_until(lambda: _text(Path("/sys/class/block") / name / "size") not in ("", "0"))
    return Path("/dev") / name


def forget(lun: int) -> None:
    """Remove the initiator's disk."""
    (_devices()[lun] / "device/delete").write_text("1")


@contextmanager
def unplugged_initiator() -> Iterator[None]:
    """The initiator's port without a link; afterwards it has logged in anew."""
    card = _card(INITIATOR)
    run(["ip", "link", "set", card, "down"])
    wait_until(lambda: not _sees_target(), what="the loss of the link")
    yield
    run(["ip", "link", "set", card, "up"])
    wait_for_target()


def wait_for_target() -> None:
    """Until the initiator's port has logged in to the target."""
    wait_until(_sees_target, what="the login to the target")


def _sees_target() -> bool:
    return any(
        _text(remote / "port_name") == f"0x{TARGET}"
        and _text(remote / "port_state") == "Online"
        and "FCP Target" in _text(remote / "roles")
        for remote in Path("/sys/class/fc_remote_ports").glob("rport-*")
    )


def _card(wwpn: str) -> str:
    run(["udevadm", "settle"])  # it renames cards
    cards = json.loads(run(["ip", "-json", "link"]).text)
    (name,) = (card["ifname"] for card in cards if card["address"].replace(":", "") == wwpn[4:])
    return str(name)


def _host(wwpn: str) -> Path:
    """The port's directory; one that does not exist if there is none."""
    hosts = Path("/sys/class/fc_host").glob("host*")
    return next((host for host in hosts if _text(host / "port_name") == f"0x{wwpn}"), Path("/none"))


def _devices() -> dict[int, Path]:
    """LUN -> what the initiator's kernel has under it."""
    number = _host(INITIATOR).name.removeprefix("host")
    devices = Path("/sys/class/scsi_device").glob(f"{number}:*")
    return {int(device.name.rpartition(":")[2]): device for device in devices}


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.glob("*")]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
