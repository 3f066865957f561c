"""What a volume should hold: stamped blocks at known places, zeros everywhere else.

A stamped block is full of its own offset and a tag, so that a block that is stale, misplaced or
of another volume is recognised.  A volume is written sparsely: one block in every 4 MiB at a place
that varies, the first, the last, and those around every GiB boundary.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

GIB = 1024**3
BLOCK = 4096
#: Bytes moved at a time.
CHUNK = 8 * 1024**2
_SLOT = 4 * 1024**2
_STAMP = 64
_ZEROS = bytes(CHUNK)


class Readable(Protocol):
    """An open volume."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...


def stamp(tag: str, offset: int) -> bytes:
    """The block of ``tag`` at ``offset``."""
    return f"breezeblock {tag} {offset}".encode().ljust(_STAMP, b".") * (BLOCK // _STAMP)


def places(size: int) -> list[int]:
    """The offsets looked at in a volume of ``size`` bytes, ascending."""
    found = {0, size - BLOCK}
    for slot in range(0, size, _SLOT):
        found.add(slot + zlib.crc32(slot.to_bytes(8, "big")) % (_SLOT // BLOCK) * BLOCK)
    for boundary in range(GIB, size, GIB):
        found |= {boundary - BLOCK, boundary}
    return sorted(found)


def few_places(size: int) -> list[int]:
    """Start, middle and end."""
    everywhere = places(size)
    return [everywhere[0], everywhere[len(everywhere) // 2], everywhere[-1]]


@dataclass(frozen=True, slots=True)
class Contents:
    """The bytes of a volume of ``size`` bytes; ``tags`` says which stamp is at which offset."""

    size: int
    tags: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, gigabytes: int = 1) -> Contents:
        """Zeros."""
        return cls(gigabytes * GIB)

    def stamped(self, tag: str, offsets: Iterable[int]) -> Contents:
        """The same with the stamps of ``tag`` at some places."""
        return Contents(self.size, {**self.tags, **dict.fromkeys(offsets, tag)})

    def grown(self, gigabytes: int) -> Contents:
        """The same with zeros behind it."""
        return Contents(gigabytes * GIB, self.tags)

    def block(self, offset: int) -> bytes:
        """The block at ``offset``."""
        tag = self.tags.get(offset)
        return stamp(tag, offset) if tag is not None else _ZEROS[:BLOCK]

    def difference(self, volume: Readable, *, whole: bool = False) -> str | None:
        """Where and how the volume differs, in words; None if it does not.

        ``whole`` compares every byte, otherwise the places that are ever written.
        """
        if not self.size <= volume.size < self.size + GIB:
            return f"it has {volume.size} bytes, not {self.size}"
        for offset in sorted({*places(self.size), *self.tags}):
            found = volume.read(offset, BLOCK)
            if found != self.block(offset):
                return _told(offset, self.block(offset), found)
        return self._difference_anywhere(volume) if whole else None

    def _difference_anywhere(self, volume: Readable) -> str | None:
        for start in range(0, self.size, CHUNK):
            length = min(CHUNK, self.size - start)
            wanted = self._run(start, length)
            found = volume.read(start, length)
            if found == wanted:
                continue
            for at in range(0, length, BLOCK):
                if found[at : at + BLOCK] != wanted[at : at + BLOCK]:
                    return _told(start + at, wanted[at : at + BLOCK], found[at : at + BLOCK])
        return None

    def _run(self, start: int, length: int) -> bytes:
        inside = [offset for offset in self.tags if start <= offset < start + length]
        if not inside:
            return _ZEROS[:length]
        run = bytearray(length)
        for offset in inside:
            run[offset - start : offset - start + BLOCK] = self.block(offset)
        return bytes(run)


def _told(offset: int, wanted: bytes, found: bytes) -> str:
    return f"at byte {offset} there is {_name(found)} instead of {_name(wanted)}"


def _name(block: bytes) -> str:
    if not block.strip(b"\0"):
        return "zeros"
    return repr(block[:_STAMP].rstrip(b".").decode("latin-1"))
