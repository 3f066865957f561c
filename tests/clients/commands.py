"""The stock clients as their users start them: one process a command, output read back."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.service import Service, clean_environment

_TIMEOUT_SECONDS = 90
#: Distinct commands that worked, for the count at the end of a run.
WORKED: set[str] = set()

# ``cinder`` is a shell function of openrc, so a shell reads that and starts the command.
_SOURCED = 'set -eu; . "$1"; shift; "$@"'


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    output: str
    errors: str


@dataclasses.dataclass(frozen=True)
class Program:
    """``openstack`` or ``cinder`` with the environment that points it to a service.

    ``openrc`` is sourced before, as the README says; without one, ``variables`` are all there is.
    """

    name: str
    service: Service
    openrc: bool = True
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def attempt(self, *arguments: str) -> Outcome:
        """Run a command that may fail."""
        command = [self.name, *arguments]
        if self.openrc:
            command = ["bash", "-c", _SOURCED, "bash", str(self.service.openrc), *command]
        done = subprocess.run(
            command,
            env={**clean_environment(), **self.variables},
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str) -> str:
        """Run a command that must work; what it printed."""
        outcome = self.attempt(*arguments)
        said = f"{self.name} {' '.join(arguments)}\n{outcome.output}{outcome.errors}"
        assert outcome.code == 0, f"{said}\n{self.service.log[-2000:]}"
        assert "Traceback" not in outcome.errors, said
        WORKED.add(f"{self.name} {verb(arguments)}")
        return outcome.output

    def refused(self, *arguments: str) -> str:
        """Run a command that must fail without a traceback; what it said about that."""
        outcome = self.attempt(*arguments)
        said = outcome.output + outcome.errors
        assert outcome.code != 0, f"{self.name} {' '.join(arguments)} worked:\n{said}"
        assert "Traceback" not in said
        assert "HTTP 5" not in said
        return said

    def json(self, *arguments: str) -> Any:
        """What a command of ``openstack`` tells, in the form made for programs."""
        return json.loads(self.run(*arguments, "-f", "json"))

    def rows(self, *arguments: str) -> list[dict[str, str]]:
        """The table that a command of ``cinder`` prints, a row a dictionary by column."""
        return parse_table(self.run(*arguments))

    def properties(self, *arguments: str) -> dict[str, str]:
        """The table of two columns that a command of ``cinder`` prints about one thing."""
        return {
            cells[0]: cells[1]
            for row in self.rows(*arguments)
            if len(cells := list(row.values())) == 2
        }


def verb(arguments: tuple[str, ...]) -> str:
    """The name of a command without its arguments: ``volume snapshot create``.

    Options of the program itself come before it, those of the command after it.
    """
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("-"):
            if words:
                break
            next(rest)
        elif words and (words[0] not in _SPACED or argument not in _WORDS):
            break
        else:
            words.append(argument)
    return " ".join(words)


# The words that commands of ``openstack`` are made of; all of ``cinder``'s are one word.
_SPACED = {"availability", "extension", "volume"}
_WORDS = {
    *("attachment", "backend", "capability", "message", "pool", "service", "snapshot", "type"),
    *("complete", "create", "delete", "list", "revert", "set", "show", "summary", "unset", "zone"),
}


def parse_table(text: str) -> list[dict[str, str]]:
    """Rows of a table of bars and dashes; lines around it are left out."""
    lines = [line[1:-1].split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    if not cells:
        return []
    head, *body = cells
    return [dict(zip(head, row, strict=True)) for row in body if len(row) == len(head)]
