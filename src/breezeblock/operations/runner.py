"""Carrying one claimed operation as far as it goes: steps, retries, undo, end.

Every way through is the same after a crash as without one: what is done next follows from
the journal alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Generic

from breezeblock.operations import journal
from breezeblock.operations.definition import Definition, Step
from breezeblock.operations.errors import HandOver, LeaseLost, WorkerDied
from breezeblock.operations.failure import Failure
from breezeblock.operations.run import Env, Result, Run
from breezeblock.operations.states import OPERATION, QUEUED, UNDOING
from breezeblock.store.database import Transaction

LOG = logging.getLogger(__name__)

MAX_CLAIMS = 50
"""An operation that was claimed this often kills its workers; it is undone instead."""

MAX_UNDO_TRIES = 8
"""After so many tries what cannot be taken back is left, and the error says so."""


class Point(Enum):
    """Moments of a step at which a process may die; tests kill it at each."""

    BEFORE = "before"
    EFFECT = "effect"
    RECORDED = "recorded"
    UNDO_BEFORE = "undo-before"
    UNDO_EFFECT = "undo-effect"
    UNDO_RECORDED = "undo-recorded"


Observer = Callable[[str, str, Point], None]
"""Called with (kind, step, point); only tests use it, to stop the world at a chosen moment."""


def unobserved(kind: str, step: str, point: Point) -> None:
    """The observer of production: nobody."""


def points(definition: Definition[Env]) -> Iterator[tuple[str, Point]]:
    """Every (step, point) of a definition, in order."""
    for step in definition.steps:
        for point in (Point.BEFORE, Point.EFFECT, Point.RECORDED):
            yield step.name, point
    for step in reversed(definition.steps):
        if step.undo is not None:
            for point in (Point.UNDO_BEFORE, Point.UNDO_EFFECT, Point.UNDO_RECORDED):
                yield step.name, point


class Runner(Generic[Env]):
    """One run of one definition."""

    def __init__(
        self, definition: Definition[Env], run: Run[Env], observer: Observer = unobserved
    ) -> None:
        self._definition = definition
        self._run = run
        self._observer = observer
        # Tries are counted for each step.
        self._finished_a_step = False

    def carry_on(self) -> None:
        """Do what is left to do.  Raises LeaseLost when another worker has taken over."""
        run = self._run
        if run.operation.state == UNDOING:
            self._undo(run.failure or Failure("unknown", "unknown"))
            return
        try:
            if run.operation.epoch > MAX_CLAIMS:
                raise WorkerDied(tries=MAX_CLAIMS)
            self._do_steps()
        except LeaseLost:
            raise
        except HandOver:
            run.database.transact(
                lambda tx: journal.release(tx, run.operation, state=OPERATION.target("hand_over"))
            )
        except Exception as error:
            self._failed(error)

    # ---- forward -----------------------------------------------------------------------------

    def _do_steps(self) -> None:
        pending = [step for step in self._definition.steps if step.name not in self._run.steps]
        if not pending:
            self._run.database.transact(self._finish)
        for step in pending:
            self._observe(step, Point.BEFORE)
            self._run.checkpoint()
            result = step.do(self._run)
            self._observe(step, Point.EFFECT)
            self._record(step, result, last=step is pending[-1])
            self._observe(step, Point.RECORDED)

    def _record(self, step: Step[Env], result: Result, *, last: bool) -> None:
        run = self._run
        results = run.with_step(step.name, result)
        # The end reads all results, this one included.
        run.remember(results)

        def work(tx: Transaction) -> None:
            journal.write(tx, run.operation, results=results, step=step.name, attempts=0)
            if step.record is not None:
                step.record(run, tx, result)
            if last:
                self._finish(tx)

        run.database.transact(work)
        self._finished_a_step = True

    def _finish(self, tx: Transaction) -> None:
        self._definition.finish(self._run, tx)
        journal.end(tx, self._run.operation, error=None)

    # ---- backward ----------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        run, policy = self._run, self._definition.retry
        attempts = (0 if self._finished_a_step else run.operation.attempts) + 1
        if getattr(error, "transient", False) and attempts < policy.tries:
            LOG.warning("%s will be tried again: %s", self._name, error)
            pause = policy.pause(attempts)
            run.database.transact(
                lambda tx: journal.release(
                    tx,
                    run.operation,
                    state=OPERATION.target("retry"),
                    pause=pause,
                    attempts=attempts,
                    error=journal.shortened(str(error)),
                )
            )
            return
        LOG.warning("%s failed and is undone: %s", self._name, error, exc_info=_is_defect(error))
        failure = Failure.of(error)
        results = run.with_failure(failure)
        run.database.transact(
            lambda tx: journal.write(
                tx,
                run.operation,
                state=OPERATION.target("give_up"),
                results=results,
                attempts=0,
                error=journal.shortened(failure.message),
            )
        )
        run.remember(results)
        self._undo(failure)

    def _undo(self, failure: Failure) -> None:
        run = self._run
        try:
            for step, undo in self._to_undo():
                self._observe(step, Point.UNDO_BEFORE)
                undo(run)
                self._observe(step, Point.UNDO_EFFECT)
                results = run.with_undone(step.name)
                run.database.transact(
                    lambda tx, results=results: journal.write(tx, run.operation, results=results)  # type: ignore[misc]
                )
                run.remember(results)
                self._observe(step, Point.UNDO_RECORDED)
        except LeaseLost:
            raise
        except HandOver:
            run.database.transact(lambda tx: journal.release(tx, run.operation, state=UNDOING))
            return
        except Exception as error:
            if self._undo_again_later(error):
                return
            failure = Failure(
                failure.kind, f"{failure.message} What it had made could not be removed: {error}"
            )
        run.database.transact(lambda tx: self._fail(tx, failure))

    def _to_undo(self) -> Iterator[tuple[Step[Env], Callable[[Run[Env]], None]]]:
        """Steps that may have had an effect and are not taken back yet, the latest first."""
        steps = self._definition.steps
        reached = min(len(self._run.steps) + 1, len(steps))
        undone = set(self._run.undone)
        for step in reversed(steps[:reached]):
            if step.undo is not None and step.name not in undone:
                yield step, step.undo

    def _undo_again_later(self, error: Exception) -> bool:
        run = self._run
        attempts = run.operation.attempts + 1 if run.operation.state == UNDOING else 1
        LOG.warning("%s could not be undone (try %d): %s", self._name, attempts, error)
        if attempts >= MAX_UNDO_TRIES:
            return False
        pause = self._definition.retry.pause(attempts)
        run.database.transact(
            lambda tx: journal.release(
                tx, run.operation, state=UNDOING, pause=pause, attempts=attempts
            )
        )
        return True

    def _fail(self, tx: Transaction, failure: Failure) -> None:
        again = self._definition.fail(self._run, tx, failure)
        if again is None:
            journal.end(tx, self._run.operation, error=failure.message)
            return
        journal.release(
            tx,
            self._run.operation,
            state=QUEUED,
            queue=again.queue,
            payload=dict(again.payload),
            results={},
            step=None,
            attempts=0,
        )

    def _observe(self, step: Step[Env], point: Point) -> None:
        self._observer(self._definition.kind, step.name, point)

    @property
    def _name(self) -> str:
        operation = self._run.operation
        return f"{operation.kind} of {operation.resource_type} {operation.resource_id}"


def _is_defect(error: Exception) -> bool:
    """Whether the log needs a traceback: errors that have words for users do not."""
    return not hasattr(error, "symbol")
