"""Snapshots from request to end."""

from __future__ import annotations

from typing import Any

import pytest
from tests.application import PROJECT, Application, Start

from breezeblock.domain.errors import SnapshotNotFound
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.services.volumes import VolumeRequest


def volume(application: Application, size: int = 2) -> Volume:
    made = application.services.volumes.create(application.ctx(), VolumeRequest(size=size))
    application.settle()
    return made


def take(application: Application, of: Volume) -> Snapshot:
    fields: dict[str, Any] = {"name": "s", "description": None, "metadata": {"k": "v"}}
    taken = application.services.snapshots.create(
        application.ctx(), of.id, in_use_allowed=False, **fields
    )
    application.settle()
    return application.services.snapshots.get(application.ctx(), taken.id)


def used(application: Application) -> tuple[int, int]:
    found = application.services.quotas.show(application.ctx(), PROJECT)
    return found["snapshots"].in_use, found["gigabytes"].in_use


def test_a_snapshot_is_taken_and_deleted(application: Application) -> None:
    taken = take(application, volume(application))
    assert (taken.status, taken.progress, taken.volume_size) == ("available", "100%", 2)
    assert taken.metadata == {"k": "v"}
    assert used(application) == (1, 4)
    application.services.snapshots.delete(application.ctx(), taken)
    application.settle()
    with pytest.raises(SnapshotNotFound):
        application.services.snapshots.get(application.ctx(), taken.id)
    assert used(application) == (0, 2)


def test_snapshots_may_cost_no_gigabytes(start: Start) -> None:
    application = start({"DEFAULT": {"no_snapshot_gb_quota": True}})
    take(application, volume(application))
    assert used(application) == (1, 2)


def test_one_that_cannot_be_taken_is_in_error_and_can_go(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "create_snapshot"}})
    taken = take(application, volume(application))
    assert taken.status == "error"
    (message,) = application.messages()
    assert (message.resource_type, message.resource_uuid) == ("VOLUME_SNAPSHOT", taken.id)
    assert message.event_id == "VOLUME_VOLUME_SNAPSHOT_009_013"
    application.services.snapshots.delete(application.ctx(), taken)
    application.settle()
    assert used(application) == (0, 2)


def test_one_that_cannot_be_deleted_says_so(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "delete_snapshot"}})
    taken = take(application, volume(application))
    application.services.snapshots.delete(application.ctx(), taken)
    application.settle()
    left = application.services.snapshots.get(application.ctx(), taken.id)
    assert left.status == "error_deleting"
    assert [message.detail_id for message in application.messages()] == ["016"]
    assert used(application) == (1, 4)
