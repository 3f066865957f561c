"""Statuses are only changed along the tables: every event from every status, on real rows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.stored import attachment, snapshot, volume

from breezeblock.domain.attachment_states import ATTACHMENT
from breezeblock.domain.snapshot_states import SNAPSHOT
from breezeblock.domain.state_machine import StateMachine, Transition
from breezeblock.domain.volume_states import VOLUME
from breezeblock.store import attachments, snapshots, volumes
from breezeblock.store.database import Database, Transaction
from breezeblock.store.tables import volumes as table

PARENT = volume()


class Kind:
    """One resource: how a row of it is made, changed and looked at."""

    def __init__(self, machine: StateMachine, room: Any, column: str) -> None:
        self.machine = machine
        self.room = room
        self.column = column

    def insert(self, tx: Transaction, status: str) -> str:
        record: Any
        if self.room is volumes:
            record = volume(status=status)
        elif self.room is snapshots:
            record = snapshot(PARENT.id, status=status)
        else:
            record = attachment(PARENT.id, attach_status=status)
        self.room.insert(tx, record)
        return str(record.id)

    def status(self, tx: Transaction, row_id: str) -> str:
        record = self.room.find(tx.connection, row_id)
        return StateMachine.GONE if record is None else str(getattr(record, self.column))


KINDS = (
    Kind(VOLUME, volumes, "status"),
    Kind(SNAPSHOT, snapshots, "status"),
    Kind(ATTACHMENT, attachments, "attach_status"),
)
ALL = [
    pytest.param(kind, transition, id=f"{kind.machine.name}-{transition.event}")
    for kind in KINDS
    for transition in kind.machine.transitions.values()
]


@pytest.mark.parametrize(("kind", "transition"), ALL)
def test_an_event_moves_rows_from_its_sources_only(
    database: Database, kind: Kind, transition: Transition
) -> None:
    def work(tx: Transaction) -> None:
        volumes.insert(tx, PARENT)
        for status in kind.machine.states:
            for target in transition.targets:
                row = kind.insert(tx, status)
                moved = kind.room.transition(tx, row, transition.event, to=target)
                assert moved is (status in transition.sources)
                assert kind.status(tx, row) == (target if moved else status)

    database.transact(work)


def test_fields_are_written_with_the_status_or_not_at_all(database: Database) -> None:
    one = volume(status="creating")
    database.transact(lambda tx: volumes.insert(tx, one))

    def try_(event: str) -> bool:
        return database.transact(
            lambda tx: volumes.transition(tx, one.id, event, to=None, service_uuid="s")
        )

    assert not try_("extend")
    with database.read() as connection:
        assert volumes.get(connection, one.id).service_uuid is None
    assert try_("created")
    with database.read() as connection:
        found = volumes.get(connection, one.id)
    assert (found.status, found.service_uuid) == ("available", "s")
    assert found.updated_at is not None


def test_a_condition_that_does_not_hold_stops_the_transition(database: Database) -> None:
    one = volume(size=3)

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one)
        assert not volumes.transition(tx, one.id, "delete", table.c.size == 2)
        assert volumes.transition(tx, one.id, "delete", table.c.size == 3)
        assert not volumes.transition(tx, "nowhere", "delete")

    database.transact(work)


def test_of_two_who_want_the_same_transition_one_gets_it(database: Database) -> None:
    one = volume()
    database.transact(lambda tx: volumes.insert(tx, one))
    won = [database.transact(lambda tx: volumes.transition(tx, one.id, "delete")) for _ in range(2)]
    assert won == [True, False]


@pytest.mark.parametrize(
    ("held", "before", "after"),
    [
        ([], "in-use", ("available", "detached")),
        (["attached"], "detaching", ("in-use", "attached")),
        (["reserved"], "in-use", ("reserved", "reserved")),
        # Something else is at work: its end will look at the attachments.
        ([], "extending", ("extending", "detached")),
    ],
)
def test_a_volume_follows_its_attachments(
    database: Database, held: list[str], before: str, after: tuple[str, str]
) -> None:
    one = volume(status=before, attach_status="attached")

    def work(tx: Transaction) -> None:
        volumes.insert(tx, one)
        for status in held:
            attachments.insert(tx, attachment(one.id, attach_status=status))
        assert volumes.follow_attachments(tx, one.id) == after[1]
        found = volumes.get(tx.connection, one.id)
        assert (found.status, found.attach_status) == after

    database.transact(work)
