"""What a step sees of its operation: its input, the results so far, ways to report and write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from sqlalchemy.engine import Connection

from breezeblock.operations import journal
from breezeblock.operations.errors import HandOver, LeaseLost
from breezeblock.operations.failure import Failure
from breezeblock.operations.record import Operation
from breezeblock.store.database import Database, Transaction

Env = TypeVar("Env")
Returned = TypeVar("Returned")
Result = Mapping[str, Any] | None
"""What a step returns: JSON, or nothing."""

PROGRESS_INTERVAL_SECONDS = 0.5


class Run(Generic[Env]):
    """One worker's turn at one operation.

    Everything it writes goes through ``transact``, which refuses once the lease is lost.
    """

    def __init__(
        self,
        operation: Operation,
        env: Env,
        database: Database,
        *,
        lease_deadline: float,
        stopping: threading.Event,
    ) -> None:
        self.operation = operation
        self.env = env
        self.database = database
        self._results: dict[str, Any] = dict(operation.results)
        self._lease_deadline = lease_deadline
        self._lost = False
        self._stopping = stopping
        self._reported_at = 0.0

    # ---- for steps ---------------------------------------------------------------------------

    @property
    def payload(self) -> Mapping[str, Any]:
        return self.operation.payload

    def result(self, step: str) -> Mapping[str, Any]:
        """What a finished step returned; an empty mapping if it returned nothing."""
        return self.steps.get(step) or {}

    def read(self) -> AbstractContextManager[Connection]:
        return self.database.read()

    def transact(self, work: Callable[[Transaction], Returned]) -> Returned:
        """Run ``work`` in a transaction that only commits while the operation is ours.

        Raises LeaseLost.
        """

        def fenced(tx: Transaction) -> Returned:
            journal.write(tx, self.operation)
            return work(tx)

        return self.database.transact(fenced)

    def checkpoint(self) -> None:
        """To be called between pieces of long work, before touching anything outside.

        Raises LeaseLost when another worker may have taken over, HandOver when this worker is
        asked to stop.
        """
        if self._lost or time.monotonic() > self._lease_deadline:
            raise LeaseLost(self.operation.id)
        if self._stopping.is_set():
            raise HandOver(self.operation.id)

    def report(self, bytes_done: int, bytes_total: int) -> None:
        """Tell how far a long step is; written to the journal at most twice a second."""
        if time.monotonic() - self._reported_at < PROGRESS_INTERVAL_SECONDS:
            return
        self._reported_at = time.monotonic()
        percent = min(99, bytes_done * 100 // bytes_total) if bytes_total else 0
        self.database.transact(
            lambda tx: journal.write(
                tx,
                self.operation,
                bytes_done=bytes_done,
                bytes_total=bytes_total,
                progress=percent,
            )
        )

    # ---- for the worker ----------------------------------------------------------------------

    @property
    def steps(self) -> Mapping[str, Result]:
        """Results of the finished steps by name."""
        finished: Mapping[str, Result] = self._results.get("steps", {})
        return finished

    @property
    def undone(self) -> list[str]:
        """Names of the steps that are already taken back."""
        return list(self._results.get("undone", []))

    @property
    def failure(self) -> Failure | None:
        recorded = self._results.get("failure")
        return Failure(**recorded) if recorded else None

    def with_step(self, name: str, result: Result) -> dict[str, Any]:
        """The journal's results once ``name`` is finished."""
        return {**self._results, "steps": {**self.steps, name: result}}

    def with_undone(self, name: str) -> dict[str, Any]:
        return {**self._results, "undone": [*self.undone, name]}

    def with_failure(self, failure: Failure) -> dict[str, Any]:
        return {
            **self._results,
            "failure": {"kind": failure.kind, "message": journal.shortened(failure.message)},
        }

    def remember(self, results: Mapping[str, Any]) -> None:
        """Take over what was just committed to the journal."""
        self._results = dict(results)

    def renewed(self, deadline: float) -> None:
        self._lease_deadline = deadline

    def lose(self) -> None:
        self._lost = True
