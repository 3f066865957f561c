"""How the kit reaches the bytes of a volume."""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from breezeblock.conformance.backend import CONTEXT
from breezeblock.conformance.bench import broken
from breezeblock.conformance.contents import CHUNK, Contents, stamp
from breezeblock.domain.resources import Volume
from breezeblock.drivers.interface import VolumeDriver


class OpenVolume(Protocol):
    """The bytes of a volume; offsets and lengths are multiples of 4 KiB, at most ``CHUNK``."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...

    def flush(self) -> None: ...


class VolumeData:
    """Reads and writes volumes: at their local path if the driver has any, else attached."""

    def __init__(self, *, whole: bool = False) -> None:
        #: Compare every byte.
        self.whole = whole
        # A host is attached to one volume at a time; paths need no such order.
        self._attaching = threading.Lock()

    def write(self, driver: VolumeDriver, volume: Volume, tag: str, offsets: Iterable[int]) -> None:
        """Put stamps into the volume and onto the disk."""
        with self.opened(driver, volume) as opened:
            for offset in offsets:
                opened.write(offset, stamp(tag, offset))
            opened.flush()

    def expect(
        self,
        driver: VolumeDriver,
        volume: Volume,
        contents: Contents,
        rule: str,
        *,
        whole: bool = False,
    ) -> None:
        """Fail with ``rule`` unless the volume holds ``contents``."""
        __tracebackhide__ = True
        if difference := self.difference(driver, volume, contents, whole=whole):
            broken(rule, f"{volume.name}: {difference}")

    def difference(
        self, driver: VolumeDriver, volume: Volume, contents: Contents, *, whole: bool = False
    ) -> str | None:
        """How the volume differs from ``contents``; None if it does not."""
        with self.opened(driver, volume) as opened:
            return contents.difference(opened, whole=whole or self.whole)

    @contextmanager
    def opened(self, driver: VolumeDriver, volume: Volume) -> Iterator[OpenVolume]:
        """The volume's bytes."""
        __tracebackhide__ = True
        path = local_path(driver, volume)
        if path is None:
            with (
                self._attaching,
                driver.attached(CONTEXT, volume) as device,
                _opened(device.path) as opened,
            ):
                yield opened
            return
        if not Path(path).exists():
            broken("a volume is where local_path says", f"there is nothing at {path}")
        with _opened(path) as opened:
            yield opened


def local_path(driver: VolumeDriver, volume: Volume) -> str | None:
    """Where the driver says that this host has the volume; None if it has to be attached."""
    try:
        return driver.local_path(volume)
    except NotImplementedError:
        return None


@contextmanager
def _opened(path: Any) -> Iterator[OpenVolume]:
    """A path, or the handle that os-brick has for protocols in user space."""
    if not isinstance(path, str):
        yield _Handle(path)
        return
    opened = _Descriptor(path)
    try:
        yield opened
    finally:
        opened.close()


class _Descriptor:
    """A file or block device, past the page cache where that is possible."""

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_DIRECT)
        except OSError as refused:
            if refused.errno != errno.EINVAL:
                raise
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        # Direct I/O asks for memory that begins at a page.
        self._buffer = mmap.mmap(-1, CHUNK)
        self.size = os.lseek(self._fd, 0, os.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        with memoryview(self._buffer)[:length] as view:
            count = os.preadv(self._fd, [view], offset)
        return self._buffer[:count]

    def write(self, offset: int, data: bytes) -> None:
        self._buffer[: len(data)] = data
        with memoryview(self._buffer)[: len(data)] as view:
            os.pwritev(self._fd, [view], offset)

    def flush(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)
        self._buffer.close()


class _Handle:
    """A file-like object."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        handle.seek(0, os.SEEK_END)
        self.size = int(handle.tell())

    def read(self, offset: int, length: int) -> bytes:
        self._handle.seek(offset)
        return bytes(self._handle.read(length))

    def write(self, offset: int, data: bytes) -> None:
        self._handle.seek(offset)
        self._handle.write(data)

    def flush(self) -> None:
        self._handle.flush()
