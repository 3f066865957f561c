"""The table of errors."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest

from breezeblock.domain import errors
from breezeblock.domain.errors import BreezeblockError


def family(base: type[BreezeblockError]) -> Iterator[type[BreezeblockError]]:
    yield base
    for derived in base.__subclasses__():
        yield from family(derived)


# Drivers and targets add theirs, which are never an answer of their own; these are the API's.
CLASSES = [one for one in family(BreezeblockError) if one.__module__ == errors.__name__]
STATUSES = {400, 403, 404, 409, 413, 500, 504}


def test_symbols_are_unique() -> None:
    symbols = [one.symbol for one in CLASSES]
    assert sorted(symbols) == sorted(set(symbols))


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_an_error_has_all_it_needs(error: type[BreezeblockError]) -> None:
    assert "symbol" in vars(error)
    assert error.symbol == error.symbol.lower().replace(" ", "-")
    assert "template" in vars(error)
    assert error.status in STATUSES
    assert error.transient is False


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_the_template_takes_its_fields(error: type[BreezeblockError]) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(error.template) if name]
    fields = {name: f"<{name}>" for name in names}
    raised = error(**fields)
    assert raised.fields == fields
    assert all(value in str(raised) for value in fields.values())
    assert "{" not in str(raised)


def test_a_message_of_its_own_replaces_the_template() -> None:
    assert str(errors.NotFound("Nothing here.")) == "Nothing here."
    # Braces in somebody else's words are no fields.
    assert str(errors.Conflict(reason="{x}")) == "{x}"
