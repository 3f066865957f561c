"""Programs that stand in for those that cannot run here: put on PATH, state in a directory.

Each call is appended to ``calls`` as a JSON list of its arguments, as everybody on the machine
could have seen them.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Not at run time: every call of a simulated program would wait for it.
    import pytest

_ROOT = Path(__file__).parent.parent.parent


class Refusal(Exception):
    """The program says so and ends with that code."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """Put programs on PATH; each is a module of this package with ``main(state, arguments)``."""
    binaries = directory / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    for name, module in programs.items():
        path = binaries / name
        path.write_text(
            f"#!{sys.executable} -IS\n"
            "import sys\n"
            f"sys.path.insert(0, {str(_ROOT)!r})\n"
            f"from tests.simulators.{module} import main\n"
            "from tests.simulators.program import serve\n"
            f"serve(main, {str(directory)!r})\n"
        )
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:{os.environ['PATH']}")


def serve(main: Any, directory: str) -> None:
    """Run a program and end as it says; standard output is where both kinds of words go."""
    with (Path(directory) / "lock").open("w") as one_at_a_time:
        # As in a kernel: two calls at once do not undo each other's work.
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        note(Path(directory), sys.argv)
        _run(main, directory)


def _run(main: Any, directory: str) -> None:
    try:
        sys.exit(main(Path(directory), sys.argv[1:]))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(refusal.exit_code)


def note(directory: Path, arguments: list[str]) -> None:
    with (directory / "calls").open("a") as file:
        file.write(json.dumps(arguments) + "\n")


def calls(directory: Path) -> str:
    """All command lines up to now."""
    path = directory / "calls"
    return path.read_text() if path.exists() else ""


def load(directory: Path, empty: dict[str, Any]) -> dict[str, Any]:
    path = directory / "state.json"
    if not path.exists():
        return empty
    state: dict[str, Any] = json.loads(path.read_text())
    return state


def store(directory: Path, state: dict[str, Any]) -> None:
    new = directory / "state.json.new"
    new.write_text(json.dumps(state, indent=1))
    new.rename(directory / "state.json")
