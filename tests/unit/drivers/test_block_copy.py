"""Copies for real, between files and loop devices, against a plain model."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from breezeblock.drivers import progress
from breezeblock.drivers.block_copy import copy
from breezeblock.drivers.copy_cgroup import Throttle
from breezeblock.drivers.errors import VolumeBackendError

MIB = 1024 * 1024
KIB = 1024


def content(path: Path) -> bytes:
    """Random runs with holes, written zeros and small islands between them."""
    seeded = random.Random(path.name)
    with path.open("wb") as file:
        file.truncate(24 * MIB)
        file.write(seeded.randbytes(5 * MIB + 123))
        file.seek(9 * MIB)
        file.write(bytes(2 * MIB))
        file.seek(13 * MIB + 777)
        file.write(b"island")
        file.seek(20 * MIB)
        file.write(seeded.randbytes(MIB) + bytes(MIB) + seeded.randbytes(MIB))
    return path.read_bytes()


@pytest.fixture(params=["file", "device"])
def place(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Makes a file a path to copy from or to: itself, or a device."""
    if request.param == "file":
        return str
    device: Callable[[Path], str] = request.getfixturevalue("loop")
    return device


class Watch:
    """Listens; raises ``Stop`` at the checkpoint after ``stop_at`` bytes."""

    class Stop(Exception):
        pass

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.reports: list[tuple[int, int]] = []
        self.checkpoints = 0

    def report(self, bytes_done: int, bytes_total: int) -> None:
        self.reports.append((bytes_done, bytes_total))

    def checkpoint(self) -> None:
        self.checkpoints += 1
        if self.stop_at is not None and self.reports and self.reports[-1][0] >= self.stop_at:
            raise self.Stop


@pytest.mark.parametrize("length", [24 * MIB, 21 * MIB + 512, 6 * MIB + 4096])
def test_old_data_never_shines_through(
    tmp_path: Path, place: Callable[[Path], str], length: int
) -> None:
    wanted = content(tmp_path / "source")
    target = tmp_path / "target"
    target.write_bytes(b"\xff" * 24 * MIB)
    copy(place(tmp_path / "source"), place(target), length, destination_reads_zeros=False)
    found = target.read_bytes()
    assert found[:length] == wanted[:length]
    assert found[length:] == b"\xff" * (24 * MIB - length)


def test_zeros_are_left_out_where_zeros_are(tmp_path: Path, place: Callable[[Path], str]) -> None:
    wanted = content(tmp_path / "source")
    target = tmp_path / "target"
    with target.open("wb") as file:
        file.truncate(24 * MIB)
    written = copy(
        place(tmp_path / "source"), place(target), 24 * MIB, destination_reads_zeros=True
    )
    assert target.read_bytes() == wanted
    # 5 MiB and 123 bytes, an island and twice 1 MiB, in units of 64 KiB.
    assert 7 * MIB < written <= 7 * MIB + 2 * 64 * KIB
    assert target.stat().st_blocks * 512 <= written + 64 * KIB


@pytest.mark.parametrize("reads_zeros", [True, False])
@pytest.mark.parametrize("length", [1, 4095, 4097, 3 * MIB + 1])
def test_files_of_any_length(tmp_path: Path, length: int, reads_zeros: bool) -> None:
    data = random.Random(length).randbytes(length)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    target.touch()
    copy(str(source), str(target), length, destination_reads_zeros=reads_zeros)
    assert target.read_bytes() == data


def test_a_copy_to_a_larger_device_leaves_the_rest(
    tmp_path: Path, loop: Callable[[Path], str]
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"odd length" * 1001)
    target.write_bytes(b"\xff" * MIB)
    copy(str(source), loop(target), 10010, destination_reads_zeros=False)
    assert target.read_bytes() == b"odd length" * 1001 + b"\xff" * (MIB - 10010)


@pytest.mark.parametrize("reads_zeros", [True, False])
def test_through_the_page_cache(tmp_path: Path, hole_free: Path, reads_zeros: bool) -> None:
    wanted = content(tmp_path / "source")
    cached = hole_free / "cached"
    cached.write_bytes(b"" if reads_zeros else b"\xff" * 24 * MIB)
    copy(str(tmp_path / "source"), str(cached), 24 * MIB, destination_reads_zeros=reads_zeros)
    assert cached.read_bytes() == wanted
    back = tmp_path / "back"
    back.write_bytes(b"\xff" * 24 * MIB)
    copy(str(cached), str(back), 24 * MIB, destination_reads_zeros=False)
    assert back.read_bytes() == wanted


def test_progress_is_told_and_asked_before_each_write(tmp_path: Path) -> None:
    content(tmp_path / "source")
    (tmp_path / "target").touch()
    watch = Watch()
    with progress.using(watch):
        copy(
            str(tmp_path / "source"),
            str(tmp_path / "target"),
            24 * MIB,
            destination_reads_zeros=True,
        )
    done = [each for each, _ in watch.reports]
    assert done == sorted(done)
    assert watch.reports[0] == (0, 24 * MIB)
    assert watch.reports[-1] == (24 * MIB, 24 * MIB)
    assert watch.checkpoints >= 4


@pytest.mark.parametrize("stop_at", [0, 8 * MIB])
def test_a_stopped_copy_writes_no_more_and_leaves_nothing_open(
    tmp_path: Path, stop_at: int
) -> None:
    (tmp_path / "source").write_bytes(os.urandom(40 * MIB))
    target = tmp_path / "target"
    target.write_bytes(bytes(40 * MIB))
    threads, files = threading.active_count(), os.listdir("/proc/self/fd")
    with progress.using(Watch(stop_at)), pytest.raises(Watch.Stop):
        copy(str(tmp_path / "source"), str(target), 40 * MIB, destination_reads_zeros=False)
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == len(files)
    assert target.read_bytes()[stop_at:] == bytes(40 * MIB - stop_at)


# ---- going on after a crash ----------------------------------------------------------------------


def interrupted(source: Path, target: Path, checkpoint: Path, *, reads_zeros: bool) -> None:
    with progress.using(Watch(8 * MIB)), pytest.raises(Watch.Stop):
        copy(
            str(source),
            str(target),
            24 * MIB,
            destination_reads_zeros=reads_zeros,
            checkpoint=checkpoint,
        )


def put_marker(checkpoint: Path, offset: int) -> None:
    known = json.loads(checkpoint.read_bytes())
    checkpoint.write_text(json.dumps({**known, "offset": offset}))


def test_it_goes_on_behind_the_checkpoint(tmp_path: Path) -> None:
    source, target, checkpoint = (tmp_path / name for name in ("source", "target", "checkpoint"))
    wanted = content(source)
    target.write_bytes(b"\xff" * 24 * MIB)
    interrupted(source, target, checkpoint, reads_zeros=False)
    put_marker(checkpoint, 4 * MIB)
    # What was copied before is not touched again; what lies behind is not trusted.
    target.write_bytes(b"\xee" * 24 * MIB)
    copy(str(source), str(target), 24 * MIB, destination_reads_zeros=False, checkpoint=checkpoint)
    assert target.read_bytes() == b"\xee" * 4 * MIB + wanted[4 * MIB :]
    assert not checkpoint.exists()


@pytest.mark.parametrize("change", ["rewritten", "replaced", "rubbish"])
def test_another_source_starts_over_and_old_data_goes(tmp_path: Path, change: str) -> None:
    source, target, checkpoint = (tmp_path / name for name in ("source", "target", "checkpoint"))
    content(source)
    target.touch()
    interrupted(source, target, checkpoint, reads_zeros=True)
    put_marker(checkpoint, 4 * MIB)
    if change == "replaced":
        source.unlink()
    if change == "rubbish":
        checkpoint.write_text("[")
    with source.open("wb") as file:
        file.truncate(24 * MIB)
        file.write(b"new")
    # Stopped once more: what the first copy left is still known to be there.
    interrupted(source, target, checkpoint, reads_zeros=True)
    copy(str(source), str(target), 24 * MIB, destination_reads_zeros=True, checkpoint=checkpoint)
    assert target.read_bytes() == source.read_bytes()


def test_a_killed_copy_goes_on(tmp_path: Path) -> None:
    source, target, checkpoint = (tmp_path / name for name in ("source", "target", "checkpoint"))
    wanted = content(source)
    target.write_bytes(b"\xff" * 24 * MIB)
    code = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from breezeblock.drivers import progress\n"
        "from breezeblock.drivers.block_copy import copy\n"
        "class Killer(progress.NoProgress):\n"
        "    def report(self, done, total):\n"
        f"        done > {15 * MIB} and os.kill(os.getpid(), signal.SIGKILL)\n"
        "with progress.using(Killer()):\n"
        "    copy(*sys.argv[1:3], 24 << 20, destination_reads_zeros=False,"
        " checkpoint=Path(sys.argv[3]))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, source, target, checkpoint], check=False
    ).returncode
    assert killed == -9
    assert checkpoint.exists()
    copy(str(source), str(target), 24 * MIB, destination_reads_zeros=False, checkpoint=checkpoint)
    assert target.read_bytes() == wanted


# ---- failures ------------------------------------------------------------------------------------


def test_failures_name_the_device_and_the_remedy(
    tmp_path: Path, loop: Callable[[Path], str]
) -> None:
    small = tmp_path / "small"
    small.write_bytes(bytes(MIB))
    large = tmp_path / "large"
    large.write_bytes(b"x" * 2 * MIB)
    missing = str(tmp_path / "missing")
    for source, target, said in (
        (missing, str(small), f"{missing} could not be opened: .*activate"),
        (str(large), missing, f"{missing} could not be opened"),
        (str(small), str(large), f"{small} has 1048576 bytes, but 2097152"),
        (str(large), loop(small), "loop.* has 1048576 bytes"),
        (str(large), "/dev/full", "/dev/full"),
    ):
        with pytest.raises(VolumeBackendError, match=said):
            copy(source, target, 2 * MIB, destination_reads_zeros=False)
    assert not Path(missing).exists()


def test_no_space_names_the_destination(tmp_path: Path, full_file_system: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(16 * MIB))
    target = full_file_system / "target"
    target.touch()
    threads = threading.active_count()
    with pytest.raises(VolumeBackendError, match=f"{target} could not be written: No space.*exten"):
        copy(str(source), str(target), 16 * MIB, destination_reads_zeros=True)
    assert threading.active_count() == threads


# ---- throttled -----------------------------------------------------------------------------------


def test_without_a_cgroup_it_keeps_the_pace_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = content(tmp_path / "source")
    (tmp_path / "target").write_bytes(b"\xff" * 24 * MIB)
    started = time.monotonic()
    for _ in range(2):
        copy(
            str(tmp_path / "source"),
            str(tmp_path / "target"),
            24 * MIB,
            destination_reads_zeros=False,
            throttle=Throttle(40 * MIB, "../elsewhere"),
        )
    assert time.monotonic() - started >= 2 * 24 / 40
    assert (tmp_path / "target").read_bytes() == wanted
    assert caplog.text.count("is no cgroup's name") == 1


def test_in_a_cgroup(tmp_path: Path, blkio: Path) -> None:
    wanted = content(tmp_path / "source")
    target = tmp_path / "target"
    target.write_bytes(b"\xff" * 24 * MIB)
    os.sync()  # only what goes to the disk is slowed down
    watch = Watch()
    started = time.monotonic()
    with progress.using(watch):
        written = copy(
            str(tmp_path / "source"),
            str(target),
            24 * MIB,
            destination_reads_zeros=False,
            checkpoint=tmp_path / "checkpoint",
            throttle=Throttle(8 * MIB, f"{blkio.name}/copies"),
        )
    # Both data and written zeros are read; the first moments pass unlimited.
    assert time.monotonic() - started >= 0.5
    assert target.read_bytes() == wanted
    assert 7 * MIB < written <= 24 * MIB
    assert watch.reports[-1] == (24 * MIB, 24 * MIB)
    assert not (blkio / "copies").exists()


def test_a_stop_kills_the_copy_in_the_cgroup(tmp_path: Path, blkio: Path) -> None:
    (tmp_path / "source").write_bytes(os.urandom(24 * MIB))
    target = tmp_path / "target"
    target.write_bytes(bytes(24 * MIB))
    os.sync()
    with progress.using(Watch(1)), pytest.raises(Watch.Stop):
        copy(
            str(tmp_path / "source"),
            str(target),
            24 * MIB,
            destination_reads_zeros=False,
            throttle=Throttle(4 * MIB, f"{blkio.name}/copies"),
        )
    assert not (blkio / "copies").exists()
    assert target.read_bytes()[16 * MIB :] == bytes(8 * MIB)


def test_a_failure_in_the_cgroup_says_why(tmp_path: Path, blkio: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    (tmp_path / "target").touch()
    with pytest.raises(VolumeBackendError, match="source has 1 bytes, but 2 are to be copied"):
        copy(
            str(tmp_path / "source"),
            str(tmp_path / "target"),
            2,
            destination_reads_zeros=False,
            throttle=Throttle(4 * MIB, f"{blkio.name}/copies"),
        )


def test_what_a_killed_process_left_is_swept(tmp_path: Path, blkio: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = blkio / "copies" / f"{ended.pid}-7"
    left.mkdir(parents=True)
    (tmp_path / "source").write_bytes(b"x" * MIB)
    (tmp_path / "target").touch()
    copy(
        str(tmp_path / "source"),
        str(tmp_path / "target"),
        MIB,
        destination_reads_zeros=False,
        throttle=Throttle(40 * MIB, f"{blkio.name}/copies"),
    )
    assert not left.exists()
