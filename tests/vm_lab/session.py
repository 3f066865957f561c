"""Run tests within a guest and tell the host about them: one JSON object a line.

    python -m tests.vm_lab.session [PYTEST OPTION...] -- NODEID...

``{"started": nodeid}``, ``{"report": …}`` for each phase of a test as ``pytest`` serializes it,
``{"finished": nodeid}``.  All else that is written goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import pytest

#: Python is 16 times slower here: what is not needed is not loaded.
OPTIONS = ("-p", "no:cacheprovider", "-p", "pytest_timeout", "-q", "--confcutdir=tests/vm")


class Messenger:
    """The plug-in that writes to the host."""

    def __init__(self, out: TextIO, wanted: Sequence[str]) -> None:
        self._out = out
        self._wanted = {nodeid: place for place, nodeid in enumerate(wanted)}
        self._config: pytest.Config | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what the host asked for, in its order."""
        items[:] = [item for item in items if item.nodeid in self._wanted]
        items.sort(key=lambda item: self._wanted[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._say({"started": nodeid})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        assert self._config is not None
        hook = self._config.hook.pytest_report_to_serializable
        self._say({"report": hook(config=self._config, report=report)})

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._say({"finished": nodeid})

    def _say(self, message: dict[str, Any]) -> None:
        self._out.write(json.dumps(message, default=str) + "\n")
        self._out.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the tests; return pytest's exit status."""
    split = arguments.index("--")
    options, wanted = arguments[:split], arguments[split + 1 :]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    files = dict.fromkeys(nodeid.partition("::")[0] for nodeid in wanted)
    return int(pytest.main([*OPTIONS, *options, *files], plugins=[Messenger(out, wanted)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
