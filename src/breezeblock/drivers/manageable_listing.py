"""The listing of what a backend holds and what of it could be managed: sorted, and a page of it.

The rows are those of ``interface.Manageable``; every backend lists all and this module cuts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from breezeblock.domain.errors import InvalidInput

Row = dict[str, Any]

_SORT_KEYS = ("reference", "size")


def row(
    source_name: str,
    size: int,
    *,
    cinder_id: str | None = None,
    in_use: str | None = None,
    source: str | None = None,
) -> Row:
    """One row.

    ``size`` is in GiB.  ``cinder_id`` is the resource it is already, ``in_use`` why it may not be
    touched, ``source`` the name of what a snapshot was taken of.
    """
    reason = "already managed" if cinder_id else in_use
    found: Row = {
        "reference": {"source-name": source_name},
        "size": size,
        "safe_to_manage": reason is None,
        "reason_not_safe": reason,
        "cinder_id": cinder_id,
        "extra_info": None,
    }
    if source is not None:
        found["source_reference"] = {"source-name": source}
    return found


def page(
    rows: Iterable[Row],
    *,
    marker: Any = None,
    limit: int | None = None,
    offset: int = 0,
    sort_keys: Sequence[str] = (),
    sort_dirs: Sequence[str] = (),
) -> list[Row]:
    """The rows in order, after the one whose reference is ``marker``, ``limit`` from ``offset``.

    ``sort_dirs`` are ``asc`` or ``desc``, one for each key.  Raises ``InvalidInput``.
    """
    found = list(rows)
    directions = list(sort_dirs) or ["asc"] * len(sort_keys)
    if len(directions) != len(sort_keys):
        raise InvalidInput(reason="sort_keys and sort_dirs differ in number")
    # The last key first: sorting is stable, so that the first key decides in the end.
    for key, direction in reversed(list(zip(sort_keys, directions, strict=True))):
        if key not in _SORT_KEYS:
            raise InvalidInput(reason=f"cannot sort by '{key}'. Use: {', '.join(_SORT_KEYS)}")
        found.sort(key=lambda one: _value(one, key), reverse=direction == "desc")
    start = _after(found, marker) + offset
    return found[start:] if limit is None else found[start : start + limit]


def _value(one: Row, key: str) -> Any:
    return sorted(one[key].items()) if key == "reference" else one[key]


def _after(rows: Sequence[Row], marker: Any) -> int:
    if marker is None:
        return 0
    for index, one in enumerate(rows):
        if one["reference"] == marker:
            return index + 1
    raise InvalidInput(reason=f"marker {marker} is not among what the backend has")
