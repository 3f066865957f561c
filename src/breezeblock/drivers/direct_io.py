"""Reading and writing devices and files past the page cache (open(2): O_DIRECT).

A copy of a volume would otherwise push everything else out of the page cache.  Where direct
I/O is refused, the same calls go through the cache.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Callable
from types import TracebackType

from breezeblock.drivers.block_device import failures_of

#: Addresses, offsets and lengths are multiples of this; no logical block of a disk is larger.
ALIGNMENT = 4096

_Transfer = Callable[[int, list[memoryview], int], int]


def aligned_buffers(count: int, length: int) -> list[memoryview]:
    """``count`` buffers of ``length`` zero bytes at addresses that suit direct I/O.

    In huge pages where the kernel has some: a large transfer is then a few segments instead of
    a thousand pages.  The memory is freed with the last view.
    """
    region = mmap.mmap(-1, count * length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # open(2): a fork during direct I/O must not share these pages, or data goes astray.
    region.madvise(mmap.MADV_DONTFORK)
    with contextlib.suppress(OSError):
        region.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(region)
    return [view[start : start + length] for start in range(0, count * length, length)]


class DirectFile:
    """An open block device or file that is never created by opening; use it in ``with``.

    Its methods raise ``VolumeBackendError``.  One thread at a time may use it.
    """

    def __init__(self, path: str, *, writable: bool) -> None:
        self.path = path
        flags = os.O_CLOEXEC | (os.O_RDWR if writable else os.O_RDONLY)
        with failures_of(path, "opened"):
            try:
                self.fd = os.open(path, flags | os.O_DIRECT)
                self.is_direct = True
            except OSError as refused:
                if refused.errno != errno.EINVAL:
                    raise
                self.fd = os.open(path, flags)
                self.is_direct = False
        found = os.fstat(self.fd)
        self.is_block_device = stat.S_ISBLK(found.st_mode)
        self.size = os.lseek(self.fd, 0, os.SEEK_END)

    def __enter__(self) -> DirectFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset`` on; return fewer bytes only at the end of the data."""
        done = 0
        with failures_of(self.path, "read"):
            while done < len(buffer):
                got = self._retried(os.preadv, buffer[done:], offset + done)
                done += got
                if got % ALIGNMENT or not got:
                    break
        return done

    def write(self, data: memoryview, offset: int) -> None:
        """Write all of ``data``; only the last write may be of an unaligned length."""
        with failures_of(self.path, "written"):
            if len(data) % ALIGNMENT or offset % ALIGNMENT:
                self._go_through_cache()
            while data:
                written = self._retried(os.pwritev, data, offset)
                data, offset = data[written:], offset + written
                if written % ALIGNMENT:
                    self._go_through_cache()

    def sync(self) -> None:
        """Make what was written durable (fdatasync(2): the disk's own cache too)."""
        with failures_of(self.path, "flushed"):
            os.fdatasync(self.fd)

    def grow(self, length: int) -> None:
        """Make a file at least ``length`` bytes long; what is new reads as zeros."""
        if not self.is_block_device and self.size < length:
            with failures_of(self.path, "extended"):
                os.ftruncate(self.fd, length)
            self.size = length

    def _retried(self, call: _Transfer, data: memoryview, offset: int) -> int:
        try:
            return call(self.fd, [data], offset)
        except OSError as refused:
            # Some file systems refuse direct I/O only when it is done.
            if refused.errno != errno.EINVAL or not self.is_direct:
                raise
        self._go_through_cache()
        return call(self.fd, [data], offset)

    def _go_through_cache(self) -> None:
        if self.is_direct:
            flags = fcntl.fcntl(self.fd, fcntl.F_GETFL)
            fcntl.fcntl(self.fd, fcntl.F_SETFL, flags & ~os.O_DIRECT)
            self.is_direct = False
