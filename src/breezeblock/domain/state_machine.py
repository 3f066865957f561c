"""State machines as data: every status a resource can have, and every way from one to another.

A machine is one table.  The store writes a status only through a transition of it, and the tests
walk the tables, so that a status without a way out or a restart rule cannot be added by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a status means for whoever waits on the resource."""

    STABLE = "stable"
    """Nothing is going on; it stays until somebody asks for something."""
    PASSING = "passing"
    """An operation is at work and will lead it on, also after a crash."""
    HELD = "held"
    """A client said that it is about to act (attach, detach) and the next step is the client's."""
    ERROR = "error"
    """The last operation failed; the user message says why, and what can be done."""


@dataclass(frozen=True, slots=True)
class State:
    """One status: what it means to an operator, and what a restart of the service does with it."""

    name: str
    kind: Kind
    meaning: str
    on_restart: str = "nothing"


@dataclass(frozen=True, slots=True)
class Transition:
    """One legal change.  With several ``targets`` the one who makes the change picks among them."""

    event: str
    sources: frozenset[str]
    targets: tuple[str, ...]


class IllegalTarget(ValueError):
    """A transition was asked to end in a status that its table does not name."""


class StateMachine:
    """A named table of states and transitions.

    ``GONE`` as a target means that the row is removed.
    """

    GONE = "(gone)"

    def __init__(
        self, name: str, states: Iterable[State], transitions: Iterable[Transition]
    ) -> None:
        self.name = name
        self.states: Mapping[str, State] = {state.name: state for state in states}
        self.transitions: Mapping[str, Transition] = {t.event: t for t in transitions}

    def sources(self, event: str) -> frozenset[str]:
        """The statuses in which ``event`` is legal."""
        return self.transitions[event].sources

    def target(self, event: str, chosen: str | None = None) -> str:
        """The status that ``event`` leads to; ``chosen`` picks one where there are several.

        Raises IllegalTarget if the table does not allow the choice.
        """
        targets = self.transitions[event].targets
        if chosen is None and len(targets) == 1:
            return targets[0]
        if chosen is None or chosen not in targets:
            raise IllegalTarget(f"{self.name}: {event} leads to {targets}, not to {chosen!r}")
        return chosen

    def of_kind(self, kind: Kind) -> frozenset[str]:
        return frozenset(s.name for s in self.states.values() if s.kind is kind)


def transition(event: str, sources: str | Iterable[str], *targets: str) -> Transition:
    """A row of a table; ``sources`` may be given as words in one string."""
    names = sources.split() if isinstance(sources, str) else sources
    return Transition(event, frozenset(names), targets)
