"""The definitions of all operations: complete, named once, and started by somebody."""

from __future__ import annotations

from pathlib import Path

import pytest

import breezeblock
from breezeblock.flows import kinds
from breezeblock.flows.backend import Backend
from breezeblock.flows.definitions import DEFINITIONS
from breezeblock.operations.definition import Definition
from breezeblock.store.tables import operations

KINDS = {value for name, value in vars(kinds).items() if name.isupper()}


def test_every_kind_has_a_definition_and_the_other_way_round() -> None:
    assert {definition.kind for definition in DEFINITIONS} == KINDS
    assert "no such kind" not in DEFINITIONS


def test_every_kind_is_started_by_a_service() -> None:
    services = Path(breezeblock.__file__).parent / "services"
    text = "\n".join(path.read_text(encoding="utf-8") for path in services.glob("*.py"))
    for name in vars(kinds):
        if name.isupper():
            assert f"kinds.{name}" in text, name


@pytest.mark.parametrize("definition", list(DEFINITIONS), ids=lambda definition: definition.kind)
def test_a_definition(definition: Definition[Backend]) -> None:
    names = [step.name for step in definition.steps]
    assert names
    assert len(set(names)) == len(names)
    longest = operations.c.step.type.length  # type: ignore[attr-defined]
    assert all(len(name) <= longest for name in names)
    assert len(definition.kind) <= operations.c.kind.type.length  # type: ignore[attr-defined]
    assert definition.retry.tries >= 2


@pytest.mark.parametrize("definition", list(DEFINITIONS), ids=lambda definition: definition.kind)
def test_what_makes_something_can_take_it_back(definition: Definition[Backend]) -> None:
    making = {
        kinds.CREATE_VOLUME,
        kinds.CREATE_SNAPSHOT,
        kinds.CONNECT_ATTACHMENT,
        kinds.INITIALIZE_CONNECTION,
    }
    if definition.kind in making:
        # A check makes nothing.
        assert all(step.undo is not None for step in definition.steps if step.name != "check")


def test_lock_keys_fit_their_column() -> None:
    key = kinds.snapshot_lock("0" * 36)
    assert key != kinds.volume_lock("0" * 36)
    assert len(key) <= 80
