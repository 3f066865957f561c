"""Snapshots, attachments, types, quotas, backends: what is refused, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.application import OTHER_PROJECT, PROJECT, Application, Start
from tests.stored import attachment

from breezeblock.domain import errors
from breezeblock.domain.listing import ListQuery
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.domain.snapshot_states import SNAPSHOT
from breezeblock.domain.volume_states import VOLUME
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import attachments as attachment_rows
from breezeblock.store import snapshots as snapshot_rows
from breezeblock.store import volumes as rows

SERVER = "6d1e5c0b-2f43-4d0a-8f6b-9b1f0a7d3c21"


@pytest.fixture
def idle(start: Start) -> Application:
    """An application whose worker has reported its pools and is gone."""
    application = start()
    application.stop_worker()
    return application


def volume(application: Application, **fields: Any) -> Volume:
    """A volume whose row says what a test needs."""
    made = application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    fields = {"status": "available"} | fields
    application.database.transact(lambda tx: rows.update(tx, made.id, **fields))
    with application.database.read() as connection:
        return rows.get(connection, made.id)


def take(application: Application, of: Volume, *, in_use: bool = False) -> Snapshot:
    fields: dict[str, Any] = {"name": None, "description": None, "metadata": {}}
    return application.services.snapshots.create(
        application.ctx(), of.id, in_use_allowed=in_use, **fields
    )


# ---- snapshots -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(VOLUME.states))
def test_snapshots_are_taken_of_whole_volumes(idle: Application, status: str) -> None:
    made = volume(idle, status=status)
    if status == "available":
        assert take(idle, made).status == "creating"
        return
    with pytest.raises(errors.InvalidVolume, match=status):
        take(idle, made)
    if status == "in-use":
        assert take(idle, made, in_use=True).volume_size == 1


@pytest.mark.parametrize("status", sorted(SNAPSHOT.states))
def test_what_each_status_of_a_snapshot_allows(idle: Application, status: str) -> None:
    services, ctx = idle.services, idle.ctx()
    taken = take(idle, volume(idle))
    for event, force in (("delete", False), ("force_delete", True)):
        idle.database.transact(lambda tx: snapshot_rows.update(tx, taken.id, status=status))
        if status in SNAPSHOT.sources(event):
            services.snapshots.delete(ctx, taken, force=force)
            assert services.snapshots.get(ctx, taken.id).status == "deleting"
        else:
            with pytest.raises(errors.InvalidSnapshot, match=status):
                services.snapshots.delete(ctx, taken, force=force)


def test_a_hypervisor_may_report_what_follows(idle: Application) -> None:
    services, ctx = idle.services, idle.ctx()
    taken = take(idle, volume(idle))
    services.snapshots.update_status(ctx, taken, "creating", "50%")
    assert services.snapshots.get(ctx, taken.id).progress == "50%"
    with pytest.raises(errors.InvalidSnapshot):
        services.snapshots.update_status(ctx, taken, "deleting", None)
    services.snapshots.update_status(ctx, taken, "available", None)
    current = services.snapshots.get(ctx, taken.id)
    with pytest.raises(errors.InvalidSnapshot):
        services.snapshots.update_status(ctx, current, "error", None)


def test_snapshots_count_towards_quotas(idle: Application) -> None:
    made = volume(idle)
    idle.services.quotas.update(idle.ctx(), PROJECT, {"snapshots": 1})
    take(idle, made)
    with pytest.raises(errors.OverQuota, match="snapshots"):
        take(idle, made)


def test_snapshots_of_others_do_not_exist(idle: Application) -> None:
    taken = take(idle, volume(idle))
    with pytest.raises(errors.SnapshotNotFound):
        idle.services.snapshots.get(idle.ctx(OTHER_PROJECT), taken.id)
    assert idle.services.snapshots.get(idle.ctx(OTHER_PROJECT, admin=True), taken.id) == taken
    with pytest.raises(errors.InvalidSnapshot, match="is at work"):
        idle.services.snapshots.reset_status(idle.ctx(admin=True), taken, "error")


# ---- attachments -----------------------------------------------------------------------------


def reserve(application: Application, of: Volume, server: str | None = None) -> Any:
    return application.services.attachments.create(
        application.ctx(), of.id, instance_uuid=server, connector=None, mode=None
    )


@pytest.mark.parametrize("status", sorted(VOLUME.states))
def test_who_may_be_reserved(idle: Application, status: str) -> None:
    made = volume(idle, status=status)
    if status in ("available", "downloading"):
        assert reserve(idle, made).attach_status == "reserved"
    else:
        with pytest.raises(errors.InvalidVolume, match=status):
            reserve(idle, made)


@pytest.mark.parametrize("status", ["in-use", "attaching", "reserved"])
def test_several_consumers_need_multiattach_or_are_one(idle: Application, status: str) -> None:
    made = volume(idle, status=status)
    held = attachment(made.id, project_id=PROJECT, instance_uuid=SERVER)
    idle.database.transact(lambda tx: attachment_rows.insert(tx, held))
    with pytest.raises(errors.InvalidVolume):
        reserve(idle, made)
    assert reserve(idle, made, SERVER)
    shared = volume(idle, status=status, multiattach=True)
    assert reserve(idle, shared)


def test_only_one_consumer_gets_a_connection(idle: Application) -> None:
    made = volume(idle)
    first, then = reserve(idle, made, SERVER), reserve(idle, made, SERVER)
    connected = {"connector": {"host": "a"}, "instance_uuid": None}
    idle.database.transact(
        lambda tx: attachment_rows.transition(
            tx, first.id, "connected", to="attaching", **connected
        )
    )
    with pytest.raises(errors.Conflict, match="multiattach"):
        idle.services.attachments.connect(idle.ctx(), then, {"host": "b"})
    broken = volume(idle)
    held = reserve(idle, broken)
    idle.database.transact(lambda tx: rows.update(tx, broken.id, status="error"))
    with pytest.raises(errors.Conflict, match="is error"):
        idle.services.attachments.connect(idle.ctx(), held, {"host": "b"})


def test_an_attachment_without_a_connection_goes_without_a_backend(idle: Application) -> None:
    made = volume(idle)
    first, then = reserve(idle, made, SERVER), reserve(idle, made, SERVER)
    left = idle.services.attachments.delete(idle.ctx(), first)
    assert [held.id for held in left] == [then.id]
    assert idle.services.volumes.get(idle.ctx(), made.id).status == "reserved"
    assert idle.services.attachments.delete(idle.ctx(), then) == []
    assert idle.services.volumes.get(idle.ctx(), made.id).status == "available"
    with pytest.raises(errors.AttachmentNotFound):
        idle.services.attachments.delete(idle.ctx(), then)
    with pytest.raises(errors.AttachmentNotFound):
        idle.services.attachments.complete(idle.ctx(), then)


def test_the_older_way_has_rules_too(idle: Application) -> None:
    connections, ctx = idle.services.connections, idle.ctx()
    read_only = volume(idle, admin_metadata={"readonly": "True"})
    fields: dict[str, Any] = {"instance_uuid": SERVER, "host_name": None, "mountpoint": "/dev/x"}
    with pytest.raises(errors.InvalidVolume, match="read-only"):
        connections.attach(ctx, read_only, mode="rw", **fields)
    connections.attach(ctx, read_only, mode="ro", **fields)
    with pytest.raises(errors.InvalidVolume, match="cannot be attached"):
        connections.attach(ctx, read_only, mode="ro", **fields)
    free = volume(idle)
    with pytest.raises(errors.InvalidVolume, match="not attached"):
        connections.begin_detaching(ctx, free)
    with pytest.raises(errors.InvalidAttachment):
        connections.detach(ctx, free, "no such attachment")
    with pytest.raises(errors.InvalidAttachment):
        connections.force_detach(ctx, free, "no such attachment", None)
    connections.detach(ctx, free, None)
    held = volume(idle, status="maintenance")
    for act in (
        lambda: connections.detach(ctx, held, None),
        lambda: connections.initialize(ctx, held, {}),
    ):
        with pytest.raises(errors.InvalidVolume, match="maintenance"):
            act()


def test_waiting_for_a_backend_has_an_end(start: Start) -> None:
    application = start({"DEFAULT": {"rpc_response_timeout": 1}})
    application.stop_worker()
    made = volume(application)
    with pytest.raises(errors.OperationTimeout, match="initialize_connection"):
        application.services.connections.initialize(application.ctx(), made, {"host": "x"})


# ---- types -----------------------------------------------------------------------------------


def test_types_that_are_needed_stay(idle: Application) -> None:
    types, ctx = idle.services.volume_types, idle.ctx(admin=True)
    default = types.get(ctx, "default")
    assert default.name == "__DEFAULT__"
    with pytest.raises(errors.InvalidVolumeType, match="default"):
        types.delete(ctx, default)
    fields: dict[str, Any] = {"description": None, "is_public": True, "extra_specs": {}}
    gold = types.create(ctx, name="gold", **fields)
    with pytest.raises(errors.VolumeTypeExists):
        types.create(ctx, name="gold", **fields)
    with pytest.raises(errors.VolumeTypeExists):
        types.update(ctx, gold, changes={"name": "__DEFAULT__"})
    types.set_extra_specs(ctx, gold, {"a": "1"})
    with pytest.raises(errors.ExtraSpecNotFound):
        types.delete_extra_spec(ctx, gold, "b")
    volume(idle, volume_type_id=gold.id)
    refused: list[Callable[[], object]] = [
        lambda: types.delete(ctx, gold),
        lambda: types.set_extra_specs(ctx, gold, {"a": "2"}),
        lambda: types.delete_extra_spec(ctx, gold, "a"),
        lambda: types.add_access(ctx, gold, "p"),
    ]
    for act in refused:
        with pytest.raises(errors.InvalidVolumeType):
            act()
    with pytest.raises(errors.VolumeTypeNotFound):
        types.projects_with_access(ctx, gold)


def test_access_is_given_and_taken(idle: Application) -> None:
    types, ctx = idle.services.volume_types, idle.ctx(admin=True)
    made = types.create(ctx, name="s", description="d", is_public=False, extra_specs={})
    types.add_access(ctx, made, "friend")
    with pytest.raises(errors.TypeAccessExists):
        types.add_access(ctx, made, "friend")
    assert set(types.projects_with_access(ctx, made)) == {PROJECT, "friend"}
    types.remove_access(ctx, made, "friend")
    with pytest.raises(errors.TypeAccessNotFound):
        types.remove_access(ctx, made, "friend")
    stranger = idle.ctx(OTHER_PROJECT)
    with pytest.raises(errors.VolumeTypeNotFound):
        types.get(stranger, made.id)
    names = {found.name for found in types.list(stranger, ListQuery()).items}
    assert names == {"__DEFAULT__"}


# ---- quotas, backends ------------------------------------------------------------------------


def test_limits_are_shown_set_and_refused(idle: Application) -> None:
    quotas, ctx = idle.services.quotas, idle.ctx()
    volume(idle)
    shown = quotas.show(ctx, PROJECT)
    assert (shown["volumes"].limit, shown["volumes"].in_use) == (10, 1)
    assert shown["volumes___DEFAULT__"].limit == -1
    with pytest.raises(errors.InvalidInput, match="nonsense"):
        quotas.update(ctx, PROJECT, {"nonsense": 1})
    with pytest.raises(errors.InvalidInput, match="1 are in use"):
        quotas.update(ctx, PROJECT, {"volumes": 0})
    assert quotas.update(ctx, PROJECT, {"volumes": 1})["volumes"] == 1
    assert quotas.defaults(ctx)["volumes"] == 10
    quotas.reset(ctx, PROJECT)
    assert quotas.show(ctx, PROJECT)["volumes"].limit == 10


def test_a_disabled_backend_gets_nothing_new(idle: Application) -> None:
    backends, ctx = idle.services.backends, idle.ctx(admin=True)
    fields: dict[str, Any] = {"host": "here@one", "binary": "cinder-volume"}
    assert [pool.name for pool in backends.pools(ctx)] == ["here@one#one"]
    assert backends.pools(ctx, filters={"name": "x"}) == []
    assert len(backends.pools(ctx, filters={"volume_backend_name": "one"})) == 1
    assert backends.availability_zones(ctx) == {"nova": True}
    assert backends.set_disabled(ctx, disabled=True, reason="tired", **fields).disabled
    assert backends.pools(ctx) == []
    assert backends.availability_zones(ctx) == {"nova": False}
    assert [s.service.host for s in backends.services(ctx, host="here")] == ["here@one"]
    assert backends.services(ctx, host="there") == []
    assert not backends.set_disabled(ctx, disabled=False, **fields).disabled
    with pytest.raises(errors.NotFound):
        backends.capabilities(ctx, "there@one")


def test_pools_show_what_was_placed_since_the_report(idle: Application) -> None:
    volume(idle)
    (pool,) = idle.services.backends.pools(idle.ctx(admin=True))
    assert pool.capabilities["allocated_capacity_gb"] == 1
    assert pool.capabilities["free_capacity_gb"] == 999
    assert pool.capabilities["provisioned_capacity_gb"] == 1


def test_messages_and_operations_are_the_projects(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "create_volume"}})
    services, ctx = application.services, application.ctx()
    services.volumes.create(ctx, VolumeRequest(size=1))
    application.settle()
    (message,) = services.messages.list(ctx, ListQuery()).items
    (operation,) = services.operations.list(ctx, ListQuery()).items
    other = application.ctx(OTHER_PROJECT)
    assert services.messages.list(other, ListQuery()).items == []
    assert services.operations.list(other, ListQuery()).items == []
    with pytest.raises(errors.MessageNotFound):
        services.messages.get(other, message.id)
    with pytest.raises(errors.OperationNotFound):
        services.operations.get(other, operation.id)
    assert services.operations.get(ctx, operation.id).state == "failed"
    assert services.messages.get(ctx, message.id).cause
    services.messages.delete(ctx, message)
    with pytest.raises(errors.MessageNotFound):
        services.messages.delete(ctx, message)
