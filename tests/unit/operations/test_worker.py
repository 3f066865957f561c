"""Workers: claims, locks, leases, fencing and hand-over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.application import eventually
from tests.stored import PROJECT, new_database
from tests.toys import (
    HOST,
    QUEUE,
    THREE,
    TOYS,
    Final,
    Gate,
    ToyRun,
    World,
    ask,
    definitions,
    ended,
    look,
    step,
    toy,
    working,
)

from breezeblock.operations import journal
from breezeblock.operations.errors import LeaseLost
from breezeblock.operations.record import Operation
from breezeblock.operations.run import Run
from breezeblock.operations.runner import Runner
from breezeblock.operations.states import DONE, FAILED, QUEUED, RUNNING, UNDOING
from breezeblock.operations.wakeup import Hints
from breezeblock.operations.worker import Pace, Worker
from breezeblock.store import quotas
from breezeblock.store.database import Database
from breezeblock.store.tables import operations

SHORT = Pace(lease_seconds=0.5, longest_poll=0.05)
SLEEPY = Pace(longest_poll=30)


def claim(database: Database, owner: str = "w", limit: int = 10) -> list[Operation]:
    return database.transact(lambda tx: journal.claim(tx, TOYS, owner, 30, limit))


@contextmanager
def second(database: Database) -> Iterator[Database]:
    """The same file as another process opens it."""
    other = Database(database.url.render_as_string(), synchronous=False)
    yield other
    other.dispose()


# ---- claims and locks ------------------------------------------------------------------------


def test_an_operation_is_claimed_once(database: Database) -> None:
    ids = [ask(database) for _ in range(3)]
    assert [op.id for op in claim(database, "one", limit=2)] == ids[:2]
    assert [op.id for op in claim(database, "two")] == ids[2:]
    assert claim(database, "three") == []
    found = look(database, ids[0])
    assert (found.state, found.owner, found.epoch) == (RUNNING, "one", 1)


def test_only_served_queues_and_due_operations_are_claimed(database: Database) -> None:
    ask(database, queue="elsewhere@x")
    later = ask(database)
    (operation,) = claim(database)
    database.transact(lambda tx: journal.release(tx, operation, state=QUEUED, pause=60))
    assert claim(database) == []
    assert look(database, later).owner is None
    assert (
        database.transact(
            lambda tx: journal.claim(tx, journal.Competence([], ["toy"]), "w", 30, 10)
        )
        == []
    )


def finish(database: Database, operation: Operation) -> None:
    database.transact(lambda tx: journal.end(tx, operation, error=None))


@pytest.mark.parametrize(
    ("first", "then", "waits"),
    [
        ("exclusive", "exclusive", True),
        ("exclusive", "shared", True),
        ("shared", "exclusive", True),
        ("shared", "shared", False),
    ],
)
def test_who_shares_a_key_waits_for_who_came_first(
    database: Database, first: str, then: str, waits: bool
) -> None:
    earlier = ask(database, **{first: ("k", "other")})  # type: ignore[arg-type]
    later = ask(database, **{then: ("k",)})  # type: ignore[arg-type]
    claimed = claim(database)
    assert [op.id for op in claimed] == ([earlier] if waits else [earlier, later])
    if waits:
        finish(database, claimed[0])
        assert [op.id for op in claim(database)] == [later]


def test_a_waiting_writer_is_not_overtaken_by_readers(database: Database) -> None:
    reading = ask(database, shared=("k",))
    writing = ask(database, exclusive=("k",))
    reading_later = ask(database, shared=("k",))
    order = []
    while found := claim(database):
        order.append([op.id for op in found])
        for operation in found:
            finish(database, operation)
    assert order == [[reading], [writing], [reading_later]]


@given(
    wanted=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.booleans(), max_size=3), min_size=1, max_size=8
    ),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_locks_never_block_each_other_for_ever(
    shared: Database, wanted: list[dict[str, bool]], data: st.DataObject
) -> None:
    """Whatever the keys: holders never conflict, the order is kept, and all get through."""
    keys = {}
    shared.transact(lambda tx: tx.execute(operations.delete()))
    for locks in wanted:
        operation_id = ask(
            shared,
            exclusive=tuple(k for k, exclusive in locks.items() if exclusive),
            shared=tuple(k for k, exclusive in locks.items() if not exclusive),
        )
        keys[operation_id] = locks
    held: list[Operation] = []
    last: dict[str, int] = {}
    while True:
        held += claim(shared, limit=data.draw(st.integers(1, 4)))
        if not held:
            break
        for key in "abc":
            holders = [op for op in held if key in keys[op.id]]
            assert len(holders) < 2 or not any(keys[op.id][key] for op in holders)
        ending = held.pop(data.draw(st.integers(0, len(held) - 1)))
        for key, exclusive in keys[ending.id].items():
            if exclusive:
                assert last.get(key, 0) < ending.seq
                last[key] = ending.seq
        finish(shared, ending)
    assert all(look(shared, operation_id).state == DONE for operation_id in keys)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = new_database(tmp_path_factory.mktemp("locks") / "store.db")
    yield made
    made.dispose()


def test_two_workers_never_run_the_same_operation(database: Database) -> None:
    """Two workers, two database objects, one file: every step of every operation once."""
    one, two = World(), World()
    with second(database) as other:
        ids = [ask(database, exclusive=(f"k{n % 5}",)) for n in range(40)]
        with working(database, one), working(other, two, host="there"):
            for operation_id in ids:
                assert ended(database, operation_id).state == DONE
    assert len(one.calls) + len(two.calls) == 40 * 4
    assert all(look(database, operation_id).epoch == 1 for operation_id in ids)


# ---- wake-ups --------------------------------------------------------------------------------


def test_a_hint_starts_work_at_once(database: Database) -> None:
    hints = Hints()
    with working(database, World(), hints=hints, pace=SLEEPY):
        # A worker that found nothing sleeps longer and longer: let it begin to.
        ended_first = ask(database)
        hints.work.notify()
        ended(database, ended_first)
        second_one = ask(database)
        hints.work.notify()
        assert ended(database, second_one).state == DONE


def test_work_is_found_without_any_hint(database: Database) -> None:
    with working(database, World(), pace=Pace(longest_poll=0.2)):
        assert ended(database, ask(database)).state == DONE


def test_threads_bound_what_runs_at_once(database: Database) -> None:
    gates = [Gate() for _ in range(3)]
    world = World(hooks={"a": lambda run: gates[run.payload["n"]](run)})
    pace = Pace(threads=2, longest_poll=0.05)
    with working(database, world, pace=pace) as worker:
        ids = [ask(database, payload={"n": n}) for n in range(3)]
        assert gates[0].entered.wait(20)
        assert gates[1].entered.wait(20)
        assert {op.id for op in worker.running} == set(ids[:2])
        assert look(database, ids[2]).owner is None
        gates[0].opened.set()
        assert gates[2].entered.wait(20)
        gates[1].opened.set()
        gates[2].opened.set()
        for operation_id in ids:
            ended(database, operation_id)


# ---- leases and fencing ----------------------------------------------------------------------


def test_a_long_step_keeps_its_lease(database: Database) -> None:
    gate = Gate()
    world = World(hooks={"b": gate})
    with working(database, world, pace=SHORT):
        operation_id = ask(database)
        assert gate.entered.wait(20)
        first = look(database, operation_id).lease_until
        eventually(lambda: look(database, operation_id).lease_until > first + 0.5)
        with second(database) as other:
            assert claim(other, "thief") == []
        gate.opened.set()
        assert ended(database, operation_id).epoch == 1


def test_what_broke_off_is_taken_up_although_its_worker_is_busy(database: Database) -> None:
    gate = Gate()
    world = World(hooks={"a": gate})
    broken: list[str] = []

    @contextmanager
    def breaking_once(run: ToyRun) -> Iterator[None]:
        """What is around a run fails: not even its failure can be journaled."""
        if run.operation.resource_id == "fragile" and not broken:
            broken.append(run.operation.id)
            raise RuntimeError("out of order")
        yield

    with working(database, world, pace=SHORT, surroundings=breaking_once):
        ask(database)
        assert gate.entered.wait(20)
        fragile = ask(database, resource_id="fragile")
        eventually(lambda: look(database, fragile).epoch >= 2, "another try")
        gate.opened.set()
        assert ended(database, fragile).state == DONE


def test_a_kind_of_another_version_is_left_to_its_workers(database: Database) -> None:
    with working(database, World(), pace=SHORT):
        strange = ask(database, kind="unknown")
        ended(database, ask(database))
        assert (look(database, strange).state, look(database, strange).epoch) == (QUEUED, 0)


def run_of(database: Database, operation: Operation, world: World, lease: float = 30) -> ToyRun:
    return Run(
        operation,
        world,
        database,
        lease_deadline=time.monotonic() + lease,
        stopping=threading.Event(),
    )


def test_a_paused_worker_writes_nothing_after_its_lease(database: Database) -> None:
    """It sleeps inside a step; another worker does the whole operation; then it wakes up."""
    operation_id = ask(database)
    (operation,) = claim(database, "sleeper")
    gate = Gate()
    sleeper, other_world = World(hooks={"b": gate}), World()
    lost: list[BaseException] = []
    recorded: list[Any] = []

    def carry_on() -> None:
        try:
            Runner(THREE, run_of(database, operation, sleeper)).carry_on()
        except LeaseLost as error:
            lost.append(error)

    thread = threading.Thread(target=carry_on)
    thread.start()
    assert gate.entered.wait(20)
    database.transact(lambda tx: journal.release_all_of(tx, ["sleeper"]))  # Its lease is over.
    with second(database) as other:
        with working(other, other_world, host="there"):
            done = ended(database, operation_id)
        recorded.append(look(database, operation_id))
        gate.opened.set()
        thread.join(20)
    assert [str(error) for error in lost] == [operation_id]
    # What was journaled before the pause is not done again, and nothing came after.
    assert sleeper.calls == ["a", "b"]
    assert other_world.calls == ["b", "c", "finish"]
    assert (done.state, done.epoch) == (DONE, 2)
    assert look(database, operation_id) == recorded[0]


def test_a_worker_notices_that_it_lost_its_lease(database: Database) -> None:
    """Two real workers: the first one's process is stopped for longer than its lease."""
    gate = Gate()
    first, other_world = World(hooks={"b": gate}), World()
    with second(database) as other, working(database, first, pace=SHORT) as worker:
        operation_id = ask(database)
        assert gate.entered.wait(20)
        # What a stopped process does not do: renew.
        database.transact(lambda tx: journal.release_all_of(tx, [worker.owner]))
        taken = eventually(
            lambda: other.transact(lambda tx: journal.claim(tx, TOYS, "thief", 30, 1)), "a claim"
        )
        gate.opened.set()
        eventually(lambda: not worker.running, "the first worker's end")
        assert first.calls == ["a", "b"]
        Runner(THREE, run_of(other, taken[0], other_world)).carry_on()
    assert other_world.calls == ["b", "c", "finish"]
    assert look(database, operation_id).state == DONE


def test_everything_a_step_writes_is_fenced(database: Database) -> None:
    ask(database)
    (operation,) = claim(database, "old")
    run = run_of(database, operation, World())
    database.transact(lambda tx: journal.release_all_of(tx, ["old"]))
    claim(database, "new")
    writes: list[Any] = [
        lambda: run.transact(lambda tx: quotas.lock(tx, PROJECT)),
        lambda: run.report(1, 2),
        lambda: database.transact(lambda tx: journal.write(tx, operation, step="x")),
        lambda: database.transact(lambda tx: journal.end(tx, operation, error=None)),
        lambda: database.transact(lambda tx: journal.release(tx, operation, state=QUEUED)),
    ]
    before = look(database, operation.id)
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert look(database, operation.id) == before
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM quota_projects").scalar() == 0


def test_a_checkpoint_refuses_after_the_lease(database: Database) -> None:
    ask(database)
    (operation,) = claim(database)
    run = run_of(database, operation, World(), lease=-1)
    with pytest.raises(LeaseLost):
        run.checkpoint()
    run.renewed(time.monotonic() + 30)
    run.checkpoint()
    run.lose()
    with pytest.raises(LeaseLost):
        run.checkpoint()


def test_a_lease_is_renewed_by_its_owner_only(database: Database) -> None:
    ids = [ask(database) for _ in range(2)]
    claim(database, "one", limit=1)
    claim(database, "two", limit=1)
    held = database.transact(lambda tx: journal.renew(tx, "one", 60, ids))
    assert held == {ids[0]: 1}


# ---- stopping --------------------------------------------------------------------------------


def test_a_stop_hands_over_at_the_next_checkpoint(database: Database) -> None:
    gate = Gate()
    first, then = World(hooks={"b": gate}), World()
    hints = Hints()
    with working(database, first, hints=hints) as worker:
        operation_id = ask(database)
        assert gate.entered.wait(20)
        stopped: list[bool] = []
        seen = hints.work.count
        thread = threading.Thread(target=lambda: stopped.append(worker.stop(20)))
        thread.start()
        eventually(lambda: hints.work.count != seen, "the stop")
        gate.opened.set()
        thread.join(20)
    assert stopped == [True]
    found = look(database, operation_id)
    assert (found.state, found.owner, found.step) == (QUEUED, None, "b")
    with working(database, then):
        assert ended(database, operation_id).state == DONE
    assert (first.calls, then.calls) == (["a", "b"], ["c", "finish"])


def test_a_stop_within_a_step_lets_the_step_begin_again(database: Database) -> None:
    entered = threading.Event()

    def copy(run: ToyRun) -> None:
        """A long copy that looks up between its pieces."""
        entered.set()
        while True:
            run.checkpoint()
            time.sleep(0.005)

    first, then = World(hooks={"b": copy}), World()
    with working(database, first) as worker:
        operation_id = ask(database)
        assert entered.wait(20)
        assert worker.stop(20)
    assert look(database, operation_id).state == QUEUED
    with working(database, then):
        assert ended(database, operation_id).state == DONE
    assert (first.calls, then.calls) == (["a", "b"], ["b", "c", "finish"])


def test_a_stop_within_an_undo_hands_the_undo_over(database: Database) -> None:
    entered = threading.Event()

    def remove(run: ToyRun) -> None:
        entered.set()
        while True:
            run.checkpoint()
            time.sleep(0.005)

    first, then = World(hooks={"undo b": remove}), World()
    first.fail("c", Final())
    with working(database, first) as worker:
        operation_id = ask(database)
        assert entered.wait(20)
        assert worker.stop(20)
    found = look(database, operation_id)
    assert (found.state, found.owner) == (UNDOING, None)
    with working(database, then):
        assert ended(database, operation_id).state == FAILED
    assert then.calls == ["undo b", "undo a", "fail final"]


def test_a_stop_that_takes_too_long_says_so(database: Database) -> None:
    gate = Gate()
    with working(database, World(hooks={"a": gate})) as worker:
        ask(database)
        assert gate.entered.wait(20)
        assert worker.stop(0.05) is False
        gate.opened.set()


# ---- queues and takeovers -------------------------------------------------------------------


def test_serving_other_queues_from_now_on(database: Database) -> None:
    first, then = World(), World()
    worker: Worker[World] = Worker(
        database, definitions(toy(step("a"))), host=HOST, hints=Hints(), pace=SHORT
    )
    worker.serve({QUEUE: first})
    worker.start()
    ended(database, ask(database))
    worker.serve({"here@others": then})
    ended(database, ask(database, queue="here@others"))
    waiting = ask(database)
    ended(database, ask(database, queue="here@others"))
    assert look(database, waiting).owner is None
    worker.stop(10)
    assert first.calls == ["a", "record a", "finish"]
    assert then.calls == ["a", "record a", "finish"] * 2


def test_a_worker_may_take_up_again_what_it_lost_itself(database: Database) -> None:
    """Its own renewal came too late: the old run writes nothing, the new one goes on."""
    gate = Gate()
    calls: list[int] = []

    def b(run: ToyRun) -> None:
        calls.append(run.operation.epoch)
        if run.operation.epoch == 1:
            gate(run)

    world = World(hooks={"b": b})
    with working(database, world) as worker:
        operation_id = ask(database)
        assert gate.entered.wait(20)
        database.transact(lambda tx: journal.release_all_of(tx, [worker.owner]))
        done = ended(database, operation_id)
        gate.opened.set()
        eventually(lambda: not worker.running, "the end of both runs")
    assert calls == [1, 2]
    assert (done.state, done.epoch) == (DONE, 2)
    assert world.calls == ["a", "b", "b", "c", "finish"]
