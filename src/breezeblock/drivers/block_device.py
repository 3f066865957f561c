"""What a driver asks of a block device (most of it holds for raw files too).

Linux tells about a device in ``/sys/dev/block/MAJOR:MINOR`` (kernel: Documentation/ABI).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from breezeblock.drivers import progress
from breezeblock.drivers.errors import DeviceUnavailable, VolumeBackendError

_BLKFLSBUF = 0x1261
_POLL_SECONDS = 0.1

_REMEDIES = {
    errno.ENOSPC: "there is no space left: extend its pool or file system, then try again",
    errno.EDQUOT: "the quota of its file system is used up: raise it, then try again",
    errno.EIO: "the kernel log names the failing disk or path; a full thin pool answers so too",
    errno.ENOENT: "activate or attach it, then try again",
    errno.ENXIO: "there is no device behind it: activate or attach it, then try again",
    errno.ENODEV: "there is no device behind it: activate or attach it, then try again",
    errno.EACCES: "let the service's user read and write it",
    errno.EPERM: "let the service's user read and write it",
    errno.EROFS: "it is read-only: make it writable",
    errno.EBUSY: "something else holds it: unmount or close it, then try again",
}


@contextmanager
def failures_of(path: str, action: str) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``VolumeBackendError`` that says what to do.

    ``action`` completes "``path`` could not be ...".
    """
    try:
        yield
    except OSError as failure:
        cause = os.strerror(failure.errno) if failure.errno else str(failure)
        remedy = _REMEDIES.get(failure.errno or 0, "see the kernel log")
        raise VolumeBackendError(
            reason=f"{path} could not be {action}: {cause}; {remedy}",
            transient=failure.errno in {errno.EBUSY, errno.ENXIO, errno.ENODEV},
        ) from failure


def is_block_device(path: str) -> bool:
    """Whether ``path`` names a block device; false if there is nothing."""
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def size(path: str) -> int:
    """Bytes of a block device or file.  Raises ``VolumeBackendError``."""
    with failures_of(path, "measured"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.lseek(fd, 0, os.SEEK_END)
        finally:
            os.close(fd)


def flush(path: str) -> None:
    """Make all writes durable and drop what the page cache holds of a block device.

    For use before the device is read or shrunk by another way, and before it is taken away.
    Raises ``VolumeBackendError``.
    """
    with failures_of(path, "flushed"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
            if stat.S_ISBLK(os.fstat(fd).st_mode):
                fcntl.ioctl(fd, _BLKFLSBUF)
        finally:
            os.close(fd)


def is_in_use(path: str) -> bool:
    """Whether the kernel holds the block device: mounted, swap, below another device, LIO.

    open(2): O_EXCL without O_CREAT fails with EBUSY then.  A program that merely has the device
    open (tgt, QEMU) is not seen.  Raises ``VolumeBackendError``.
    """
    with failures_of(path, "opened"):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        except OSError as refused:
            if refused.errno == errno.EBUSY:
                return True
            raise
    return False


def wait_for(path: str, timeout: float) -> None:
    """Return when ``path`` is a block device that has a size.

    udev makes the node some time after a command like ``lvcreate`` returns.  ``timeout`` is in
    seconds.  Raises ``DeviceUnavailable``.
    """
    deadline = time.monotonic() + timeout
    while not (is_block_device(path) and _has_size(path)):
        progress.current().checkpoint()
        if time.monotonic() >= deadline:
            raise DeviceUnavailable(
                path=path,
                reason=f"it did not appear within {timeout:g} s; see whether udev is running",
            )
        time.sleep(_POLL_SECONDS)


def identity(path: str) -> str:
    """A name of what ``path`` holds that a later volume of the same path does not get.

    A device-mapper device has its UUID (LVM: that of the volume), also after a restart of the
    host; other devices keep theirs until then.
    Raises ``VolumeBackendError``.
    """
    with failures_of(path, "examined"):
        found = os.stat(path)
        if not stat.S_ISBLK(found.st_mode):
            return f"file {found.st_dev} {found.st_ino}"
        mapped = _attributes(found.st_rdev) / "dm/uuid"
        if mapped.exists() and (uuid := mapped.read_text().strip()):
            return f"dm {uuid}"
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"device {_number(found.st_rdev)} of {boot}"


def disk_number(path: str) -> str | None:
    """``MAJOR:MINOR`` of the whole disk that holds ``path``: a device, a partition or a file.

    None: there is no block device behind it (tmpfs, NFS, btrfs, ...).
    """
    with failures_of(path, "examined"):
        found = os.stat(path)
    attributes = _attributes(found.st_rdev if stat.S_ISBLK(found.st_mode) else found.st_dev)
    if not attributes.exists():
        return None
    if (attributes / "partition").exists():
        attributes = attributes.resolve().parent
    return (attributes / "dev").read_text().strip()


def _attributes(device: int) -> Path:
    return Path("/sys/dev/block", _number(device))


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _has_size(path: str) -> bool:
    try:
        return size(path) > 0
    except VolumeBackendError:
        return False
