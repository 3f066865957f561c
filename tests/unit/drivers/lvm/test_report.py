"""What LVM's reports say, as records."""

from __future__ import annotations

import threading
import time

import pytest
from tests.unit.drivers.lvm import captured

from breezeblock.drivers.lvm import names, stats
from breezeblock.drivers.lvm.attributes import Attributes
from breezeblock.drivers.lvm.errors import LvmError
from breezeblock.drivers.lvm.report import parse_group, parse_volumes
from breezeblock.drivers.lvm.single_flight import SingleFlight

GIB = 1024**3


def test_a_group() -> None:
    found = parse_group(captured.fullreport())
    assert (found.name, found.size, found.free) == ("vg0", 17163091968, 7163091968)
    assert [disk.name for disk in found.disks] == ["/dev/vda", "/dev/vdb"]
    thick, thin = found.volumes["volume-a"], found.volumes["volume-t"]
    assert thick.is_thick_origin
    assert not thick.is_thin
    assert thin.is_thin
    assert not thin.is_thick_origin
    assert thin.attributes.open
    kept = found.volumes["_snapshot-t"]
    assert kept.is_thin
    assert (kept.origin, kept.pool) == ("volume-t", "vg0-pool")
    assert kept.tags == {"x", "y"}
    assert kept.attributes.skips_activation
    assert kept.attributes.active is False
    assert found.volumes["_snapshot-a"].is_thick_snapshot
    assert found.volumes["volume-m"].is_mirrored
    pool = found.volumes["vg0-pool"]
    assert pool.is_thin_pool
    assert not pool.is_thin
    assert pool.attributes.zeroes
    assert (pool.data_percent, pool.metadata_percent) == (12.5, 10.74)
    public = {v.name for v in found.volumes.values() if v.is_public}
    assert public == {"_snapshot-a", "_snapshot-t", "volume-a", "volume-m", "volume-t"}


def test_odd_answers() -> None:
    assert parse_volumes("") == []
    assert parse_volumes(captured.lvs()) == []
    with pytest.raises(LvmError, match="JSON"):
        parse_volumes("no JSON")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("twi-aotz--", ""),
        ("twi-aotzD-", "out of data space"),
        ("twi-aotzM-", "metadata is read-only"),
        ("twi-cotzM-", "needs a check"),
        ("swi-I-s---", "invalid"),
        ("owi-ms----", "merge of a snapshot into it failed"),
        ("-wi-a---p-", "disk below it is missing"),
        ("Vwi-s-tz--", "suspended"),
        ("", ""),
    ],
)
def test_attributes_say_what_is_wrong(text: str, problem: str) -> None:
    found = Attributes.parse(text)
    assert bool(found.problem) == bool(problem)
    assert problem in found.problem


def test_attributes_that_lvm_does_not_know() -> None:
    found = Attributes.parse("-wi-XX----")
    assert found.active is None
    assert found.open is None


def test_capacity() -> None:
    report = parse_group(captured.fullreport())
    thick = stats.capacity(report, pool=None, mirrors=0)
    assert thick["total_capacity_gb"] == 15.98
    assert thick["free_capacity_gb"] == 6.67
    assert thick["provisioned_capacity_gb"] == 9.31
    thin = stats.capacity(report, pool="vg0-pool", mirrors=0)
    assert thin["total_capacity_gb"] == 6.47
    assert thin["free_capacity_gb"] == 5.66
    assert thin["provisioned_capacity_gb"] == 3.0
    assert thin["thin_pool_metadata_percent"] == 10.74
    assert thin["backend_state"] == thick["backend_state"] == "up"
    assert stats.capacity(report, pool="gone", mirrors=0)["backend_state"] == "down"
    mirrored = stats.capacity(report, pool=None, mirrors=1)
    assert mirrored["total_capacity_gb"] == 4.0


def test_what_cannot_be_written_is_down() -> None:
    rows = captured.rows()
    pool = next(row for row in rows if row["lv_name"] == "vg0-pool")
    pool["lv_attr"], pool["metadata_percent"] = "twi-aotz--", "100.00"
    found = stats.capacity(parse_group(captured.fullreport(lv=rows)), pool="vg0-pool", mirrors=0)
    assert found["backend_state"] == "down"
    assert "poolmetadatasize" in found["backend_state_reason"]


@pytest.mark.parametrize(
    ("room", "copies", "fits"),
    [
        ([10, 10], 2, 10),
        ([10, 4], 2, 4),
        ([10, 4, 6], 2, 10),
        ([4, 4, 4], 2, 6),
        ([10, 10], 3, 0),
        ([9, 5, 1], 3, 1),
        ([], 2, 0),
        ([7, 5], 1, 12),
    ],
)
def test_room_of_mirrors(room: list[int], copies: int, fits: int) -> None:
    assert stats.mirrored_room(room, copies) == fits


def test_names() -> None:
    assert names.mapper_path("a-b", "volume-1", "cow") == "/dev/mapper/a--b-volume--1-cow"
    assert names.split_mapper_name("a--b-volume--1-cow") == ("a-b", "volume-1", "cow")
    assert names.split_mapper_name("a--b-_snapshot--1") == ("a-b", "_snapshot-1", "")
    assert names.split_mapper_name("control") is None
    uuid = "01234567-89ab-cdef-0123-456789abcdef"
    assert names.VOLUME.fullmatch(f"volume-{uuid}")
    assert not names.VOLUME.fullmatch("volume-of-somebody-else")
    assert names.TEMPORARY.fullmatch(f"clone-snap-{uuid}")
    assert not names.TEMPORARY.fullmatch("revert-plan")


def test_one_report_serves_all_who_wait() -> None:
    runs: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def ask() -> int:
        runs.append(1)
        begun.set()
        assert go.wait(30)
        return len(runs)

    flight = SingleFlight(ask)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(flight.get())) for _ in range(6)]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    # All others ask while the first run is under way: they need, and share, a second one.
    while flight.waiting < 5:
        time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [1, 2, 2, 2, 2, 2]


def test_a_failed_report_is_no_answer() -> None:
    outcomes: list[int] = []

    def ask() -> int:
        outcomes.append(1)
        if len(outcomes) == 1:
            raise LvmError(reason="no")
        return len(outcomes)

    flight = SingleFlight(ask)
    with pytest.raises(LvmError):
        flight.get()
    assert flight.get() == 2
