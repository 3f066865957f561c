"""Kernel objects as directories: configfs, through which LIO and nvmet are set up.

A directory is an object, a file one of its attributes, a symbolic link a relation.  All
operations are idempotent: what is so already is success.  Values are never part of an error,
they may be secrets.  See the kernel's Documentation/filesystems/configfs.rst.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from breezeblock.targets.errors import TargetError

MOUNT_POINT = Path("/sys/kernel/config")

_TRANSIENT = frozenset({errno.EBUSY, errno.EAGAIN, errno.ENOMEM})


class ConfigfsError(TargetError):
    """The kernel refused a change; ``code`` is the errno."""

    symbol = "configfs-error"
    template = "The kernel refused to {what} {path}: {error}"

    def __init__(self, what: str, path: Path, failure: OSError) -> None:
        super().__init__(
            what=what,
            path=path,
            error=failure.strerror,
            transient=failure.errno in _TRANSIENT,
        )
        self.code = failure.errno


class Configfs:
    """Operations below one directory of configfs.  Safe to use from threads and processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # ---- looking -----------------------------------------------------------------------------

    def exists(self, path: Path) -> bool:
        return os.path.lexists(path)

    def names(self, path: Path) -> list[str]:
        """What is in a directory; nothing if it does not exist."""
        try:
            return sorted(os.listdir(path))
        except FileNotFoundError:
            return []

    def links(self, path: Path) -> list[Path]:
        """The relations of an object."""
        try:
            with os.scandir(path) as entries:
                return sorted(Path(entry.path) for entry in entries if entry.is_symlink())
        except FileNotFoundError:
            return []

    def read(self, path: Path) -> str | None:
        """An attribute without its line break; None if the object does not exist."""
        try:
            return path.read_text().rstrip("\n\0")
        except FileNotFoundError:
            return None
        except OSError as failure:
            raise ConfigfsError("read", path, failure) from failure

    # ---- changing ----------------------------------------------------------------------------

    def make(self, path: Path) -> bool:
        """Create an object; return whether it is new."""
        try:
            os.mkdir(path)
        except FileExistsError:
            return False
        except OSError as failure:
            raise ConfigfsError("create", path, failure) from failure
        return True

    def remove(self, path: Path) -> None:
        """Remove an object, which nothing may be related to any more."""
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as failure:
            raise ConfigfsError("remove", path, failure) from failure

    def write(self, path: Path, value: str) -> None:
        """Write an attribute, whatever it is now (some are orders, not states)."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as failure:
            raise ConfigfsError("set", path, failure) from failure

    def set(self, path: Path, value: str) -> None:
        """Write an attribute unless it reads so already."""
        if self.read(path) != value:
            self.write(path, value)

    def link(self, link: Path, target: Path) -> None:
        """Relate the object that holds ``link`` to ``target``."""
        try:
            os.symlink(target, link)
        except FileExistsError:
            return
        except OSError as failure:
            raise ConfigfsError("link", link, failure) from failure

    def unlink(self, link: Path) -> None:
        """End a relation."""
        try:
            os.unlink(link)
        except FileNotFoundError:
            return
        except OSError as failure:
            raise ConfigfsError("unlink", link, failure) from failure
