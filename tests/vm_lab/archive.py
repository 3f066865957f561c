"""A cpio archive in the form the kernel unpacks as its first root file system.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux ("newc").
"""

from __future__ import annotations

import stat

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"


class Archive:
    """Files to be packed; a later archive may follow an earlier one in the same initramfs."""

    def __init__(self, first_inode: int = 1) -> None:
        self._inode = first_inode
        self._content = bytearray()

    def directory(self, name: str) -> None:
        """Add a directory; its parents must be there already."""
        self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, content: bytes, *, executable: bool = False) -> None:
        """Add a regular file."""
        self._add(name, stat.S_IFREG | (0o755 if executable else 0o644), content)

    def device(self, name: str, major: int, minor: int) -> None:
        """Add a character device."""
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def packed(self) -> bytes:
        """The archive, padded so that another may follow."""
        self._add(_TRAILER, 0)
        _pad(self._content)
        return bytes(self._content)

    def _add(
        self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        path = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
        self._content += _MAGIC + b"".join(b"%08x" % value for value in fields) + path
        _pad(self._content)
        self._content += content
        _pad(self._content)
        self._inode += 1


def _pad(content: bytearray) -> None:
    """Names and contents begin at multiples of four."""
    content += b"\0" * (-len(content) % 4)
