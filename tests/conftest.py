"""What all tests share: a test's directory is its marker."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["tests.application", "tests.stored"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test with the part of ./test it belongs to, so that -m unit and the like work."""
    known = {line.partition(":")[0] for line in config.getini("markers")}
    for item in items:
        part = item.path.relative_to(HERE).parts[0]
        if part in known:
            item.add_marker(part)
