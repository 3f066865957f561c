"""Rows of every resource: written and read back, scoped, changed, removed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stored import PROJECT, at, attachment, new_database, snapshot, volume, volume_type

from breezeblock.domain import errors
from breezeblock.domain.listing import ListQuery
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.store import (
    attachments,
    events,
    messages,
    services,
    snapshots,
    volume_types,
    volumes,
)
from breezeblock.store.clock import now
from breezeblock.store.database import Database, Transaction
from breezeblock.store.tables import events as event_table
from breezeblock.store.tables import messages as message_table


def test_a_volume_comes_back_as_it_went(database: Database) -> None:
    kind = volume_type("gold")
    one = volume(
        size=7,
        display_name="ä ☃",
        display_description="",
        volume_type_id=kind.id,
        volume_type_name="gold",
        provider_location="127.0.0.1:3260,1 iqn.x 1",
        provider_auth="CHAP a b",
        multiattach=True,
        shared_targets=False,
        launched_at=at(5),
        updated_at=at(6),
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901),
        metadata={"k": "v", "ü": ""},
        admin_metadata={"readonly": "True"},
        image_metadata={"os": "linux"},
    )

    def work(tx: Transaction) -> None:
        volume_types.insert(tx, kind)
        volumes.insert(tx, one)

    database.transact(work)
    with database.read() as connection:
        assert volumes.get(connection, one.id) == one
        assert volumes.find(connection, one.id) == one
        assert volumes.find(connection, "nowhere") is None
        assert volumes.hosts_of(connection, [one.id, "nowhere"]) == {one.id: one.host}
        assert volumes.with_exports(connection, "here@one") == [one]
        assert volumes.with_exports(connection, "here@on") == []
    assert "CHAP" not in repr(one)


def test_another_projects_rows_do_not_exist(database: Database) -> None:
    one = volume()
    taken, held = snapshot(one.id), attachment(one.id)

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one)
        snapshots.insert(tx, taken)
        attachments.insert(tx, held)

    database.transact(work)
    with database.read() as connection:
        assert volumes.get(connection, one.id, PROJECT).id == one.id
        assert snapshots.get(connection, taken.id, PROJECT) == taken
        assert attachments.get(connection, held.id, PROJECT) == held
        with pytest.raises(errors.VolumeNotFound):
            volumes.get(connection, one.id, "p2")
        with pytest.raises(errors.SnapshotNotFound):
            snapshots.get(connection, taken.id, "p2")
        with pytest.raises(errors.AttachmentNotFound):
            attachments.get(connection, held.id, "p2")
        assert not volumes.list_page(connection, ListQuery(), "p2", admin=False).items
        assert not snapshots.list_page(connection, ListQuery(), "p2").items
        assert not attachments.list_page(connection, ListQuery(), "p2").items


def test_what_belongs_to_a_volume_goes_with_it(database: Database) -> None:
    one = volume(status="deleting", metadata={"k": "v"}, image_metadata={"a": "b"})

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one)
        attachments.insert(tx, attachment(one.id))
        assert volumes.transition(tx, one.id, "deleted")
        for table in ("volume_metadata", "volume_image_metadata", "attachments"):
            count = tx.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar()  # noqa: S608
            assert count == 0, table

    database.transact(work)


def test_a_volume_with_snapshots_cannot_leave_its_row(database: Database) -> None:
    one = volume(status="deleting")

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one)
        snapshots.insert(tx, snapshot(one.id))
        volumes.transition(tx, one.id, "deleted")

    with pytest.raises(sa.exc.IntegrityError):
        database.transact(work)
    with database.read() as connection:
        assert volumes.find(connection, one.id) is None


KEYS = st.text(min_size=1, max_size=5)
METADATA = st.dictionaries(KEYS, st.text(max_size=5), max_size=4)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = new_database(tmp_path_factory.mktemp("rows") / "store.db")
    yield made
    made.dispose()


@given(first=METADATA, merged=METADATA, replaced=METADATA)
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("room", [volumes, snapshots])
def test_metadata(
    shared: Database,
    room: Any,
    first: dict[str, str],
    merged: dict[str, str],
    replaced: dict[str, str],
) -> None:
    parent = volume(id=str(uuid.uuid4()))
    one = replace(parent, metadata=first) if room is volumes else None
    taken = snapshot(parent.id, metadata=first)
    row_id = parent.id if room is volumes else taken.id

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one or parent)
        if room is snapshots:
            snapshots.insert(tx, taken)
        assert room.get(tx.connection, row_id).metadata == first
        room.METADATA.merge(tx, row_id, merged)
        assert room.get(tx.connection, row_id).metadata == first | merged
        room.METADATA.replace(tx, row_id, replaced)
        assert room.get(tx.connection, row_id).metadata == replaced
        for key in replaced:
            assert room.METADATA.delete(tx, row_id, key)
            assert not room.METADATA.delete(tx, row_id, key)
        assert room.get(tx.connection, row_id).metadata == {}

    shared.transact(work)


def test_the_summary_adds_up(database: Database) -> None:
    mine = [
        volume(size=1, metadata={"k": "b"}),
        volume(size=2, metadata={"k": "a", "l": "x"}),
        volume(size=4, metadata={"k": "a"}, status="error"),
    ]
    other = volume(size=8, metadata={"k": "z"}, project_id="p2")
    hidden = volume(size=16, migration_status="target:x")

    def work(tx: Transaction) -> None:
        for record in (*mine, other, hidden):
            volumes.insert(tx, record)

    database.transact(work)
    with database.read() as connection:
        assert volumes.summary(connection, ListQuery(), PROJECT, admin=False) == (
            3,
            7,
            {"k": ["a", "b"], "l": ["x"]},
        )
        only = ListQuery(filters={"status": "error"})
        assert volumes.summary(connection, only, PROJECT, admin=False) == (1, 4, {"k": ["a"]})
        assert volumes.summary(connection, ListQuery(), None, admin=True)[:2] == (5, 31)
        assert volumes.summary(connection, ListQuery(), "nobody", admin=False) == (0, 0, {})


def test_exports_to_be_restored_are_those_of_the_backends_volumes(database: Database) -> None:
    held = volume(attach_status="attached", provider_location="127.0.0.1:3260,1 iqn 1")
    elsewhere = replace(held, id=str(uuid.uuid4()), host="here@one2#x")

    def work(tx: Transaction) -> None:
        for record in (held, volume(), elsewhere):
            volumes.insert(tx, record)

    database.transact(work)
    with database.read() as connection:
        assert [v.id for v in volumes.with_exports(connection, "here@one")] == [held.id]


def test_snapshots_of_a_volume_come_newest_first(database: Database) -> None:
    one = volume()
    taken = [snapshot(one.id, created_at=at(second)) for second in (2, 3, 1)]

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one)
        for record in taken:
            snapshots.insert(tx, record)

    database.transact(work)
    with database.read() as connection:
        found = snapshots.of_volume(connection, one.id)
        zone = ListQuery(filters={"availability_zone": "nova"})
        assert len(snapshots.list_page(connection, zone, PROJECT).items) == 3
        zone = ListQuery(filters={"availability_zone": "mars"})
        assert not snapshots.list_page(connection, zone, PROJECT).items
    assert [record.created_at for record in found] == [at(3), at(2), at(1)]


def test_attachments_of_many_volumes(database: Database) -> None:
    many = [volume() for _ in range(501)]
    held = [attachment(record.id) for record in many]

    def work(tx: Transaction) -> None:
        for record, hold in zip(many, held, strict=True):
            volumes.insert(tx, record)
            attachments.insert(tx, hold)

    database.transact(work)
    with database.read() as connection:
        found = attachments.of_volumes(connection, [record.id for record in many])
    assert {key: [a.id for a in value] for key, value in found.items()} == {
        hold.volume_id: [hold.id] for hold in held
    }


# ---- types -----------------------------------------------------------------------------------


def test_types_their_specs_and_who_may_see_them(database: Database) -> None:
    public = volume_type("open", extra_specs={"a": "1", "b": None})
    private = volume_type("secret", is_public=False, created_at=at(1))

    def work(tx: Transaction) -> None:
        volume_types.insert(tx, public)
        volume_types.insert(tx, private)
        volume_types.grant(tx, private.id, "friend")

    database.transact(work)

    def seen(project: str | None, **filters: Any) -> set[str]:
        with database.read() as connection:
            page = volume_types.list_page(connection, ListQuery(filters=filters), project)
        return {record.name for record in page.items}

    assert seen(None) == {"__DEFAULT__", "open", "secret"}
    assert seen("friend") == {"__DEFAULT__", "open", "secret"}
    assert seen("stranger") == {"__DEFAULT__", "open"}
    assert seen(None, is_public=False) == {"secret"}
    assert seen(None, is_public=None) == {"__DEFAULT__", "open", "secret"}
    assert seen(None, extra_specs={"a": "1"}) == {"open"}
    assert seen(None, extra_specs={"a": "2"}) == set()
    assert seen(None, extra_specs="a") == set()
    with database.read() as connection:
        assert volume_types.get(connection, public.id).extra_specs == {"a": "1", "b": None}
        assert volume_types.get_by_name(connection, "secret", "friend").id == private.id
        with pytest.raises(errors.VolumeTypeNotFound):
            volume_types.get(connection, private.id, "stranger")
        assert volume_types.count(connection) == 3
        assert volume_types.projects(connection, private.id) == ["friend"]


def test_types_change_and_go(database: Database) -> None:
    kind = volume_type("gold", extra_specs={"a": "1"})

    def work(tx: Transaction) -> None:
        volume_types.insert(tx, kind)
        volume_types.EXTRA_SPECS.merge(tx, kind.id, {"a": "2", "b": "3"})
        assert volume_types.get(tx.connection, kind.id).extra_specs == {"a": "2", "b": "3"}
        assert volume_types.EXTRA_SPECS.delete(tx, kind.id, "a")
        assert not volume_types.EXTRA_SPECS.delete(tx, kind.id, "a")
        assert volume_types.update(tx, kind.id, {"name": "silver"})
        assert volume_types.names(tx.connection)[kind.id] == "silver"
        assert not volume_types.revoke(tx, kind.id, "nobody")
        assert not volume_types.in_use(tx.connection, kind.id)
        volumes.insert(tx, volume(volume_type_id=kind.id))
        assert volume_types.in_use(tx.connection, kind.id)

    database.transact(work)
    with pytest.raises(sa.exc.IntegrityError):
        database.transact(lambda tx: volume_types.delete(tx, kind.id))


# ---- services, messages, events --------------------------------------------------------------


def test_a_service_keeps_what_the_operator_said(database: Database) -> None:
    def work(tx: Transaction) -> None:
        made = services.register(tx, "here@one", "cinder-volume", "nova")
        assert not made.disabled
        services.change(tx, "here@one", "cinder-volume", disabled=True, disabled_reason="tired")
        again = services.register(tx, "here@one", "cinder-volume", "mars")
        assert (again.uuid, again.disabled, again.disabled_reason) == (made.uuid, True, "tired")
        assert again.availability_zone == "mars"
        other = services.register(tx, "here@two", "cinder-volume", "nova", enabled=False)
        assert other.disabled
        assert services.capabilities(tx.connection, "here@one") == {}
        services.change(tx, "here@one", "cinder-volume", capabilities={"x": 1})
        assert services.capabilities(tx.connection, "here@one") == {"x": 1}
        assert [s.host for s in services.all_of(tx.connection)] == ["here@one", "here@two"]
        with pytest.raises(errors.ServiceNotFound):
            services.get(tx.connection, "here", "cinder-volume")
        with pytest.raises(errors.ServiceNotFound):
            services.change(tx, "here@one", "cinder-backup", disabled=True)
        with pytest.raises(errors.ServiceNotFound):
            services.capabilities(tx.connection, "nowhere")

    database.transact(work)


def test_a_heartbeat_is_of_those_it_names(database: Database) -> None:
    long_ago = at(0)

    def work(tx: Transaction) -> None:
        for host in ("here@one", "here@two"):
            services.register(tx, host, "cinder-volume", "nova")
            services.change(tx, host, "cinder-volume", heartbeat_at=long_ago)
        services.beat(tx, [("here@one", "cinder-volume")])
        one, two = services.all_of(tx.connection)
        assert one.heartbeat_at is not None
        assert one.heartbeat_at > long_ago
        assert two.heartbeat_at == long_ago

    database.transact(work)


def _message(tx: Transaction, project: str = PROJECT, cause: str | None = "because") -> None:
    messages.insert(
        tx,
        project_id=project,
        request_id="req-1",
        resource_type="VOLUME",
        resource_id="v",
        action=Action.CREATE,
        detail=Detail.DRIVER_CREATE,
        cause=cause,
    )


def test_messages_are_read_scoped_and_expire(database: Database) -> None:
    def work(tx: Transaction) -> None:
        _message(tx, cause="x" * 5000)
        _message(tx, project="p2")

    database.transact(work)
    with database.read() as connection:
        (one,) = messages.list_page(connection, ListQuery(), PROJECT).items
        assert (one.event_id, one.action_id, one.detail_id) == (
            "VOLUME_VOLUME_008_012",
            "008",
            "012",
        )
        assert len(one.cause or "") == 1024
        assert messages.get(connection, one.id, PROJECT) == one
        with pytest.raises(errors.MessageNotFound):
            messages.get(connection, one.id, "p2")

    def expire(tx: Transaction) -> int:
        past = now() - timedelta(seconds=1)
        tx.execute(message_table.update().where(message_table.c.id == one.id), {"expires_at": past})
        assert not messages.list_page(tx.connection, ListQuery(), PROJECT).items
        with pytest.raises(errors.MessageNotFound):
            messages.get(tx.connection, one.id)
        return messages.prune(tx)

    assert database.transact(expire) == 1
    with database.read() as connection:
        (other,) = messages.list_page(connection, ListQuery(), None).items
    assert database.transact(lambda tx: messages.delete(tx, other.id))
    assert not database.transact(lambda tx: messages.delete(tx, other.id))


def test_events_are_pruned_by_age(database: Database) -> None:
    def work(tx: Transaction) -> int:
        for age in (10, 1000):
            events.append(
                tx, project_id="p", resource_type="volume", resource_id=str(age), event="end"
            )
            time = now() - timedelta(seconds=age)
            tx.execute(
                event_table.update().where(event_table.c.resource_id == str(age)),
                {"created_at": time},
            )
        return events.prune(tx, 100)

    assert database.transact(work) == 1
    with database.read() as connection:
        assert connection.execute(sa.select(event_table.c.resource_id)).scalars().all() == ["10"]
