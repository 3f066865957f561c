"""Random data over iSCSI while snapshots and clones are taken: every byte of every copy is read.

The writer stamps each block it writes with the number of the write and lets only one write be
under way, so a copy that is a state of one moment holds exactly the writes up to some number.
Which number that may be is known: not fewer than were acknowledged when the copy was asked for,
not more than had begun when it was there.
"""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.service import Service
from tests.tgtd import need

from breezeblock.cli.block_storage import BlockStorage

GIB = 1024**3
BLOCK = 64 * 1024
#: Blocks that are written: some at the start, some in the middle, some at the very end.
BLOCKS = tuple(
    start + number * BLOCK for start in (0, GIB // 2, GIB - 64 * BLOCK) for number in range(64)
)
CONNECTOR = {"initiator": "iqn.1994-05.org.debian:data", "ip": "127.0.0.1", "host": "data"}
_PATIENCE_SECONDS = 60.0


def stamped(number: int) -> bytes:
    """What write ``number`` puts into its block: its number, and bytes that follow from it."""
    head = number.to_bytes(8, "big")
    return head + random.Random(number).randbytes(BLOCK - len(head))


@dataclasses.dataclass(frozen=True)
class Disk:
    """An attached volume, as programs of qemu are told about it."""

    connection: Mapping[str, Any]

    @contextmanager
    def described(self) -> Iterator[tuple[list[str], int]]:
        """The arguments that name it, and the descriptor from which the secret is read."""
        info = self.connection
        read, write = os.pipe()
        os.write(write, info["auth_password"].encode())
        os.close(write)
        image = {
            "driver": "raw",
            "file.driver": "iscsi",
            "file.transport": "tcp",
            "file.portal": info["target_portal"],
            "file.target": info["target_iqn"],
            "file.lun": info["target_lun"],
            "file.user": info["auth_username"],
            "file.password-secret": "chap",
            "file.initiator-name": CONNECTOR["initiator"],
        }
        options = ",".join(f"{key}={value}" for key, value in image.items())
        secret = f"secret,id=chap,file=/dev/fd/{read}"
        try:
            yield ["--object", secret, "--image-opts", options], read
        finally:
            os.close(read)

    @contextmanager
    def open(self) -> Iterator[subprocess.Popen[bytes]]:
        """qemu-io with its commands on standard input."""
        need("qemu-io")
        with (
            self.described() as (arguments, secret),
            subprocess.Popen(
                ["qemu-io", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Its retries are told there; a write that failed is told on standard output.
                stderr=subprocess.DEVNULL,
                pass_fds=[secret],
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def read(self, copy: Path) -> None:
        """Read all of it into a file; what reads as zeros becomes a hole."""
        need("qemu-img")
        with self.described() as (arguments, secret):
            subprocess.run(
                ["qemu-img", "convert", "-O", "raw", *arguments, str(copy)],
                check=True,
                capture_output=True,
                timeout=_PATIENCE_SECONDS,
                pass_fds=[secret],
            )


class Session:
    """One login of an initiator; commands are given one by one."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._answer()

    def command(self, line: str) -> bytes:
        """What qemu-io says to a command (nothing, when it was told to be quiet)."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> bytes:
        assert self._process.stdout
        answer = b""
        while not answer.endswith(b"qemu-io> "):
            part = os.read(self._process.stdout.fileno(), 65536)
            assert part, f"qemu-io ended: {answer!r}"
            answer += part
        return answer.removesuffix(b"qemu-io> ")


class Writer:
    """Writes blocks at random places until told to stop.

    ``log`` holds the place of every write, in order; the first ``acknowledged`` are done.
    """

    def __init__(self, disk: Disk, pattern: Path) -> None:
        self.log: list[int] = []
        self.acknowledged = 0
        self._disk = disk
        self._pattern = pattern
        self._random = random.Random(6)
        self._ended = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(_PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the writer hangs"
        if self._problem is not None:
            raise self._problem

    def wait_for_more(self, writes: int) -> None:
        """Return when so many further writes are acknowledged."""
        goal, deadline = self.acknowledged + writes, time.monotonic() + _PATIENCE_SECONDS
        while self.acknowledged < goal and self._thread.is_alive():
            assert time.monotonic() < deadline, "writing has come to a halt"
            self._ended.wait(0.005)

    def state_after(self, writes: int) -> dict[int, int]:
        """The number of the last write at each place, after so many; numbers start at 1."""
        return {place: number for number, place in enumerate(self.log[:writes], 1)}

    def _run(self) -> None:
        try:
            with self._disk.open() as process:
                session = Session(process)
                while not self._ended.is_set():
                    self._write(session)
        except BaseException as problem:
            self._problem = problem

    def _write(self, session: Session) -> None:
        place = self._random.choice(BLOCKS)
        self.log.append(place)
        self._pattern.write_bytes(stamped(len(self.log)))
        said = session.command(f"write -q -s {self._pattern} {place} {BLOCK}")
        assert said == b"", said
        self.acknowledged = len(self.log)


@contextmanager
def attached(api: BlockStorage, volume: str) -> Iterator[Disk]:
    """The volume attached through the API, CHAP and all."""
    attachment = api.create("attachment", volume_uuid=volume, connector=CONNECTOR)
    connection = attachment["connection_info"]
    assert connection["auth_method"] == "CHAP"
    api.action("attachment", attachment["id"], "os-complete")
    try:
        yield Disk(connection)
    finally:
        api.delete("attachment", attachment["id"])
        api.wait("volume", volume, "available")


def writes_in(disk: Disk, directory: Path) -> dict[int, int]:
    """The number of the write that each place holds.

    All of the volume is read over iSCSI: every byte of these places is what that write wrote,
    and every other byte of the volume is zero.
    """
    copy, found = directory / "copy.raw", {}
    disk.read(copy)
    assert copy.stat().st_size == GIB
    with open(copy, "rb") as file:
        for offset in _data_blocks(file.fileno()):
            file.seek(offset)
            block = file.read(BLOCK)
            if block.count(0) == BLOCK:
                continue
            number = int.from_bytes(block[:8], "big")
            assert block == stamped(number), f"the block at {offset} is torn or not ours"
            found[offset] = number
    copy.unlink()
    return found


def _data_blocks(descriptor: int) -> Iterator[int]:
    """Offsets of the blocks of a file that are not holes, which read as zeros."""
    position, last = 0, -1
    while position < GIB:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:
            return
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        for block in range(start // BLOCK, -(-position // BLOCK)):
            if block > last:
                last = block
                yield block * BLOCK


@dataclasses.dataclass(frozen=True)
class Copy:
    """A copy that was taken while ``writer`` wrote, and the numbers of writes it may hold."""

    volume: str
    least: int
    most: int
    #: What it was made of, to make another one of it.
    source: dict[str, str]


def make_copy(api: BlockStorage, writer: Writer, volume: str, *, by_snapshot: bool) -> Copy:
    """A clone of the volume, directly or of a snapshot of it."""
    least = writer.acknowledged
    if by_snapshot:
        snapshot = api.create("snapshot", volume_id=volume, force=True)
        api.wait("snapshot", snapshot["id"], "available")
        most = len(writer.log)
        # The snapshot must not move on with its volume: more is written before it is copied.
        writer.wait_for_more(20)
        source = {"snapshot_id": snapshot["id"]}
        clone = api.create("volume", **source)
        api.wait("volume", clone["id"], "available")
    else:
        clone = api.create("volume", source_volid=volume)
        api.wait("volume", clone["id"], "available")
        most = len(writer.log)
        source = {"source_volid": clone["id"]}
    return Copy(clone["id"], least, most, source)


@pytest.mark.timeout(300)
def test_every_byte_of_every_copy(noauth_service: Service, tmp_path: Path) -> None:
    with noauth_service.client("data") as api:
        volume = api.create("volume", size=1, name="written")["id"]
        api.wait("volume", volume, "available")
        copies: list[Copy] = []
        with attached(api, volume) as disk:
            with Writer(disk, tmp_path / "pattern") as writer:
                writer.wait_for_more(50)
                for turn in range(5):
                    copies.append(make_copy(api, writer, volume, by_snapshot=turn % 3 != 2))
                    writer.wait_for_more(20)
            assert writer.acknowledged == len(writer.log)
            assert writes_in(disk, tmp_path) == writer.state_after(len(writer.log))
        for number, copy in enumerate(copies):
            found = check_copy(api, writer, copy, tmp_path)
            if number % 3 != 1:
                check_another(api, copy.source, found, tmp_path)
        clean_up(api, volume, copies)


def check_copy(api: BlockStorage, writer: Writer, copy: Copy, directory: Path) -> Mapping[int, int]:
    """It is a state of one moment within its bounds; returns what it holds."""
    with attached(api, copy.volume) as disk:
        found = writes_in(disk, directory)
    newest = max(found.values())
    assert copy.least <= newest <= copy.most, (copy, newest)
    assert found == writer.state_after(newest)
    return found


def check_another(
    api: BlockStorage, source: Mapping[str, str], found: Mapping[int, int], directory: Path
) -> None:
    """A second copy of the same source, taken when all is quiet, holds the same."""
    again = api.create("volume", **source)["id"]
    api.wait("volume", again, "available")
    with attached(api, again) as disk:
        assert writes_in(disk, directory) == found
    api.delete("volume", again)
    api.wait_gone("volume", again)


def clean_up(api: BlockStorage, volume: str, copies: list[Copy]) -> None:
    for copy in copies:
        api.delete("volume", copy.volume)
    for copy in copies:
        api.wait_gone("volume", copy.volume)
    api.request("DELETE", f"/volumes/{volume}?cascade=true")
    api.wait_gone("volume", volume)
