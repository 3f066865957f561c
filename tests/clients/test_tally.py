"""How much of the stock clients the other tests of this directory have used."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.clients.commands import WORKED

ENOUGH = 80


def test_enough_different_commands_worked(request: pytest.FixtureRequest) -> None:
    """Counts only when everything here was run; the name sorts this test behind the others."""
    run = {item.path.name for item in request.session.items}
    here = {file.name for file in Path(__file__).parent.glob("test_*.py")}
    if here <= run and not request.config.getoption("keyword"):
        assert len(WORKED) >= ENOUGH, sorted(WORKED)
