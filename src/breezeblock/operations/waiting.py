"""Waiting for an operation's end, for requests that answer with its result."""

from __future__ import annotations

import time

from breezeblock.domain.errors import OperationTimeout
from breezeblock.operations import journal
from breezeblock.operations.record import Operation
from breezeblock.operations.states import OPEN
from breezeblock.operations.wakeup import Hints
from breezeblock.store.database import Database

_SHORTEST, _LONGEST = 0.02, 0.25


def wait_for_end(
    database: Database, hints: Hints, operation_id: str, timeout_seconds: float
) -> Operation:
    """Return the operation once it is done or failed.

    Raises OperationTimeout after ``timeout_seconds``; the operation itself goes on.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = _SHORTEST
    while True:
        seen = hints.done.count
        with database.read() as connection:
            operation = journal.get(connection, operation_id)
        if operation.state not in OPEN:
            return operation
        left = deadline - time.monotonic()
        if left <= 0:
            raise OperationTimeout(
                kind=operation.kind, seconds=round(timeout_seconds), id=operation_id
            )
        hints.done.wait(seen, min(pause, left))
        pause = min(pause * 1.5, _LONGEST)
