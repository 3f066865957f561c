"""Making a stretch of a device or file read as zeros, by the cheapest means that is sure to.

Discarding (BLKDISCARD) is not among them: what a discarded block reads as is up to the disk.
The two calls used first end in the kernel's ``blkdev_issue_zeroout`` (block/blk-lib.c), whose
contract is that the blocks read as zeros afterwards:

- fallocate(2) FALLOC_FL_PUNCH_HOLE: the device's own WRITE ZEROES, blocks may be unmapped;
  refused where the device has none.  In a file it makes a hole.
- ioctl BLKZEROOUT: as before, and where the device has none the kernel writes zero pages.
- writing zeros.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import struct
from collections.abc import Callable
from contextlib import ExitStack

from breezeblock.drivers import progress
from breezeblock.drivers.block_device import failures_of
from breezeblock.drivers.direct_io import ALIGNMENT, DirectFile, aligned_buffers
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.io_priority import IoPriority
from breezeblock.drivers.pace import Pace

_BLKZEROOUT = 0x127F
_FALLOC_FL_KEEP_SIZE = 0x01
_FALLOC_FL_PUNCH_HOLE = 0x02

#: Bytes zeroed between two looks at whether to go on: the kernel does not stop within a call.
_PIECE_BYTES = 32 * 1024 * 1024
_BUFFER_BYTES = 1024 * 1024

_REFUSALS = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EPERM,
    errno.EREMOTEIO,
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Zeroer:
    """Zeroes stretches of one open device or file, and remembers which means it refused."""

    def __init__(self, file: DirectFile) -> None:
        self._file = file
        self._means: list[Callable[[int, int], None]] = [self._punch]
        if file.is_block_device:
            self._means.append(self._zero_out)

    @property
    def is_cheap(self) -> bool:
        """Whether zeroing may cost less than writing; it is not known before the first time."""
        return self._punch in self._means

    def zero(self, offset: int, length: int) -> None:
        """Make ``length`` bytes from ``offset`` on read as zeros.

        Both may be anything, but only the last call may end unaligned.  A file that is shorter
        is extended.  Raises ``VolumeBackendError``.
        """
        self._file.grow(offset + length)
        # Devices take whole blocks; the ends are written.
        start = min(-(-offset // ALIGNMENT) * ALIGNMENT, offset + length)
        end = max((offset + length) // ALIGNMENT * ALIGNMENT, start)
        self._write(offset, start - offset)
        with failures_of(self._file.path, "zeroed"):
            self._zero_aligned(start, end - start)
        self._write(end, offset + length - end)

    def _zero_aligned(self, offset: int, length: int) -> None:
        while self._means and length:
            try:
                self._means[0](offset, length)
            except OSError as refused:
                if refused.errno not in _REFUSALS:
                    raise
                del self._means[0]
            else:
                return
        self._write(offset, length)

    def _punch(self, offset: int, length: int) -> None:
        mode = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
        while _libc.fallocate(self._file.fd, mode, offset, length) != 0:
            failure = ctypes.get_errno()
            if failure != errno.EINTR:
                raise OSError(failure, os.strerror(failure))

    def _zero_out(self, offset: int, length: int) -> None:
        fcntl.ioctl(self._file.fd, _BLKZEROOUT, struct.pack("QQ", offset, length))

    def _write(self, offset: int, length: int) -> None:
        end = offset + length
        while offset < end:
            count = min(_BUFFER_BYTES, end - offset)
            self._file.write(_zeros()[:count], offset)
            offset += count


def zero(
    path: str,
    offset: int,
    length: int,
    *,
    priority: IoPriority | None = None,
    bytes_per_second: int = 0,
) -> None:
    """Make ``length`` bytes of ``path`` from ``offset`` on read as zeros, durably.

    ``priority`` is the I/O priority to do it with, ``bytes_per_second`` its pace (0: as fast
    as can be).  Idempotent.  Reports progress; what ``progress.checkpoint`` raises passes
    through between two pieces.  Raises ``VolumeBackendError``.
    """
    listener, pace = progress.current(), Pace(bytes_per_second)
    piece = min(_PIECE_BYTES, pace.piece_bytes)
    end = offset + length
    with ExitStack() as stack:
        if priority is not None:
            stack.enter_context(priority.applied())
        file = stack.enter_context(DirectFile(path, writable=True))
        if file.is_block_device and end > file.size:
            raise VolumeBackendError(
                reason=f"{path} has {file.size} bytes, so up to {end} cannot be zeroed"
            )
        zeroer = Zeroer(file)
        listener.report(0, length)
        for start in range(offset, end, piece):
            count = min(piece, end - start)
            pace.wait(count)
            listener.checkpoint()
            zeroer.zero(start, count)
            listener.report(start + count - offset, length)
        file.sync()
        listener.checkpoint()


@functools.cache
def _zeros() -> memoryview:
    return aligned_buffers(1, _BUFFER_BYTES)[0].toreadonly()
