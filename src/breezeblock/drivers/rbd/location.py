"""Where the image service says that an image lies: ``rbd://fsid/pool/image/snapshot``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from breezeblock.drivers.rbd.errors import UnusableLocation

_PREFIX = "rbd://"


@dataclass(frozen=True, slots=True)
class ImageLocation:
    """A snapshot of an image in a pool of the cluster ``fsid``."""

    fsid: str
    pool: str
    image: str
    snapshot: str

    @classmethod
    def parse(cls, location: str | None) -> ImageLocation:
        """Read it, url-decoded.  Raises ``UnusableLocation``."""
        if not location or not location.startswith(_PREFIX):
            raise UnusableLocation(location=location, reason="it is not stored in RBD")
        pieces = [unquote(piece) for piece in location.removeprefix(_PREFIX).split("/")]
        if "" in pieces:
            raise UnusableLocation(location=location, reason="a part of it is blank")
        if len(pieces) != 4:
            raise UnusableLocation(location=location, reason="it names no snapshot of an image")
        return cls(*pieces)


def urls(image_location: Any) -> Iterator[str]:
    """All locations told of an image: ``(direct_url, [{"url": ...}, ...])``, or one url."""
    if isinstance(image_location, str):
        yield image_location
        return
    direct, locations = image_location if isinstance(image_location, Sequence) else (None, None)
    told = [one["url"] for one in locations or () if isinstance(one, Mapping) and one.get("url")]
    yield from told or ([direct] if direct else [])
