"""Matching a volume type's extra specs with what a pool reports.

A spec without a scope, or in the scope ``capabilities:``, must match the capability of its name;
other scopes (``provisioning:``, ``replication:``, a vendor's) are not for placement.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def mismatch(capabilities: Mapping[str, Any], extra_specs: Mapping[str, str | None]) -> str | None:
    """The first spec that a pool does not satisfy, in words; None when it satisfies all."""
    for key, requirement in extra_specs.items():
        path = key.split(":")
        if path[0] == "capabilities":
            path = path[1:]
        elif len(path) > 1:
            continue
        found, value = _look_up(capabilities, path)
        if not found:
            return f"it does not report {key}"
        if not satisfies(value, requirement):
            return f"its {key} is {value!r}, not {requirement}"
    return None


def _look_up(capabilities: Mapping[str, Any], path: Sequence[str]) -> tuple[bool, Any]:
    value: Any = capabilities
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return False, None
        value = value[part]
    return True, value


def satisfies(value: Any, requirement: str | None) -> bool:
    """Whether a capability meets one requirement; of a list any element may."""
    if isinstance(value, (list, tuple, set)):
        return any(satisfies(item, requirement) for item in value)
    if value is None or requirement is None:
        return value is None and requirement is None
    first, _, wanted = requirement.strip().partition(" ")
    matcher = _OPERATORS.get(first)
    return matcher(str(value), wanted.strip()) if matcher else str(value) == requirement


def _one_of(value: str, wanted: str) -> bool:
    return value in {part.strip() for part in wanted.split("<or>")}


def _boolean(text: str) -> bool:
    return text.strip().lower() in _TRUE


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def matches(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return matches


_TRUE = {"true", "t", "yes", "y", "on", "1"}
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "=": _numeric(operator.ge),
    "==": _numeric(operator.eq),
    "!=": _numeric(operator.ne),
    ">=": _numeric(operator.ge),
    "<=": _numeric(operator.le),
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
    "<in>": lambda value, wanted: wanted in value,
    "<is>": lambda value, wanted: _boolean(value) == _boolean(wanted),
    "<or>": _one_of,
}
