"""Values that arrive as text: booleans, times, Python literals in query parameters."""

from __future__ import annotations

import ast
import re
import warnings
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from breezeblock.api import faults

TRUE = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
FALSE = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")

# Each pair of a metadata filter is a subquery, and databases bound the depth of a statement.
MAX_PAIRS = 64

_TRUE = frozenset(text.lower() for text in TRUE)
_FALSE = frozenset(text.lower() for text in FALSE)

_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def boolean(value: Any, name: str) -> bool:
    """A boolean or one of its spellings, in any case; anything else is 400."""
    if isinstance(value, bool):
        return value
    lowered = str(value).strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise faults.bad_request(f"{name} must be a boolean, not '{str(value)[:64]}'.")


def lenient_boolean(value: Any) -> bool:
    """As `boolean`, but what is none reads as false."""
    return value is True or str(value).strip().lower() in _TRUE


def is_uuid(text: str) -> bool:
    """Whether ``text`` is a UUID, with or without dashes."""
    return _UUID.fullmatch(text) is not None


def time(value: str, name: str) -> datetime:
    """An ISO 8601 time as naive UTC; a time without a zone is UTC already."""
    try:
        parsed = datetime.fromisoformat(value)
        return parsed if parsed.tzinfo is None else parsed.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise faults.bad_request(
            f"{name} must be a time in ISO 8601 form, not '{value[:64]}'."
        ) from None


def python(value: str) -> Any:
    """What ``value`` means as a Python literal, or ``value`` itself when it is none.

    Only what begins like a container, a quoted text or None is tried, so that a name such
    as ``007`` stays what it is.
    """
    if value == "None":
        return None
    if not value or value[0] not in "[{('\"":
        return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def mapping(value: str, name: str) -> dict[str, str]:
    """A dictionary literal of texts; anything else is 400."""
    literal = python(value)
    if not isinstance(literal, dict) or len(literal) > MAX_PAIRS:
        raise faults.bad_request(f"{name} must be a dictionary, such as {{'key': 'value'}}.")
    return {text(key, name): text(item, name) for key, item in literal.items()}


def text(item: Any, name: str) -> str:
    """A part of a literal as a text that a database can hold; what cannot be one is 400."""
    try:
        result = str(item)
        result.encode()
    except ValueError:  # an integer of thousands of digits, or half a character
        raise faults.bad_request(f"{name} holds a value that is out of range.") from None
    if "\0" in result:
        raise faults.bad_request(f"{name} must not hold NUL characters.")
    return result


def canonical_uuid(text: str) -> str:
    """The lower-case form with dashes of a UUID that `is_uuid` accepts."""
    return str(UUID(text))
