"""Volumes from request to end, against the fake driver: well, badly, and on another backend."""

from __future__ import annotations

from typing import Any

import pytest
from tests.application import PROJECT, Application, Start

from breezeblock.domain.errors import InvalidVolume, VolumeNotFound
from breezeblock.domain.resources import Message, Volume
from breezeblock.domain.user_messages import DETAILS
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import pools
from breezeblock.store import volumes as rows


def create(application: Application, size: int = 1, **fields: Any) -> Volume:
    """Ask for a volume and wait for what becomes of it."""
    request = VolumeRequest(size=size, **fields)
    made = application.services.volumes.create(application.ctx(), request)
    application.settle()
    return again(application, made)


def again(application: Application, volume: Volume) -> Volume:
    return application.services.volumes.get(application.ctx(), volume.id)


def gone(application: Application, volume: Volume) -> bool:
    try:
        again(application, volume)
    except VolumeNotFound:
        return True
    return False


def used(application: Application, name: str = "gigabytes") -> tuple[int, int]:
    use = application.services.quotas.show(application.ctx(), PROJECT)[name]
    return use.in_use, use.reserved


def the_message(application: Application, volume_id: str) -> Message:
    """The only message, which says what can be done and what the backend said."""
    (message,) = application.messages()
    assert message.resource_uuid == volume_id
    assert message.detail_id in DETAILS
    return message


def consumed(application: Application) -> list[int]:
    return [pool.consumed_gb for pool in application.pools()]


def snapshot_of(application: Application, volume: Volume) -> Any:
    services = application.services
    taken = services.snapshots.create(
        application.ctx(),
        volume.id,
        name="s",
        description=None,
        metadata={},
        in_use_allowed=False,
    )
    application.settle()
    return services.snapshots.get(application.ctx(), taken.id)


# ---- create ----------------------------------------------------------------------------------


def test_a_volume_becomes_available(application: Application) -> None:
    made = create(application, 3, name="first", metadata={"k": "v"})
    assert (made.status, made.host, made.availability_zone) == ("available", "here@one#one", "nova")
    assert made.volume_type_name == "__DEFAULT__"
    assert made.launched_at is not None
    assert made.service_uuid is not None
    assert made.metadata == {"k": "v"}
    assert used(application) == (3, 0)
    assert application.messages() == []
    (operation,) = application.operations()
    assert (operation.state, operation.progress, operation.resource_id) == ("done", 100, made.id)


def test_while_it_is_made_its_quota_is_reserved(start: Start) -> None:
    application = start()
    application.stop_worker()
    request = VolumeRequest(size=2)
    made = application.services.volumes.create(application.ctx(), request)
    assert again(application, made).status == "creating"
    assert used(application) == (0, 2)
    application.start_worker()
    application.settle()
    assert used(application) == (2, 0)


def test_a_backend_that_cannot_leaves_error_and_a_message(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "create_volume"}})
    failed = create(application, 5)
    assert failed.status == "error"
    message = the_message(application, failed.id)
    assert message.event_id == "VOLUME_VOLUME_008_012"
    assert "create_volume fails" in (message.cause or "")
    assert consumed(application) == [0]
    application.services.volumes.delete(application.ctx(), failed)
    application.settle()
    assert gone(application, failed)
    assert used(application) == (0, 0)
    # What was never made frees nothing: the pool has not become larger.
    assert consumed(application) == [0]


def test_an_error_that_passes_is_nobodys_business(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "create_volume:1"}})
    assert create(application).status == "available"
    assert application.messages() == []


def test_another_backend_takes_what_the_first_could_not(start: Start) -> None:
    application = start(
        backends={
            "one": {"fake_failures": "create_volume", "fake_capacity_gb": 2000},
            "two": {"backend_availability_zone": "nova"},
        }
    )
    made = create(application, 5)
    assert (made.status, made.host) == ("available", "here@two#two")
    assert application.messages() == []
    assert consumed(application) == [0, 5]
    (operation,) = application.operations()
    assert (operation.queue, operation.error) == ("here@two", None)
    assert operation.payload["placement"]["tried"] == ["here@one#one"]


def test_no_backend_is_tried_twice_nor_more_than_allowed(start: Start) -> None:
    broken = {"fake_failures": "create_volume"}
    application = start(
        {"DEFAULT": {"scheduler_max_attempts": 2}},
        backends={"one": broken, "two": broken, "three": broken},
    )
    failed = create(application)
    assert failed.status == "error"
    (operation,) = application.operations()
    assert len(operation.payload["placement"]["tried"]) == 1
    assert consumed(application) == [0, 0, 0]
    the_message(application, failed.id)


def test_without_room_the_volume_is_in_error_at_once(start: Start) -> None:
    application = start(backends={"one": {"fake_capacity_gb": 1}})
    made = application.services.volumes.create(application.ctx(), VolumeRequest(size=500))
    assert made.status == "creating"
    failed = again(application, made)
    assert (failed.status, failed.host) == ("error", None)
    message = the_message(application, failed.id)
    assert message.event_id == "VOLUME_VOLUME_001_003"
    assert application.operations() == []
    application.services.volumes.delete(application.ctx(), failed)
    assert gone(application, failed)


# ---- copies ----------------------------------------------------------------------------------


def test_copies_live_where_their_source_does(start: Start) -> None:
    application = start(backends={"one": {}, "two": {"fake_capacity_gb": 50}})
    source = create(application, 2, scheduler_hints={})
    taken = snapshot_of(application, source)
    clone = create(application, 3, source_volid=source.id)
    from_snapshot = create(application, 2, snapshot_id=taken.id)
    assert {clone.status, from_snapshot.status} == {"available"}
    assert {clone.host, from_snapshot.host} == {source.host}
    assert clone.source_volid == source.id
    assert from_snapshot.snapshot_id == taken.id


@pytest.mark.parametrize("method", ["create_cloned_volume", "create_volume_from_snapshot"])
def test_a_copy_that_fails_is_not_tried_elsewhere(start: Start, method: str) -> None:
    application = start(
        backends={
            "one": {"fake_failures": method, "fake_capacity_gb": 5000},
            "two": {"fake_failures": method},
        }
    )
    source = create(application)
    taken = snapshot_of(application, source)
    before = consumed(application)
    ways = {"create_cloned_volume": {"source_volid": source.id}}
    failed = create(application, **ways.get(method, {"snapshot_id": taken.id}))
    assert (failed.status, failed.host) == ("error", source.host)
    assert "fails as fake_failures demands" in (the_message(application, failed.id).cause or "")
    assert again(application, source).status == "available"
    assert consumed(application) == before


# ---- delete ----------------------------------------------------------------------------------


def test_a_deleted_volume_is_gone_and_its_quota_free(application: Application) -> None:
    made = create(application, 4)
    before = consumed(application)
    application.services.volumes.delete(application.ctx(), made)
    application.settle()
    assert gone(application, made)
    assert used(application) == (0, 0)
    assert consumed(application) == [before[0] - 4]


def test_a_volume_that_cannot_be_deleted_says_so(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "delete_volume"}})
    made = create(application, 4)
    application.services.volumes.delete(application.ctx(), made)
    application.settle()
    assert again(application, made).status == "error_deleting"
    assert the_message(application, made.id).event_id == "VOLUME_VOLUME_101_102"
    assert used(application) == (4, 0)


def test_cascade_takes_the_snapshots_along(application: Application) -> None:
    made = create(application, 2)
    for _ in range(3):
        snapshot_of(application, made)
    with pytest.raises(InvalidVolume, match="it has snapshots"):
        application.services.volumes.delete(application.ctx(), made)
    application.services.volumes.delete(application.ctx(), made, cascade=True)
    application.settle()
    assert gone(application, made)
    assert used(application) == (0, 0)
    assert used(application, "snapshots") == (0, 0)


def test_a_cascade_that_fails_leaves_what_is_left(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "delete_snapshot"}})
    made = create(application, 2)
    taken = snapshot_of(application, made)
    application.services.volumes.delete(application.ctx(), made, cascade=True)
    application.settle()
    assert again(application, made).status == "error_deleting"
    left = application.services.snapshots.get(application.ctx(), taken.id)
    assert left.status == "error_deleting"
    the_message(application, made.id)


# ---- extend ----------------------------------------------------------------------------------


def extend(application: Application, made: Volume, size: int, *, in_use: bool = False) -> Volume:
    application.services.volumes.extend(application.ctx(), made, size, in_use_allowed=in_use)
    application.settle()
    return again(application, made)


def test_a_volume_grows(application: Application) -> None:
    made = create(application, 1)
    before = consumed(application)
    grown = extend(application, made, 7)
    assert (grown.status, grown.size) == ("available", 7)
    assert used(application) == (7, 0)
    assert consumed(application) == [before[0] + 6]


def test_a_volume_that_cannot_grow_keeps_its_size_and_quota(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "extend_volume"}})
    made = create(application, 1)
    before = consumed(application)
    failed = extend(application, made, 7)
    assert (failed.status, failed.size) == ("error_extending", 1)
    assert used(application) == (1, 0)
    assert consumed(application) == before
    assert the_message(application, made.id).event_id == "VOLUME_VOLUME_007_010"
    application.services.volumes.delete(application.ctx(), failed)
    application.settle()
    assert gone(application, made)


# ---- revert ----------------------------------------------------------------------------------


def revert(application: Application, made: Volume, snapshot_id: str) -> Volume:
    application.services.volumes.revert(application.ctx(), made, snapshot_id)
    application.settle()
    return again(application, made)


def test_a_volume_goes_back(application: Application) -> None:
    made = create(application)
    taken = snapshot_of(application, made)
    assert revert(application, made, taken.id).status == "available"
    assert application.services.snapshots.get(application.ctx(), taken.id).status == "available"


def test_a_revert_that_fails_keeps_the_snapshot(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "revert_to_snapshot"}})
    made = create(application)
    taken = snapshot_of(application, made)
    assert revert(application, made, taken.id).status == "error"
    assert application.services.snapshots.get(application.ctx(), taken.id).status == "available"
    assert the_message(application, made.id).event_id == "VOLUME_VOLUME_102_103"


# ---- reports ---------------------------------------------------------------------------------


def test_what_is_on_the_way_counts_once(start: Start) -> None:
    """A report that comes between placement and creation does not give the room away again."""
    application = start()
    application.stop_worker()
    application.services.volumes.create(application.ctx(), VolumeRequest(size=9))
    assert consumed(application) == [9]
    (pool,) = application.pools()
    application.database.transact(
        lambda tx: pools.report(tx, "here@one", "nova", {pool.name: pool.capabilities})
    )
    assert consumed(application) == [9]


def test_events_outlive_the_rows(application: Application) -> None:
    made = create(application)
    application.services.volumes.delete(application.ctx(), made)
    application.settle()
    with application.database.read() as connection:
        assert rows.find(connection, made.id) is None
        found = connection.exec_driver_sql(
            "SELECT event FROM events WHERE resource_id = ? ORDER BY seq", (made.id,)
        )
        assert [row[0] for row in found] == ["create.end", "delete.end"]
