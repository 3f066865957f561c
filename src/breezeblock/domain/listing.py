"""What a list request asks for, and what it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class SortKey:
    """One sort column (already mapped to its stored name) and its direction."""

    name: str
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Like:
    """A filter value that matches any text containing it (microversion 3.34, ``key~=value``)."""

    value: str


@dataclass(frozen=True, slots=True)
class Compare:
    """A time comparison (microversion 3.60); ``operator`` is gt, gte, eq, neq, lt or lte."""

    operator: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A page request.

    ``filters`` maps a stored column (or ``metadata``) to a value, a list of values (any of them),
    a ``Like``, or a list of ``Compare`` (all of them).  A column that does not exist
    gives an empty page.  ``marker`` is the id of the last item of the page before.
    """

    limit: int = 1000
    offset: int = 0
    marker: str | None = None
    sort: Sequence[SortKey] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    all_projects: bool = False
    with_count: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page; ``count`` is the number of matches over all pages when it was asked for."""

    items: Sequence[Item]
    count: int | None = None
