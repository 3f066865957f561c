"""The journal as others read it, waiting for ends, progress, and what is forgotten."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.toys import QUEUE, TOYS, Gate, ToyRun, World, ask, ended, look, working

from breezeblock.domain.errors import OperationNotFound, OperationTimeout
from breezeblock.domain.listing import ListQuery
from breezeblock.operations import journal
from breezeblock.operations.record import Operation
from breezeblock.operations.run import Run
from breezeblock.operations.states import DONE, RUNNING
from breezeblock.operations.waiting import wait_for_end
from breezeblock.operations.wakeup import Hints, Wakeup
from breezeblock.store.clock import now
from breezeblock.store.database import Database, Transaction
from breezeblock.store.tables import operation_locks, operations

GIB = 1024**3


def claimed(database: Database) -> Operation:
    (operation,) = database.transact(lambda tx: journal.claim(tx, TOYS, "w", 30, 1))
    return operation


def test_an_operation_is_its_projects(database: Database) -> None:
    operation_id = ask(database)
    with database.read() as connection:
        assert journal.get(connection, operation_id, "p1").id == operation_id
        with pytest.raises(OperationNotFound):
            journal.get(connection, operation_id, "p2")
        assert journal.list_page(connection, ListQuery(), "p1").items
        assert not journal.list_page(connection, ListQuery(), "p2").items


def test_what_is_unfinished_on_a_resource(database: Database) -> None:
    ask(database, resource_id="x")
    with database.read() as connection:
        assert journal.unfinished_kind(connection, "x") == "toy"
        assert journal.unfinished_kind(connection, "y") is None
        assert journal.unfinished_resources(connection, QUEUE) == {("thing", "x")}
        assert journal.owners(connection, [QUEUE]) == set()
    operation = claimed(database)
    with database.read() as connection:
        assert journal.owners(connection, [QUEUE]) == {"w"}
        assert journal.owners(connection, ["elsewhere"]) == set()
    database.transact(lambda tx: journal.end(tx, operation, error=None))
    with database.read() as connection:
        assert journal.unfinished_kind(connection, "x") is None
        assert journal.unfinished_resources(connection, QUEUE) == set()


def test_an_end_lets_go_of_the_locks(database: Database) -> None:
    ask(database, exclusive=("a", "b"), shared=("c",))
    with database.read() as connection:
        rows = connection.execute(sa.select(operation_locks.c.key, operation_locks.c.exclusive))
        assert {tuple(row) for row in rows} == {("a", True), ("b", True), ("c", False)}
    operation = claimed(database)
    database.transact(lambda tx: journal.end(tx, operation, error="x"))
    with database.read() as connection:
        assert connection.execute(sa.select(operation_locks)).all() == []


def test_a_key_wanted_both_ways_is_exclusive(database: Database) -> None:
    ask(database, exclusive=("a",), shared=("a",))
    with database.read() as connection:
        assert connection.execute(sa.select(operation_locks.c.exclusive)).scalars().all() == [True]


def test_old_ends_are_pruned_and_nothing_else(database: Database) -> None:
    ids = [ask(database, exclusive=("k",), resource_id=str(n)) for n in range(4)]
    for error in (None, "failed", None):
        operation = claimed(database)
        database.transact(
            lambda tx, op=operation, error=error: journal.end(tx, op, error=error)  # type: ignore[misc]
        )

    def age(tx: Transaction) -> None:
        long_ago = now() - timedelta(hours=2)
        tx.execute(
            operations.update().where(operations.c.id.in_([ids[0], ids[1]])),
            {"finished_at": long_ago},
        )
        tx.execute(operations.update(), {"created_at": long_ago})

    database.transact(age)
    assert database.transact(lambda tx: journal.prune(tx, 3600)) == 2
    with database.read() as connection:
        left = connection.execute(sa.select(operations.c.id).order_by(operations.c.seq))
        assert left.scalars().all() == ids[2:]


def test_numbers_are_never_given_twice(database: Database) -> None:
    """Locks go by them, so a new operation must not look older than one that is gone."""
    ask(database)
    first = claimed(database)
    database.transact(lambda tx: journal.end(tx, first, error=None))
    database.transact(lambda tx: tx.execute(operations.delete()))
    assert look(database, ask(database)).seq > first.seq


def test_results_of_ended_operations_can_be_forgotten(database: Database) -> None:
    with working(database, World()):
        done = ended(database, ask(database))
    assert done.results
    database.transact(lambda tx: journal.forget_results(tx, done.id))
    assert look(database, done.id).results == {}
    running = ask(database)
    operation = claimed(database)
    database.transact(lambda tx: journal.write(tx, operation, results={"steps": {}}))
    database.transact(lambda tx: journal.forget_results(tx, running))
    assert look(database, running).results == {"steps": {}}


# ---- progress --------------------------------------------------------------------------------


def test_progress_can_be_seen_while_a_step_runs(database: Database) -> None:
    gate = Gate()

    def copy(run: ToyRun) -> None:
        run.report(GIB, 4 * GIB)
        gate(run)

    with working(database, World(hooks={"b": copy})):
        operation_id = ask(database)
        assert gate.entered.wait(20)
        found = look(database, operation_id)
        assert (found.state, found.step) == (RUNNING, "a")
        assert (found.progress, found.bytes_done, found.bytes_total) == (25, GIB, 4 * GIB)
        gate.opened.set()
        assert ended(database, operation_id).progress == 100


def test_progress_is_thinned_out_and_never_100_before_the_end(database: Database) -> None:
    ask(database)
    operation = claimed(database)

    def run() -> ToyRun:
        return Run(operation, World(), database, lease_deadline=1e9, stopping=threading.Event())

    one = run()
    one.report(5, 10)
    one.report(9, 10)
    assert look(database, operation.id).progress == 50
    run().report(10, 10)
    assert look(database, operation.id).progress == 99
    run().report(0, 0)
    assert look(database, operation.id).progress == 0


# ---- waiting ---------------------------------------------------------------------------------


def test_waiting_ends_with_the_operation(database: Database) -> None:
    hints = Hints()
    with working(database, World(), hints=hints):
        operation_id = ask(database)
        assert wait_for_end(database, hints, operation_id, 20).state == DONE


def test_waiting_without_hints_ends_too(database: Database) -> None:
    with working(database, World()):
        assert wait_for_end(database, Hints(), ask(database), 20).state == DONE


def test_waiting_gives_up_and_the_operation_goes_on(database: Database) -> None:
    operation_id = ask(database)
    started = time.monotonic()
    with pytest.raises(OperationTimeout, match=operation_id):
        wait_for_end(database, Hints(), operation_id, 0.1)
    assert 0.1 <= time.monotonic() - started < 5
    with working(database, World()):
        assert ended(database, operation_id).state == DONE


def test_waiting_for_nothing_known(database: Database) -> None:
    with pytest.raises(OperationNotFound):
        wait_for_end(database, Hints(), "nowhere", 1)


def test_a_hint_between_look_and_wait_is_not_missed() -> None:
    wakeup = Wakeup()
    seen = wakeup.count
    wakeup.notify()
    started = time.monotonic()
    wakeup.wait(seen, 20)
    assert time.monotonic() - started < 10
