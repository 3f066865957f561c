"""Options of backends, and the consumers of their volumes: real initiators of this kernel."""

from __future__ import annotations

import dataclasses
import mmap
import os
import random
import threading
import time
import uuid
from pathlib import Path

from breezeblock.domain.resources import Volume
from breezeblock.execution.command import run
from breezeblock.targets.interface import ModelUpdate

MIB = 1024**2
BLOCK = 64 * 1024


@dataclasses.dataclass
class Options:
    """A backend's options, as a target gets them."""

    volumes_dir: str
    target_helper: str = "lioadm"
    target_protocol: str = "iscsi"
    target_prefix: str = "iqn.2010-10.org.openstack:"
    target_ip_address: str = "127.0.0.1"
    target_secondary_ip_addresses: list[str] = dataclasses.field(default_factory=list)
    target_port: int = 3260
    lvm_share_target: bool = False
    iscsi_write_cache: str = "on"
    report_discard_supported: bool = False
    chap_username: str = ""
    chap_password: str = ""
    nvmet_port_id: int = 1
    nvmet_ns_id: int = 10
    nvmeof_conn_info_version: int = 1
    fc_target_wwpns: list[str] = dataclasses.field(default_factory=list)


def volume() -> Volume:
    return Volume(id=str(uuid.uuid4()), project_id="p", user_id="u", size=1, status="available")


def after(before: Volume, model: ModelUpdate | None) -> Volume:
    """The volume's record after a call's answer was remembered."""
    return dataclasses.replace(before, **(model or {}))  # type: ignore[arg-type]


def lvm(command: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> None:
    """LVM that does not look at attached disks: it would hang on one whose target is gone."""
    own = 'devices { global_filter = [ "a|^/dev/vd|", "r|.*|" ] }'
    run([command, "--config", own, "-y", *arguments], accept=accept)


def logical_volume(group: str, name: str, mib: int = 64) -> str:
    lvm("lvcreate", "-Wy", "-L", f"{mib}M", "-n", name, group)
    return f"/dev/{group}/{name}"


def image_file(directory: Path, name: str, mib: int = 64) -> str:
    path = directory / f"{name}.img"
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    return str(path)


# ---- iSCSI ---------------------------------------------------------------------------------------


def initiator_name() -> str:
    text = Path("/etc/iscsi/initiatorname.iscsi").read_text()
    return text.partition("InitiatorName=")[2].split()[0]


def iqn_of(exported: Volume) -> str:
    assert exported.provider_location
    return exported.provider_location.split()[1]


def iscsi_node(exported: Volume, *arguments: str, accept: tuple[int, ...] = (0,)) -> int:
    command = ["iscsiadm", "-m", "node", "-T", iqn_of(exported), *arguments]
    return run(command, accept=accept).exit_code


def log_in(
    exported: Volume,
    *,
    portal: str = "127.0.0.1:3260",
    auth: str | None = None,
    transport: str = "default",
    patience: int = 5,
) -> int:
    """Try it; returns iscsiadm's exit code: 0, or 24 (not authorised), 19 (not found).

    ``patience`` is how many seconds a disk waits for a session that was lost.
    """
    iscsi_node(exported, "-o", "delete", accept=(0, 21))
    iscsi_node(exported, "-p", portal, "-I", transport, "-o", "new")
    words = (exported.provider_auth if auth is None else auth or "") or ""
    settings = {
        "node.session.initial_login_retry_max": "1",
        "node.session.timeo.replacement_timeout": str(patience),
    }
    if words:
        _, user, secret = words.split()
        settings |= {
            "node.session.auth.authmethod": "CHAP",
            "node.session.auth.username": user,
            "node.session.auth.password": secret,
        }
    for name, value in settings.items():
        iscsi_node(exported, "-o", "update", "-n", name, "-v", value)
    return iscsi_node(exported, "--login", accept=(0, 8, 15, 19, 24))


def log_out(exported: Volume) -> None:
    iscsi_node(exported, "--logout", accept=(0, 21))
    iscsi_node(exported, "-o", "delete", accept=(0, 21))


def disk(exported: Volume, portal: str = "127.0.0.1:3260") -> Path:
    return Path(f"/dev/disk/by-path/ip-{portal}-iscsi-{iqn_of(exported)}-lun-0")


def session_state(exported: Volume) -> str:
    """``LOGGED_IN``, ``FAILED``, ``FREE``, or nothing without a session."""
    for directory in Path("/sys/class/iscsi_session").glob("session*"):
        if (directory / "targetname").read_text().strip() == iqn_of(exported):
            return (directory / "state").read_text().strip()
    return ""


# ---- NVMe ----------------------------------------------------------------------------------------


def nvme_connect(
    nqn: str,
    host: str,
    *,
    address: str = "127.0.0.1",
    port: str = "4420",
    transport: str = "tcp",
    keep_alive: int = 5,
) -> bool:
    words = {
        "transport": transport,
        "traddr": address,
        "trsvcid": port,
        "nqn": nqn,
        "hostnqn": host,
        "hostid": str(uuid.uuid5(uuid.NAMESPACE_URL, host)),
        "keep_alive_tmo": str(keep_alive),
    }
    # The nvme command would take a second host on one machine for the first.
    fd = os.open("/dev/nvme-fabrics", os.O_RDWR)
    try:
        os.write(fd, ",".join(f"{key}={value}" for key, value in words.items()).encode())
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def nvme_disconnect(nqn: str) -> None:
    run(["nvme", "disconnect", "-n", nqn], accept=(0, 1))


def controllers(nqn: str, host: str | None = None) -> list[Path]:
    """This kernel's controllers of a subsystem."""
    return [
        directory
        for directory in Path("/sys/class/nvme").glob("nvme*")
        if _text(directory / "subsysnqn") == nqn and host in (None, _text(directory / "hostnqn"))
    ]


def states(nqn: str, host: str | None = None) -> list[str]:
    return [_text(directory / "state") for directory in controllers(nqn, host)]


def namespace_disk(volume_uuid: str) -> Path:
    return Path(f"/dev/disk/by-id/nvme-uuid.{volume_uuid}")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


# ---- data ----------------------------------------------------------------------------------------


def size_of(device: Path) -> int:
    fd = os.open(device, os.O_RDONLY)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    finally:
        os.close(fd)


def write_directly(device: Path | str, offset: int, data: bytes) -> None:
    """Past the page cache: when this returns, the target has it."""
    with mmap.mmap(-1, len(data)) as buffer:
        buffer.write(data)
        fd = os.open(device, os.O_RDWR | os.O_DIRECT)
        try:
            assert os.pwrite(fd, buffer, offset) == len(data)
        finally:
            os.close(fd)


def read_directly(device: Path | str, offset: int, length: int) -> bytes:
    with mmap.mmap(-1, length) as buffer:
        fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
        try:
            assert os.preadv(fd, [buffer], offset) == length
        finally:
            os.close(fd)
        return buffer[:]


class Writer:
    """Writes block after block until it is stopped, and remembers what it was told is written."""

    def __init__(self, device: Path, blocks: int = 256) -> None:
        self.device = device
        self.written: dict[int, int] = {}
        self.error: OSError | None = None
        self._blocks = blocks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            place = number % self._blocks
            try:
                write_directly(self.device, place * BLOCK, block(number))
            except OSError as failure:
                self.error = failure
                return
            self.written[place] = number

    @property
    def count(self) -> int:
        return max(self.written.values(), default=0)

    def stop(self, path: str) -> None:
        """End it, and compare what is in ``path`` with what was told."""
        self._stop.set()
        self._thread.join(60)
        assert self.error is None
        assert not self._thread.is_alive()
        assert self.written
        for place, number in self.written.items():
            assert read_directly(path, place * BLOCK, BLOCK) == block(number)


def block(number: int) -> bytes:
    return random.Random(number).randbytes(512) * (BLOCK // 512)


def elapsed(since: float) -> float:
    return time.monotonic() - since
