"""Steps, retries, undo and ends of one operation."""

from __future__ import annotations

import pytest
from tests.toys import (
    QUEUE,
    THREE,
    TOYS,
    Final,
    Gate,
    Passing,
    ToyRun,
    World,
    ask,
    ended,
    look,
    step,
    toy,
    working,
)

from breezeblock.operations import journal, runner
from breezeblock.operations.definition import Again, Definitions, RetryPolicy
from breezeblock.operations.errors import LeaseLost
from breezeblock.operations.failure import Failure
from breezeblock.operations.runner import Point, points
from breezeblock.operations.states import DONE, FAILED, UNDOING
from breezeblock.operations.worker import Pace
from breezeblock.store.database import Database


def test_steps_run_once_in_order_and_their_results_stay(database: Database) -> None:
    world = World()
    definition = toy(step("a"), step("b", undo=False))
    with working(database, world, definition):
        done = ended(database, ask(database))
    assert world.calls == ["a", "record a", "b", "record b", "finish"]
    assert (done.state, done.progress, done.error, done.owner) == (DONE, 100, None, None)
    assert done.results == {"steps": {"a": {"by": "a"}, "b": {"by": "b"}}}
    assert done.started_at is not None
    assert done.finished_at is not None


def test_later_steps_and_the_end_read_what_earlier_ones_returned(database: Database) -> None:
    seen: list[object] = []

    def keep(run: ToyRun) -> None:
        seen.append((run.result("a"), run.result("b"), run.payload["x"]))

    world = World(hooks={"a": lambda run: {"n": 1}, "b": keep, "finish": keep})
    with working(database, world):
        ended(database, ask(database, payload={"x": 5}))
    assert seen == [({"n": 1}, {}, 5), ({"n": 1}, {}, 5)]


def test_an_operation_without_steps_ends(database: Database) -> None:
    world = World()
    with working(database, world, toy()):
        assert ended(database, ask(database)).state == DONE
    assert world.calls == ["finish"]


def test_an_error_that_passes_is_tried_again_at_its_step(database: Database) -> None:
    world = World()
    world.fail("b", Passing(), times=2)
    with working(database, world):
        done = ended(database, ask(database))
    assert world.calls == ["a", "b", "b", "b", "c", "finish"]
    assert (done.state, done.error) == (DONE, None)


def test_an_error_that_does_not_pass_in_time_is_final(database: Database) -> None:
    world = World()
    world.fail("b", Passing())
    with working(database, world):
        failed = ended(database, ask(database))
    assert world.calls == ["a", "b", "b", "b", "undo b", "undo a", "fail passing"]
    assert (failed.state, failed.error) == (FAILED, "Not now.")


def test_the_reason_of_a_retry_can_be_seen(database: Database) -> None:
    gate = Gate()
    world = World()
    world.fail("a", Passing(), times=1)
    world.hooks["b"] = gate
    with working(database, world):
        operation_id = ask(database)
        assert gate.entered.wait(20)
        found = look(database, operation_id)
        assert (found.step, found.error, found.attempts) == ("a", "Not now.", 0)
        gate.opened.set()
        ended(database, operation_id)


def test_what_was_done_is_taken_back_the_latest_first(database: Database) -> None:
    world = World()
    world.fail("c", Final())
    with working(database, world):
        failed = ended(database, ask(database))
    assert world.calls == ["a", "b", "c", "undo c", "undo b", "undo a", "fail final"]
    assert (failed.state, failed.error) == (FAILED, "Never.")
    assert failed.results["failure"] == {"kind": "final", "message": "Never."}
    assert failed.results["undone"] == ["c", "b", "a"]


def test_only_what_may_have_happened_is_taken_back(database: Database) -> None:
    world = World()
    world.fail("b", ValueError("a defect"))
    definition = toy(step("a", undo=False), step("b"), step("c"))
    with working(database, world, definition):
        failed = ended(database, ask(database))
    assert world.calls == ["a", "record a", "b", "undo b", "fail ValueError"]
    # The words of a defect are for the log: they may hold what users must not see.
    assert failed.error == "An unexpected error occurred (ValueError)."


def test_an_undo_is_tried_again_and_only_what_is_left(database: Database) -> None:
    world = World()
    world.fail("c", Final())
    world.fail("undo b", Final("Still busy."), times=2)
    with working(database, world):
        failed = ended(database, ask(database))
    assert world.calls[3:] == ["undo c", "undo b", "undo b", "undo b", "undo a", "fail final"]
    assert failed.error == "Never."


def test_what_cannot_be_undone_is_told(database: Database) -> None:
    world = World()
    world.fail("a", Final())
    world.fail("undo a", Final("Stuck."))
    with working(database, world):
        failed = ended(database, ask(database))
    assert world.calls.count("undo a") == runner.MAX_UNDO_TRIES
    assert failed.state == FAILED
    assert failed.error == "Never. What it had made could not be removed: Stuck."


def test_a_failure_may_start_over_elsewhere(database: Database) -> None:
    """As a volume does that is placed on another backend."""

    def again(run: ToyRun, failure: Failure) -> Again | None:
        tried = run.payload.get("tried", 0)
        return Again(QUEUE, {"tried": tried + 1}) if tried < 2 else None

    definition = toy(step("a", record=False), step("b", record=False), again=again)
    world = World()
    world.fail("b", Final(), times=2)
    with working(database, world, definition):
        done = ended(database, ask(database))
    once = ["a", "b", "undo b", "undo a", "fail final"]
    assert world.calls == [*once, *once, "a", "b", "finish"]
    assert (done.state, done.payload, done.error) == (DONE, {"tried": 2}, None)
    assert done.results == {"steps": {"a": {"by": "a"}, "b": {"by": "b"}}}


def test_an_end_that_cannot_be_written_fails_the_operation(database: Database) -> None:
    """The last step, its record and the end are one transaction: none of it stays."""
    world = World()
    world.fail("finish", Final("The end does not fit."))
    with working(database, world):
        failed = ended(database, ask(database))
    assert (failed.state, failed.error) == (FAILED, "The end does not fit.")
    assert world.calls[-4:] == ["undo c", "undo b", "undo a", "fail final"]


def test_an_operation_of_an_unknown_kind_is_left_alone(database: Database) -> None:
    world = World()
    with working(database, world):
        strange = ask(database, kind="from the future")
        assert ended(database, ask(database)).state == DONE
        assert look(database, strange).results == {}


def test_a_long_error_is_cut(database: Database) -> None:
    world = World()
    world.fail("a", Final("x" * 5000))
    with working(database, world):
        failed = ended(database, ask(database))
    assert failed.error == "x" * 1024


def test_what_kills_its_workers_is_given_up(database: Database) -> None:
    """Claimed and never ended, again and again: as by a worker that dies each time."""
    operation_id = ask(database)
    for _ in range(runner.MAX_CLAIMS):
        database.transact(lambda tx: journal.claim(tx, TOYS, "nobody", -1, 1))
    world = World()
    with working(database, world):
        failed = ended(database, operation_id)
    assert failed.state == FAILED
    assert "No worker survived" in (failed.error or "")
    assert world.calls == ["undo a", "fail worker-died"]


def test_an_undo_goes_on_where_it_stopped(database: Database) -> None:
    """The failure is in the journal, so another worker knows it."""
    stopped: list[str] = []

    def observer(kind: str, name: str, point: Point) -> None:
        if (name, point) == ("b", Point.UNDO_BEFORE) and not stopped:
            stopped.append(name)
            raise LeaseLost(name)  # This worker must not go on.

    world = World()
    world.fail("c", Final())
    with working(database, world, observer=observer, pace=Pace(lease_seconds=0.5)):
        operation_id = ask(database)
        failed = ended(database, operation_id)
    assert stopped == ["b"]
    assert world.calls == ["a", "b", "c", "undo c", "undo b", "undo a", "fail final"]
    assert (failed.state, failed.error) == (FAILED, "Never.")


def test_the_points_of_a_definition_are_known() -> None:
    known = list(points(THREE))
    assert known[:4] == [
        ("a", Point.BEFORE),
        ("a", Point.EFFECT),
        ("a", Point.RECORDED),
        ("b", Point.BEFORE),
    ]
    assert known[-1] == ("a", Point.UNDO_RECORDED)
    assert len(known) == 18


def test_points_are_passed_in_order(database: Database) -> None:
    passed: list[tuple[str, Point]] = []
    world = World()
    world.fail("c", Final())
    with working(database, world, observer=lambda kind, name, at: passed.append((name, at))):
        assert ended(database, ask(database)).state != UNDOING
    everything = list(points(THREE))
    assert passed == [one for one in everything if one not in everything[7:9]]


def test_pauses_grow_to_a_bound() -> None:
    policy = RetryPolicy(first_pause=0.5, longest_pause=3)
    assert [policy.pause(n) for n in range(1, 6)] == [0.5, 1, 2, 3, 3]


def test_two_definitions_of_one_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="share a kind"):
        Definitions((THREE, THREE))
