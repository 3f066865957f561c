"""Places to keep bytes that tests of drivers share; what this host cannot offer is skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest


def attempt(*command: str) -> str | None:
    """What a command says; None if it is not there or refuses."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@pytest.fixture
def loop() -> Iterator[Callable[[Path], str]]:
    """Makes a file a block device."""
    with ExitStack() as stack:

        def attach(path: Path) -> str:
            device = attempt("losetup", "--find", "--show", str(path))
            if device is None:
                pytest.skip("no loop devices here")
            stack.callback(attempt, "losetup", "--detach", device)
            return device

        yield attach


@pytest.fixture
def full_file_system(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 4 MiB."""
    place = tmp_path / "full"
    place.mkdir()
    if attempt("mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)) is None:
        pytest.skip("nothing can be mounted here")
    yield place
    attempt("umount", str(place))


@pytest.fixture
def blkio(tmp_path: Path) -> Iterator[Path]:
    """A cgroup of version 1 whose children limit I/O; it is empty at the end."""
    group = Path("/sys/fs/cgroup/blkio", f"test-{os.getpid()}")
    device = os.stat(tmp_path).st_dev
    if not Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").exists():
        pytest.skip("no disk below the directory for tests")
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no cgroups with blkio here")
    yield group
    group.rmdir()


@pytest.fixture
def hole_free(tmp_path: Path) -> Iterator[Path]:
    """A file system that can neither make holes nor do direct I/O: ramfs."""
    place = tmp_path / "ramfs"
    place.mkdir()
    if attempt("mount", "-t", "ramfs", "none", str(place)) is None:
        pytest.skip("nothing can be mounted here")
    yield place
    attempt("umount", str(place))


@pytest.fixture
def mounted(tmp_path: Path, loop: Callable[[Path], str]) -> Iterator[str]:
    """A device that holds a mounted file system."""
    image, place = tmp_path / "ext4.img", tmp_path / "ext4"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(8 * 1024 * 1024)
    device = loop(image)
    if attempt("mkfs.ext4", "-q", device) is None or attempt("mount", device, str(place)) is None:
        pytest.skip("nothing can be mounted here")
    yield device
    attempt("umount", str(place))
