"""What an operation consists of: steps, their undo, and what its end writes.

A definition is data.  ``Env`` is whatever the steps need of the outside world (a backend's
driver, say); the engine only hands it through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from breezeblock.operations.failure import Failure
from breezeblock.operations.run import Env, Result, Run
from breezeblock.store.database import Transaction


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a step is tried when its error says that it may pass.

    The n-th pause is ``first_pause * 2**(n-1)`` seconds, at most ``longest_pause``.
    """

    tries: int = 5
    first_pause: float = 0.5
    longest_pause: float = 30.0

    def pause(self, attempts: int) -> float:
        return min(self.first_pause * 2.0 ** max(0, attempts - 1), self.longest_pause)


@dataclass(frozen=True, slots=True)
class Step(Generic[Env]):
    """One step.

    ``do`` acts on the outside world and returns what later steps and the end need (JSON).  It
    must be idempotent: it looks before it acts, because it may have run before, in whole or
    in part.  ``undo`` takes back whatever ``do`` may have done, also if it did nothing.
    ``record`` writes to the store in the transaction that journals the step's result.
    """

    name: str
    do: Callable[[Run[Env]], Result]
    undo: Callable[[Run[Env]], None] | None = None
    record: Callable[[Run[Env], Transaction, Result], None] | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Instead of failing: start over on another queue, with another payload."""

    queue: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition(Generic[Env]):
    """A kind of operation.

    ``finish`` writes the success, ``fail`` the failure, each in the transaction that ends the
    operation, so that no moment shows one without the other.  ``fail`` may answer ``Again``.
    """

    kind: str
    steps: tuple[Step[Env], ...]
    finish: Callable[[Run[Env], Transaction], None]
    fail: Callable[[Run[Env], Transaction, Failure], Again | None]
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Definitions(Generic[Env]):
    """All kinds of operations that a worker can run, by name."""

    def __init__(self, definitions: tuple[Definition[Env], ...]) -> None:
        self._by_kind = {definition.kind: definition for definition in definitions}
        if len(self._by_kind) != len(definitions):
            raise ValueError("two definitions share a kind")

    def __getitem__(self, kind: str) -> Definition[Env]:
        return self._by_kind[kind]

    def __iter__(self) -> Iterator[Definition[Env]]:
        return iter(self._by_kind.values())

    def __contains__(self, kind: object) -> bool:
        return kind in self._by_kind
