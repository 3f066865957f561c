"""What happens when the backend has not the space that is asked for."""

from __future__ import annotations

import math

import pytest

from breezeblock.conformance.backend import room_gb
from breezeblock.conformance.bench import Bench, broken
from breezeblock.conformance.contents import Contents, few_places
from breezeblock.conformance.support import require
from breezeblock.conformance.volume_data import VolumeData
from breezeblock.domain.errors import BreezeblockError


@pytest.fixture
def too_much(bench: Bench) -> int:
    """A size, GiB, that is not free; only a thick backend says what it is."""
    room = room_gb(bench.driver)
    if math.isinf(room):
        pytest.skip("the backend is thin or does not tell its free space: no size is too large")
    return math.ceil(room) + 1


def test_creation_without_space(bench: Bench, too_much: int) -> None:
    volume = bench.volume(too_much)
    try:
        bench.create(volume)
    except BreezeblockError:
        bench.expect_gone(volume, "a refused creation leaves nothing behind")
    else:
        broken("a volume larger than the free space is refused", f"{too_much} GiB were made")


def test_extension_without_space(bench: Bench, data: VolumeData, too_much: int) -> None:
    require(bench.driver, "extend_volume")
    volume = bench.created()
    contents = Contents.empty().stamped("kept", few_places(Contents.empty().size))
    data.write(bench.driver, volume, "kept", contents.tags)
    try:
        bench.extend(volume, too_much + 1)
    except BreezeblockError:
        rule = "a volume whose extension is refused stays as it is"
        data.expect(bench.driver, volume, contents, rule)
    else:
        broken("an extension beyond the free space is refused", f"to {too_much + 1} GiB")
