"""Operations about nothing: what the engine does is seen in a list of what was called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tests.application import caller, eventually

from breezeblock.domain.errors import BreezeblockError
from breezeblock.operations import journal
from breezeblock.operations.definition import Again, Definition, Definitions, RetryPolicy, Step
from breezeblock.operations.failure import Failure
from breezeblock.operations.record import Operation
from breezeblock.operations.run import Result, Run
from breezeblock.operations.runner import Observer, unobserved
from breezeblock.operations.states import OPEN
from breezeblock.operations.wakeup import Hints
from breezeblock.operations.worker import Pace, Surroundings, Worker
from breezeblock.store.database import Database, Transaction

QUEUE = "here@toys"
TOYS = journal.Competence([QUEUE], ["toy"])
HOST = "here"
QUICK = RetryPolicy(tries=3, first_pause=0.01, longest_pause=0.05)


class Passing(BreezeblockError):
    """An error that may pass."""

    symbol = "passing"
    template = "Not now."
    transient = True


class Final(BreezeblockError):
    """An error that stays."""

    symbol = "final"
    template = "Never."


@dataclass
class World:
    """The outside: what was done to it, in order, and hooks that make steps fail or wait."""

    calls: list[str] = field(default_factory=list)
    hooks: dict[str, Callable[[Run[World]], Result]] = field(default_factory=dict)

    def call(self, name: str, run: Run[World]) -> Result:
        self.calls.append(name)
        hook = self.hooks.get(name)
        return hook(run) if hook else {"by": name}

    def fail(self, name: str, error: Exception, times: int = 10**9) -> None:
        """Let the next calls of ``name`` fail."""
        left = [times]

        def hook(run: Run[World]) -> Result:
            if left[0] > 0:
                left[0] -= 1
                raise error
            return {"by": name}

        self.hooks[name] = hook


ToyRun = Run[World]


def step(name: str, *, undo: bool = True, record: bool = True) -> Step[World]:
    """A step that calls the world by its name, ``undo <name>`` and ``record <name>``."""

    def take_back(run: ToyRun) -> None:
        run.env.call(f"undo {name}", run)

    def note(run: ToyRun, tx: Transaction, result: Result) -> None:
        run.env.call(f"record {name}", run)

    return Step(
        name,
        lambda run: run.env.call(name, run),
        undo=take_back if undo else None,
        record=note if record else None,
    )


def toy(
    *steps: Step[World],
    kind: str = "toy",
    again: Callable[[ToyRun, Failure], Again | None] = lambda run, failure: None,
) -> Definition[World]:
    """A kind of operation with these steps; its end calls ``finish`` or ``fail <error>``."""

    def finish(run: ToyRun, tx: Transaction) -> None:
        run.env.call("finish", run)

    def fail(run: ToyRun, tx: Transaction, failure: Failure) -> Again | None:
        run.env.call(f"fail {failure.kind}", run)
        return again(run, failure)

    return Definition(kind=kind, steps=steps, finish=finish, fail=fail, retry=QUICK)


THREE = toy(*(step(name, record=False) for name in ("a", "b", "c")))


def definitions(*them: Definition[World]) -> Definitions[World]:
    return Definitions(them or (THREE,))


def ask(
    database: Database,
    *,
    kind: str = "toy",
    queue: str = QUEUE,
    exclusive: tuple[str, ...] = (),
    shared: tuple[str, ...] = (),
    payload: Mapping[str, Any] | None = None,
    resource_id: str = "thing",
) -> str:
    """Append an operation without giving a hint."""
    request = journal.Request(
        kind=kind,
        queue=queue,
        resource_type="thing",
        resource_id=resource_id,
        payload=payload or {},
        exclusive=exclusive,
        shared=shared,
    )
    return database.transact(lambda tx: journal.append(tx, caller("p1"), request))


def look(database: Database, operation_id: str) -> Operation:
    with database.read() as connection:
        return journal.get(connection, operation_id)


def ended(database: Database, operation_id: str) -> Operation:
    """The operation once it is done or failed."""

    def look_() -> Operation | None:
        found = look(database, operation_id)
        return None if found.state in OPEN else found

    return eventually(look_, f"the end of operation {operation_id}")


@contextmanager
def working(
    database: Database,
    world: World,
    *them: Definition[World],
    hints: Hints | None = None,
    host: str = HOST,
    pace: Pace | None = None,
    observer: Observer = unobserved,
    surroundings: Surroundings[World] = lambda run: nullcontext(),
) -> Iterator[Worker[World]]:
    """A worker that serves QUEUE for the block."""
    worker: Worker[World] = Worker(
        database,
        definitions(*them),
        host=host,
        hints=hints or Hints(),
        pace=pace or Pace(longest_poll=0.05),
        observer=observer,
        surroundings=surroundings,
    )
    worker.serve({QUEUE: world})
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(10)


class Gate:
    """A step that waits inside until the test opens it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, run: ToyRun) -> Result:
        self.entered.set()
        assert self.opened.wait(20)
        return {"by": "gate"}
