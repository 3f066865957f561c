"""The paging and order parameters of lists, and the link to the next page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from breezeblock.api import faults, links
from breezeblock.api.call import Call
from breezeblock.domain.listing import SortKey

NAMES = frozenset({"limit", "offset", "marker", "sort", "sort_key", "sort_dir"})
MAX_OFFSET = 2**31 - 1
DIRECTIONS = {"asc": False, "desc": True}


def limit(query: Mapping[str, str], maximum: int) -> int:
    """Items of one page: what is asked for, at most ``maximum``."""
    if "limit" not in query:
        return maximum
    return min(_number(query["limit"], "limit"), maximum)


def offset(query: Mapping[str, str]) -> int:
    """Items to leave out at the start."""
    value = _number(query.get("offset", "0"), "offset")
    if value > MAX_OFFSET:
        raise faults.bad_request(f"offset must not be greater than {MAX_OFFSET}.")
    return value


def _number(text: str, name: str) -> int:
    # 20 digits hold every number that means anything here; int() of a megabyte takes seconds.
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise faults.bad_request(f"{name} must be an integer of at least 0, not '{text[:64]}'.")
    return int(text)


def sort(
    query: Mapping[str, str], allowed: Collection[str], renames: Mapping[str, str]
) -> Sequence[SortKey]:
    """The sort keys under their stored names; empty stands for the default order.

    ``sort`` is ``key[:dir],...``; ``sort_key`` with ``sort_dir`` is its older form for one key.
    """
    old = "sort_key" in query or "sort_dir" in query
    if "sort" not in query:
        if not old:
            return ()
        name = query.get("sort_key", "created_at")
        return (_sort_key(name, query.get("sort_dir", "desc"), allowed, renames),)
    if old:
        raise faults.bad_request("sort_key and sort_dir cannot be used together with sort.")
    keys = []
    for element in query["sort"].split(","):
        name, _, direction = element.strip().partition(":")
        if name:
            keys.append(_sort_key(name.strip(), direction.strip() or "desc", allowed, renames))
    return keys


def _sort_key(
    name: str, direction: str, allowed: Collection[str], renames: Mapping[str, str]
) -> SortKey:
    if direction not in DIRECTIONS:
        raise faults.bad_request(f"Sort direction must be asc or desc, not '{direction[:64]}'.")
    stored = renames.get(name, name)
    # Only columns that the caller can see anyway: order by a hidden one would reveal it.
    if stored not in allowed:
        raise faults.bad_request(f"Sort key '{name[:64]}' is not one of this resource's.")
    return SortKey(stored, DIRECTIONS[direction])


def envelope(
    call: Call[Any],
    key: str,
    shown: list[Any],
    ids: Sequence[str],
    page_limit: int,
    links_key: str | None = None,
) -> dict[str, Any]:
    """``{key: [...]}``, with the link to the next page when this one is full."""
    answer: dict[str, Any] = {key: shown}
    if links_key is not None and ids and len(ids) >= page_limit:
        answer[links_key] = links.next_page(call, ids[-1])
    return answer
