"""The bytes: new space is zeros, copies are exact and independent of what they were made of."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from breezeblock.conformance.backend import CONTEXT
from breezeblock.conformance.bench import Bench, twice
from breezeblock.conformance.contents import Contents, places
from breezeblock.conformance.support import require
from breezeblock.conformance.volume_data import VolumeData
from breezeblock.domain.errors import BreezeblockError
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.interface import RevertToSnapshot

EMPTY = Contents.empty()
ALL = places(EMPTY.size)


@dataclass
class Desk:
    """The bench together with the bytes."""

    bench: Bench
    data: VolumeData

    def write(self, volume: Volume, contents: Contents, tag: str, step: int = 1) -> Contents:
        """Stamp every ``step``-th place; what the volume holds then."""
        offsets = places(contents.size)[::step]
        self.data.write(self.bench.driver, volume, tag, offsets)
        return contents.stamped(tag, offsets)

    def written(self, tag: str) -> tuple[Volume, Contents]:
        """A new volume of 1 GiB, stamped all over."""
        volume = self.bench.created()
        return volume, self.write(volume, EMPTY, tag)

    def expect(self, volume: Volume, contents: Contents, rule: str, *, whole: bool = False) -> None:
        """Fail with ``rule`` unless the volume holds ``contents``."""
        __tracebackhide__ = True
        self.data.expect(self.bench.driver, volume, contents, rule, whole=whole)


@pytest.fixture
def desk(bench: Bench, data: VolumeData) -> Desk:
    """The bench, if the backend holds bytes."""
    return Desk(bench, data)


# ---- zeros -----------------------------------------------------------------------------------


def test_new_volume_reads_zeros(desk: Desk) -> None:
    volume = desk.bench.created()
    desk.expect(volume, EMPTY, "a new volume reads zeros", whole=True)


def test_new_volume_shows_nothing_of_a_deleted_one(desk: Desk) -> None:
    for _ in range(2):
        volume, _ = desk.written("of a deleted volume")
        desk.bench.delete(volume)
        after = desk.bench.created()
        desk.expect(after, EMPTY, "a new volume shows nothing of a deleted one")
        desk.bench.delete(after)


def test_name_used_again_shows_nothing_of_before(desk: Desk) -> None:
    volume, _ = desk.written("before the deletion")
    desk.bench.delete(volume)
    desk.bench.create(volume)
    desk.expect(volume, EMPTY, "a volume made again under its name reads zeros")


def test_new_volume_shows_nothing_of_a_deleted_snapshot(desk: Desk) -> None:
    volume, contents = desk.written("of a deleted snapshot")
    snapshot = desk.bench.snapped(volume)
    desk.write(volume, contents, "written later")
    desk.bench.delete(snapshot)
    after = desk.bench.created()
    desk.expect(after, EMPTY, "a new volume shows nothing of a deleted snapshot")


def test_extension_reads_zeros(desk: Desk) -> None:
    require(desk.bench.driver, "extend_volume")
    stale = desk.bench.created(2)
    desk.write(stale, Contents.empty(2), "of a deleted volume")
    volume, contents = desk.written("before the extension")
    desk.bench.delete(stale)
    larger = desk.bench.extend(volume, 2)
    rule = "extend_volume keeps the bytes, and what is new reads zeros"
    desk.expect(larger, contents.grown(2), rule)
    after = desk.write(larger, contents.grown(2), "after the extension", 3)
    desk.bench.driver.extend_volume(larger, 2)
    desk.expect(larger, after, "extend_volume called again keeps the bytes")


# ---- what is called again --------------------------------------------------------------------


def test_creation_called_again_keeps_the_bytes(desk: Desk) -> None:
    volume, contents = desk.written("mine")
    desk.bench.create(volume)
    desk.expect(volume, contents, "create_volume called again keeps the bytes")


def test_snapshot_called_again_stays_the_first(desk: Desk) -> None:
    volume, contents = desk.written("first")
    snapshot = desk.bench.snapped(volume)
    desk.write(volume, contents, "second", 2)
    desk.bench.snap(snapshot)
    made = desk.bench.filled(snapshot)
    desk.expect(made, contents, "create_snapshot called again keeps the first point in time")


def test_copy_called_again_keeps_the_bytes(desk: Desk) -> None:
    source, contents = desk.written("source")
    snapshot = desk.bench.snapped(source)
    made = desk.bench.filled(snapshot)
    after = desk.write(made, contents, "own", 3)
    desk.bench.fill(made, snapshot)
    desk.expect(made, after, "create_volume_from_snapshot called again keeps the bytes")


def test_clone_called_again_keeps_the_bytes(desk: Desk) -> None:
    require(desk.bench.driver, "create_cloned_volume")
    source, contents = desk.written("source")
    clone = desk.bench.cloned(source)
    after = desk.write(clone, contents, "own", 3)
    desk.bench.clone(clone, source)
    desk.expect(clone, after, "create_cloned_volume called again keeps the bytes")


# ---- copies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2])
def test_clone_is_exact_and_independent(desk: Desk, size: int) -> None:
    require(desk.bench.driver, "create_cloned_volume")
    source, contents = desk.written("source")
    clone = desk.bench.cloned(source, size)
    copied = contents.grown(size)
    desk.expect(clone, copied, "a clone has its source's bytes, and zeros behind them")
    _expect_independent(desk, (source, contents), (clone, copied))


@pytest.mark.parametrize("size", [1, 2])
def test_volume_from_snapshot_is_exact_and_independent(desk: Desk, size: int) -> None:
    source, contents = desk.written("source")
    snapshot = desk.bench.snapped(source)
    made = desk.bench.filled(snapshot, size)
    copied = contents.grown(size)
    rule = "a volume from a snapshot has the snapshot's bytes, and zeros behind them"
    desk.expect(made, copied, rule)
    _expect_independent(desk, (source, contents), (made, copied))
    again = desk.bench.filled(snapshot)
    desk.expect(again, contents, "a snapshot keeps its bytes, whatever becomes of copies of it")


def _expect_independent(
    desk: Desk, source: tuple[Volume, Contents], copy: tuple[Volume, Contents]
) -> None:
    rule = "a copy and what it was made of do not show each other's writes"
    changed = desk.write(*source, "written to the source", 2)
    desk.expect(copy[0], copy[1], rule)
    own = desk.write(*copy, "written to the copy", 3)
    desk.expect(source[0], changed, rule)
    desk.expect(copy[0], own, rule)


def test_clone_outlives_its_source(desk: Desk) -> None:
    require(desk.bench.driver, "create_cloned_volume")
    source, contents = desk.written("source")
    clone = desk.bench.cloned(source)
    if _went(desk, source):
        # What the source leaves free may be given to others.
        desk.written("of a stranger")
    desk.expect(clone, contents, "a clone outlives its source")


def test_volume_outlives_the_snapshot_it_was_made_of(desk: Desk) -> None:
    source, contents = desk.written("source")
    snapshot = desk.bench.snapped(source)
    made = desk.bench.filled(snapshot)
    if _went(desk, snapshot) and _went(desk, source):
        desk.written("of a stranger")
    desk.expect(made, contents, "a volume outlives the snapshot it was made of")


def _went(desk: Desk, record: Volume | Snapshot) -> bool:
    """Delete it if the backend can do without it: saying that it is busy is allowed."""
    try:
        desk.bench.delete(record)
    except BreezeblockError:
        return False
    return True


def test_snapshot_keeps_its_point_in_time(desk: Desk) -> None:
    volume, first = desk.written("first")
    one = desk.bench.snapped(volume)
    second = desk.write(volume, first, "second", 2)
    two = desk.bench.snapped(volume)
    third = desk.write(volume, second, "third", 3)
    for snapshot, contents in ((one, first), (two, second)):
        made = desk.bench.filled(snapshot)
        desk.expect(made, contents, "a snapshot keeps the bytes of its point in time")
        desk.bench.delete(made)
    desk.bench.delete(one)
    desk.expect(volume, third, "a volume keeps its bytes when a snapshot of it is deleted")
    made = desk.bench.filled(two)
    desk.expect(made, second, "a snapshot keeps its bytes when an older one is deleted")


def test_every_byte_of_a_copy(desk: Desk) -> None:
    """One volume is compared as a whole, also where nothing was ever written."""
    source, contents = desk.written("source")
    snapshot = desk.bench.snapped(source)
    made = desk.bench.filled(snapshot)
    desk.expect(made, contents, "a copy is equal to its source in every byte", whole=True)


# ---- revert ----------------------------------------------------------------------------------


def test_revert_is_exact(desk: Desk) -> None:
    require(desk.bench.driver, RevertToSnapshot)
    volume, contents = desk.written("first")
    snapshot = desk.bench.snapped(volume)
    driver = desk.bench.driver
    for _ in range(2):
        desk.write(volume, contents, "later", 2)
        twice("revert_to_snapshot", lambda: driver.revert_to_snapshot(CONTEXT, volume, snapshot))
        desk.expect(volume, contents, "revert_to_snapshot puts back the snapshot's bytes")
    desk.write(volume, contents, "after the revert", 3)
    made = desk.bench.filled(snapshot)
    desk.expect(made, contents, "the snapshot keeps its bytes after a revert to it")


def test_revert_keeps_a_larger_size(desk: Desk) -> None:
    require(desk.bench.driver, RevertToSnapshot, "extend_volume")
    volume, contents = desk.written("first")
    snapshot = desk.bench.snapped(volume)
    try:
        larger = desk.bench.extend(volume, 2)
    except BreezeblockError as refused:
        pytest.skip(f"the backend does not extend volumes that have snapshots: {refused}")
    desk.write(larger, contents.grown(2), "later", 2)
    desk.bench.driver.revert_to_snapshot(CONTEXT, larger, snapshot)
    rule = "a revert of a volume that has grown keeps its size, and zeros behind the snapshot"
    desk.expect(larger, contents.grown(2), rule)
