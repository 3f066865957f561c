"""Calls for different resources at once, from as many threads as a worker has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from breezeblock.conformance.backend import room_gb
from breezeblock.conformance.bench import Bench, broken
from breezeblock.conformance.contents import Contents, few_places
from breezeblock.conformance.support import require
from breezeblock.conformance.volume_data import VolumeData
from breezeblock.domain.resources import Snapshot, Volume

_THREADS = 8
#: GiB that one thread takes at most: a volume, its snapshot, two copies.
_ROOM_EACH = 5
_EMPTY = Contents.empty()
_PLACES = few_places(_EMPTY.size)


@pytest.fixture
def threads(bench: Bench) -> int:
    """How many fit in."""
    fitting = min(_THREADS, int(min(room_gb(bench.driver), _THREADS * _ROOM_EACH) // _ROOM_EACH))
    if fitting < 2:
        pytest.skip(f"the backend has not {2 * _ROOM_EACH} GiB free")
    return fitting


def test_lives_side_by_side(bench: Bench, threads: int, holds_bytes: bool) -> None:
    require(bench.driver, "create_cloned_volume")
    data = VolumeData() if holds_bytes else None
    with ThreadPoolExecutor(threads) as pool:
        lives = [pool.submit(_life, bench, data, f"thread {n}") for n in range(threads)]
    for life in lives:
        for record in life.result():
            bench.expect_gone(record, "volumes do not get in each other's way")


def _life(bench: Bench, data: VolumeData | None, tag: str) -> list[Volume | Snapshot]:
    """Make, copy and delete; each thread has its own bytes."""
    contents = _EMPTY.stamped(tag, _PLACES)
    volume = bench.created()
    if data is not None:
        data.write(bench.driver, volume, tag, _PLACES)
    snapshot = bench.snapped(volume)
    made = bench.filled(snapshot)
    clone = bench.cloned(volume)
    for copy in (volume, made, clone):
        if data is not None and (found := data.difference(bench.driver, copy, contents)):
            broken("volumes made at the same time have their own bytes", f"{tag}: {found}")
    order: list[Volume | Snapshot] = [clone, made, snapshot, volume]
    for record in order:
        bench.delete(record)
    return order


def test_same_call_twice_at_once(bench: Bench, holds_bytes: bool) -> None:
    """A worker that lost its lease may still be at it when the next one begins."""
    volume = bench.volume()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(bench.driver.create_volume, volume) for _ in range(2)]
    failures = [failure for call in calls if (failure := call.exception())]
    if any(not getattr(failure, "transient", False) for failure in failures):
        broken("a call that meets the same call succeeds or fails as transient", f"{failures}")
    bench.create(volume)
    bench.expect_held(volume, "create_volume makes the volume")
    if holds_bytes:
        VolumeData().expect(bench.driver, volume, _EMPTY, "a new volume reads zeros")
