"""What the kit compares volumes with."""

from __future__ import annotations

import pytest

from breezeblock.conformance.contents import BLOCK, GIB, Contents, few_places, places, stamp
from breezeblock.conformance.test_kills import spread


class Sparse:
    """A volume in memory: zeros but for some blocks."""

    def __init__(self, size: int, blocks: dict[int, bytes]) -> None:
        self.size = size
        self._blocks = blocks

    def read(self, offset: int, length: int) -> bytes:
        found = bytearray(length)
        for start, block in self._blocks.items():
            if offset <= start < offset + length:
                found[start - offset : start - offset + BLOCK] = block
        return bytes(found)


def test_places_cover_every_slot_and_both_ends() -> None:
    found = places(2 * GIB)
    assert {0, 2 * GIB - BLOCK, GIB - BLOCK, GIB} <= set(found)
    assert all(offset % BLOCK == 0 for offset in found)
    assert {offset // (4 * 1024**2) for offset in found} == set(range(512))
    assert set(few_places(2 * GIB)) <= set(found)


def test_equal() -> None:
    contents = Contents.empty().stamped("mine", few_places(GIB))
    volume = Sparse(GIB, {offset: stamp("mine", offset) for offset in few_places(GIB)})
    assert contents.difference(volume) is None
    assert contents.difference(volume, whole=True) is None


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (stamp("theirs", 0), "at byte 0 there is 'breezeblock theirs 0' instead of 'breezeblock"),
        (stamp("mine", BLOCK), "at byte 0 there is 'breezeblock mine 4096' instead of"),
        (bytes(BLOCK), "at byte 0 there is zeros instead of 'breezeblock mine 0'"),
    ],
)
def test_different(found: bytes, told: str) -> None:
    contents = Contents.empty().stamped("mine", [0])
    assert told in (contents.difference(Sparse(GIB, {0: found})) or "")


def test_only_a_whole_comparison_sees_everything() -> None:
    offset = next(o for o in range(BLOCK, GIB, BLOCK) if o not in places(GIB))
    volume = Sparse(GIB, {offset: stamp("stale", offset)})
    assert Contents.empty().difference(volume) is None
    told = Contents.empty().difference(volume, whole=True)
    assert told == f"at byte {offset} there is 'breezeblock stale {offset}' instead of zeros"


@pytest.mark.parametrize("size", [GIB - BLOCK, 2 * GIB])
def test_wrong_size(size: int) -> None:
    assert Contents.empty().difference(Sparse(size, {})) == f"it has {size} bytes, not {GIB}"


def test_growth_is_zeros() -> None:
    volume = Sparse(2 * GIB, {GIB: stamp("stale", GIB)})
    assert "instead of zeros" in (Contents.empty().grown(2).difference(volume) or "")


@pytest.mark.parametrize(
    ("moments", "points", "chosen"),
    [
        (0, 0, []),
        (3, 0, [1, 2, 3]),
        (3, 5, [1, 2, 3]),
        (9, 3, [1, 5, 9]),
        (9, 1, [9]),
    ],
)
def test_spread(moments: int, points: int, chosen: list[int]) -> None:
    assert spread(moments, points) == chosen
