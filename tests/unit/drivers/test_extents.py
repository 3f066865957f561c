"""Sparse copies against a plain model, with holes anywhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breezeblock.drivers import extents

SIZE = 512 * 1024
#: Runs of data: offset, length and byte; byte 0 makes a hole.
RUNS = st.lists(
    st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE), st.integers(0, 255)),
    max_size=8,
)


def fill(fd: int, runs: list[tuple[int, int, int]]) -> None:
    os.ftruncate(fd, SIZE)
    for start, wanted, byte in runs:
        length = min(wanted, SIZE - start)
        if byte:
            os.pwrite(fd, bytes([byte]) * length, start)
        else:
            extents.punch(fd, start, length)


def content(fd: int) -> bytes:
    return os.pread(fd, 2 * SIZE, 0)


@given(before=RUNS, leftover=RUNS, after=RUNS, offset=st.integers(0, SIZE))
@settings(max_examples=60, deadline=None)
def test_copy_then_reconcile(
    before: list[tuple[int, int, int]],
    leftover: list[tuple[int, int, int]],
    after: list[tuple[int, int, int]],
    offset: int,
) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as copy,
    ):
        checkpoint = Path(directory, "c")
        fill(source.fileno(), before)
        fill(copy.fileno(), leftover)
        assert not extents.resume_copy(source.fileno(), "s", copy.fileno(), checkpoint)
        assert content(copy.fileno()) == content(source.fileno())
        # What lies behind a checkpoint is rubbish and must not survive.
        inode = os.fstat(source.fileno()).st_ino
        extents.Checkpoint("s", inode, SIZE, offset).save(checkpoint)
        os.pwrite(copy.fileno(), b"\xff" * (SIZE - offset), offset)
        assert extents.resume_copy(source.fileno(), "s", copy.fileno(), checkpoint) == (offset > 0)
        assert content(copy.fileno()) == content(source.fileno())
        fill(source.fileno(), after)
        extents.reconcile(source.fileno(), copy.fileno())
        assert content(copy.fileno()) == content(source.fileno())
        assert extents.reconcile(source.fileno(), copy.fileno()) == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"source": 1}', "rubbish"])
def test_a_broken_checkpoint_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c"
    path.write_text(text)
    assert extents.Checkpoint.load(path) is None


def test_a_deadline_is_kept(tmp_path: Path) -> None:
    with (tmp_path / "s").open("w+b") as source, (tmp_path / "c").open("w+b") as copy:
        source.write(b"x" * SIZE)
        source.flush()
        with pytest.raises(extents.OutOfTime):
            extents.reconcile(source.fileno(), copy.fileno(), deadline=0.0)
