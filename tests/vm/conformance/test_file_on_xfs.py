"""The file driver passes the conformance kit where the file system clones files (FICLONE)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance import kit

from breezeblock.execution.command import run

pytestmark = pytest.mark.guest("conformance")

DISK = "/dev/vdb"


@pytest.fixture
def reflinking(tmp_path: Path) -> Iterator[Path]:
    """A new XFS."""
    place = tmp_path / "xfs"
    place.mkdir()
    run(["mkfs.xfs", "-q", "-f", "-m", "reflink=1", DISK], timeout=120)
    run(["mount", DISK, str(place)])
    yield place
    run(["umount", str(place)])
    run(["wipefs", "--quiet", "--all", DISK])


@pytest.mark.timeout(1500)
def test_it_conforms(reflinking: Path, tmp_path: Path) -> None:
    kit.run(
        tmp_path,
        "--breezeblock-kill-points=2",
        volume_driver="file",
        file_volumes_directory=str(reflinking / "volumes"),
    ).expect_conforming()
