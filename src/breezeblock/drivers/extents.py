"""Copies of sparse files: only data moves, holes stay holes, and an interrupted copy goes on.

Where the file system can share blocks (XFS, btrfs) a whole file is cloned at once and atomically
(``clone``).  Elsewhere ``resume_copy`` moves the data extent by extent, and ``reconcile`` makes
a copy equal to its source afterwards, when the source could change while it was copied.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from breezeblock.drivers import progress
from breezeblock.execution.durable import write_atomically

_FICLONE = 0x40049409
_FALLOC_FL_KEEP_SIZE = 0x01
_FALLOC_FL_PUNCH_HOLE = 0x02

#: Bytes compared at a time; two such buffers are held.
_COMPARE_BYTES = 4 * 1024 * 1024
#: A checkpoint is written after so many bytes or seconds: it costs a flush to disk.
_CHECKPOINT_BYTES = 512 * 1024 * 1024
_CHECKPOINT_SECONDS = 5.0

_CANNOT_CLONE = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EINVAL,
    errno.EXDEV,
    errno.ENOSYS,
    errno.ETXTBSY,
    errno.EPERM,
}
_CANNOT_COPY_RANGE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class OutOfTime(Exception):
    """The deadline passed before the work was done."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of data in a file, in bytes; around it are holes, which read as zeros."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file's bytes change."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, fd: int) -> Stamp:
        found = os.fstat(fd)
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)

    def is_settled(self) -> bool:
        """Whether a later write is sure to change the stamp.

        File times tick in steps of 10 ms at most: of two writes within one step the second
        leaves no trace.  A time long enough ago cannot be given again.
        """
        return time.time_ns() - self.modified_ns > 100_000_000


def data_extents(fd: int, start: int, end: int) -> Iterator[Extent]:
    """The runs of data of an open file between two offsets."""
    position = start
    while position < end:
        try:
            data = os.lseek(fd, position, os.SEEK_DATA)
        except OSError as nothing:
            if nothing.errno == errno.ENXIO:
                return
            raise
        if data >= end:
            return
        position = min(os.lseek(fd, data, os.SEEK_HOLE), end)
        yield Extent(data, position - data)


def allocated_bytes(fd: int, start: int = 0) -> int:
    """How many bytes of data an open file holds from ``start`` on."""
    return sum(e.length for e in data_extents(fd, start, os.fstat(fd).st_size))


def clone(source: int, copy: int) -> bool:
    """Let ``copy`` share all blocks of ``source``, as of one instant; false if impossible here.

    The file system holds writers of ``source`` back meanwhile (microseconds).
    """
    try:
        fcntl.ioctl(copy, _FICLONE, source)
    except OSError as refused:
        if refused.errno in _CANNOT_CLONE:
            return False
        raise
    # An interrupted copy may have left a longer file here.
    os.ftruncate(copy, os.fstat(source).st_size)
    return True


def punch(fd: int, start: int, length: int) -> None:
    """Make a run of a file read as zeros, giving its blocks back where possible."""
    mode = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
    while _libc.fallocate(fd, mode, start, length) != 0:
        failure = ctypes.get_errno()
        if failure == errno.EINTR:
            continue
        if failure not in {errno.EOPNOTSUPP, errno.ENOSYS}:
            raise OSError(failure, os.strerror(failure))
        zeros = bytes(min(length, _COMPARE_BYTES))
        for offset in range(start, start + length, len(zeros)):
            _write(fd, memoryview(zeros)[: start + length - offset], offset)
        return


# ---- a copy that survives its process ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a copy is known to be on disk: all below ``offset`` is the source's data.

    ``source`` names what is copied; a checkpoint of anything else is worth nothing.
    """

    source: str
    inode: int
    size: int
    offset: int

    @classmethod
    def load(cls, path: Path) -> Checkpoint | None:
        try:
            return cls(**json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        write_atomically(path, json.dumps(asdict(self)).encode())


def resume_copy(source: int, name: str, copy: int, checkpoint_path: Path) -> bool:
    """Copy the data of ``source`` into ``copy``, from where an earlier try left off.

    ``name`` names the source in the checkpoint.  What lies behind the last checkpoint is never
    trusted: it is cut off and copied again.  Reports progress; ``progress.checkpoint`` may
    raise between two pieces, and the next call resumes.  True: it did resume, so the first part
    is of an earlier time.
    """
    found = os.fstat(source)
    size = found.st_size
    known = Checkpoint.load(checkpoint_path)
    if known and (known.source, known.inode, known.size) == (name, found.st_ino, size):
        done = min(known.offset, os.fstat(copy).st_size)
    else:
        done = 0
    os.ftruncate(copy, done)
    os.ftruncate(copy, size)
    total = allocated_bytes(source)
    copied = total - allocated_bytes(source, done)
    saved, saved_at = copied, time.monotonic()
    listener = progress.current()
    listener.report(copied, total)
    for extent in data_extents(source, done, size):
        for piece in _pieces(extent):
            listener.checkpoint()
            _copy_piece(source, copy, piece)
            copied += piece.length
            # A source in use may have grown new data since the total was taken.
            listener.report(min(copied, total), total)
            now = time.monotonic()
            if copied - saved >= _CHECKPOINT_BYTES or now - saved_at >= _CHECKPOINT_SECONDS:
                os.fdatasync(copy)
                Checkpoint(name, found.st_ino, size, piece.end).save(checkpoint_path)
                saved, saved_at = copied, now
    listener.checkpoint()
    return done > 0


def _pieces(extent: Extent) -> Iterator[Extent]:
    for start in range(extent.start, extent.end, progress.CHUNK_BYTES):
        yield Extent(start, min(progress.CHUNK_BYTES, extent.end - start))


def _copy_piece(source: int, copy: int, piece: Extent) -> None:
    """Copy one run of bytes, inside the kernel where it can."""
    position = piece.start
    while position < piece.end:
        try:
            moved = os.copy_file_range(source, copy, piece.end - position, position, position)
        except OSError as refused:
            if refused.errno not in _CANNOT_COPY_RANGE:
                raise
            moved = _copy_by_hand(source, copy, Extent(position, piece.end - position))
        if moved == 0:
            # The source has become shorter: what is missing reads as zeros.
            return
        position += moved


def _copy_by_hand(source: int, copy: int, piece: Extent) -> int:
    data = os.pread(source, min(piece.length, _COMPARE_BYTES), piece.start)
    _write(copy, memoryview(data), piece.start)
    return len(data)


def _write(fd: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


# ---- making a copy equal ------------------------------------------------------------------------


def reconcile(source: int, copy: int, deadline: float | None = None) -> int:
    """Make ``copy`` equal to ``source``, which nobody may be writing; return bytes changed.

    Raises ``OutOfTime`` when the monotonic clock passes ``deadline``.
    """
    size = os.fstat(source).st_size
    if os.fstat(copy).st_size != size:
        os.ftruncate(copy, size)
    changed = 0
    for extent in data_extents(source, 0, size):
        for start in range(extent.start, extent.end, _COMPARE_BYTES):
            _check(deadline)
            length = min(_COMPARE_BYTES, extent.end - start)
            wanted = os.pread(source, length, start)
            if wanted != os.pread(copy, length, start):
                _write(copy, memoryview(wanted), start)
                changed += length
    for hole in _holes(source, size):
        for extent in data_extents(copy, hole.start, hole.end):
            _check(deadline)
            punch(copy, extent.start, extent.length)
            changed += extent.length
    return changed


def _holes(fd: int, size: int) -> Iterator[Extent]:
    position = 0
    for extent in data_extents(fd, 0, size):
        if extent.start > position:
            yield Extent(position, extent.start - position)
        position = extent.end
    if position < size:
        yield Extent(position, size - position)


def _check(deadline: float | None) -> None:
    progress.current().checkpoint()
    if deadline is not None and time.monotonic() > deadline:
        raise OutOfTime
