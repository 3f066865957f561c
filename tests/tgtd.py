"""A real tgtd of its own for a test, and real initiators to talk to it.

Nothing is skipped when a program is missing: the test fails and names the package.
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.targets.interface import Target
from breezeblock.targets.registry import create_target
from breezeblock.targets.tgt import create_daemon
from breezeblock.targets.tgt_daemon import TgtDaemon

PACKAGES = {
    "tgtd": "tgt",
    "qemu-io": "qemu-utils",
    "qemu-img": "qemu-utils",
    "iscsi-ls": "libiscsi-bin",
    "iscsi-inq": "libiscsi-bin",
    "iscsi-test-cu": "libiscsi-bin",
}
#: All that were started, so that a failed test leaves none behind.
_writers: list[Writer] = []

BLOCK = 64 * 1024
MIB = 1024**2
GIB = 1024**3


@dataclasses.dataclass
class Options:
    """A backend's options, as a driver gets them."""

    state_path: str
    volumes_dir: str
    file_volumes_directory: str
    target_port: int
    volume_backend_name: str | None = "files"
    reserved_percentage: int = 0
    max_over_subscription_ratio: str = "20.0"
    filter_function: str | None = None
    goodness_function: str | None = None
    file_snapshot_pause_limit: int = 20
    volume_clear: str = "zero"
    volume_clear_size: int = 0
    target_helper: str = "tgtadm"
    target_prefix: str = "iqn.2010-10.org.openstack:"
    target_ip_address: str = "127.0.0.1"
    target_secondary_ip_addresses: list[str] = dataclasses.field(default_factory=list)
    target_protocol: str = "iscsi"
    lvm_share_target: bool = False
    iscsi_write_cache: str = "on"
    iscsi_target_flags: str = ""
    report_discard_supported: bool = False
    chap_username: str = ""
    chap_password: str = ""
    tgt_control_port: int = 0
    tgt_daemon_managed: bool = True
    tgt_io_threads: int = 4
    my_ip: str = "127.0.0.1"
    driver_data_namespace: str | None = None
    num_shell_tries: int = 3
    num_volume_device_scan_tries: int = 3
    trace_flags: list[str] | None = None
    replication_device: list[dict[str, str]] | None = None
    backup_use_temp_snapshot: bool = False
    use_multipath_for_image_xfer: bool = False
    enforce_multipath_for_image_xfer: bool = False
    volume_copy_bps_limit: int = 0
    volume_copy_blkio_cgroup_name: str = "cinder-volume-copy"


def need(*programs: str) -> None:
    """Fail the test if a program is not installed."""
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        pytest.fail(f"apt install {' '.join(sorted({PACKAGES[p] for p in missing}))}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def options() -> Iterator[Options]:
    """Options for a directory of its own; a daemon started there is ended afterwards."""
    need("tgtd")
    directory = Path(tempfile.mkdtemp(prefix="bb-"))
    made = Options(
        state_path=str(directory),
        volumes_dir=str(directory / "volumes"),
        file_volumes_directory=str(directory / "data"),
        target_port=free_port(),
    )
    try:
        yield made
    finally:
        while _writers:
            _writers.pop().kill()
        daemon_of(made).stop()
        shutil.rmtree(directory)


def daemon_of(options: Options) -> TgtDaemon:
    return create_daemon(options)


def target_of(options: Options) -> Target:
    target = create_target(options)
    target.check_for_setup_error()
    return target


def volume(size: int = 1, **fields: object) -> Volume:
    record = Volume(
        id=str(uuid.uuid4()), project_id="p", user_id="u", size=size, status="available"
    )
    return dataclasses.replace(record, **fields)  # type: ignore[arg-type]


def snapshot_of(source: Volume) -> Snapshot:
    return Snapshot(
        id=str(uuid.uuid4()),
        volume_id=source.id,
        project_id="p",
        user_id="u",
        volume_size=source.size,
        status="creating",
    )


def url(exported: Volume, auth: str | None = None) -> str:
    """The volume's address for libiscsi; ``auth`` (``user%secret``) replaces the right one."""
    assert exported.provider_location
    assert exported.provider_auth
    portal, iqn, lun = (
        exported.provider_location.partition(",")[0],
        *exported.provider_location.split()[1:],
    )
    if auth is None:
        auth = "%".join(exported.provider_auth.split()[1:])
    return f"iscsi://{auth + '@' if auth else ''}{portal}/{iqn}/{lun}"


def inquire(address: str) -> subprocess.CompletedProcess[str]:
    """Log in and ask what is there."""
    need("iscsi-inq")
    return subprocess.run(
        ["iscsi-inq", address], check=False, capture_output=True, text=True, timeout=30
    )


def qemu_io(address: str, *commands: str) -> str:
    """Run commands of qemu-io on a volume; fails unless all of them worked."""
    need("qemu-io")
    arguments = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "-f", "raw", *arguments, address],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Writer:
    """An initiator that writes random blocks without a pause, one session for all of its life.

    ``log`` holds every write in the order of its start; the first ``acknowledged`` of them are
    done.  Each write fills one block with one byte.
    """

    def __init__(self, address: str, blocks: int, *, depth: int = 1, seed: int = 1) -> None:
        need("qemu-io")
        self.blocks = blocks
        self.log: list[tuple[int, int]] = []
        self.acknowledged = 0
        self.problems: list[str] = []
        self._depth = depth
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._process = subprocess.Popen(
            ["qemu-io", "-f", "raw", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Its retries are told there; a write that failed is told on standard output.
            stderr=subprocess.DEVNULL,
        )
        _writers.append(self)
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def stop(self) -> list[int]:
        """End it; return what every block holds now (0: never written)."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the initiator hangs"
        self.kill()
        assert not self.problems, self.problems
        return self.state_after(len(self.log))

    def kill(self) -> None:
        """End it as it is."""
        self._stop.set()
        with self._process as process:
            process.kill()
        self._thread.join(10)

    def state_after(self, writes: int) -> list[int]:
        """What every block holds after so many writes."""
        state = [0] * self.blocks
        for block, byte in self.log[:writes]:
            state[block] = byte
        return state

    def wait_for(self, more: int) -> None:
        """Return when ``more`` further writes are acknowledged."""
        goal = self.acknowledged + more
        while self.acknowledged < goal and self._thread.is_alive():
            self._stop.wait(0.01)
        assert not self.problems, self.problems

    def _write(self) -> None:
        self._command("")
        while not self._stop.is_set() and not self.problems:
            blocks = self._random.sample(range(self.blocks), self._depth)
            batch = [(block, self._random.randrange(1, 256)) for block in blocks]
            self.log += batch
            verb = "aio_write -q" if self._depth > 1 else "write -q"
            for block, byte in batch:
                self._command(f"{verb} -P {byte} {block * BLOCK} {BLOCK}")
            if self._depth > 1:
                self._command("aio_flush")
            self.acknowledged = len(self.log)

    def _command(self, line: str) -> None:
        """Give one command (qemu-io looks at one line per wake-up) and wait for the prompt."""
        assert self._process.stdin
        assert self._process.stdout
        if line:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        answer = b""
        while not answer.endswith(b"qemu-io> "):
            part = os.read(self._process.stdout.fileno(), 4096)
            if not part:
                self.problems.append(f"qemu-io ended: {answer!r}")
                return
            answer += part
        if answer != b"qemu-io> ":
            self.problems.append(answer.decode())


def blocks_of(path: str | Path, count: int) -> list[int]:
    """The byte that fills each of the first blocks of a file; torn blocks fail the test."""
    state = []
    with open(path, "rb") as file:
        for number in range(count):
            data = file.read(BLOCK)
            assert data.count(data[0]) == BLOCK, f"block {number} is torn"
            state.append(data[0])
    return state
