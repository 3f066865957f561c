"""An image as a file: what backups and images of the image service read and write."""

from __future__ import annotations

import io
import logging
import os
from typing import Any

from breezeblock.drivers.rbd.names import ascii_str

LOG = logging.getLogger(__name__)


class RBDImageMetadata:
    """An opened image and where it is.

    ``image`` has ``size()``, ``read(offset, length)``, ``write(data, offset)`` and ``flush()``.
    """

    def __init__(self, image: Any, pool: object, user: object, conf: object) -> None:
        self.image = image
        self.pool = ascii_str(pool)
        self.user = ascii_str(user)
        self.conf = ascii_str(conf)


class RBDImageIOWrapper(io.RawIOBase):
    """The raw bytes of an image; whoever opened the image closes it."""

    def __init__(self, rbd_meta: RBDImageMetadata) -> None:
        super().__init__()
        self._rbd_meta = rbd_meta
        self._offset = 0

    def _inc_offset(self, length: int) -> None:
        self._offset += length

    @property
    def rbd_image(self) -> Any:
        return self._rbd_meta.image

    @property
    def rbd_user(self) -> str | None:
        return self._rbd_meta.user

    @property
    def rbd_pool(self) -> str | None:
        return self._rbd_meta.pool

    @property
    def rbd_conf(self) -> str | None:
        return self._rbd_meta.conf

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def read(self, length: int | None = None) -> bytes:
        """``length`` bytes from here, fewer at the end; None or negative: all there are."""
        rest = max(0, self.rbd_image.size() - self._offset)
        wanted = rest if length is None or length < 0 else min(length, rest)
        if not wanted:
            return b""
        data = bytes(self.rbd_image.read(self._offset, wanted))
        self._inc_offset(len(data))
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        """Write all of ``data`` here."""
        data = bytes(data)
        self.rbd_image.write(data, self._offset)
        self._inc_offset(len(data))
        return len(data)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to ``offset`` from the begin, from here or from the end.  Raises ``OSError``."""
        if whence == os.SEEK_SET:
            found = offset
        elif whence == os.SEEK_CUR:
            found = self._offset + offset
        elif whence == os.SEEK_END:
            found = self.rbd_image.size() + offset
        else:
            raise OSError(f"invalid argument - whence={whence} not supported")
        if found < 0:
            raise OSError("invalid argument - an image has nothing before its begin")
        self._offset = found
        return found

    def tell(self) -> int:
        return self._offset

    def flush(self) -> None:
        """Make all writes durable; an image that cannot is only warned of."""
        try:
            self.rbd_image.flush()
        except AttributeError:
            LOG.warning("this librbd cannot flush")

    def fileno(self) -> int:
        """There is no descriptor: raises ``OSError``."""
        raise OSError("fileno() is not supported by RBD images")

    def close(self) -> None:
        """The image is its opener's; nothing happens."""
