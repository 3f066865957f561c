"""Paging and order."""

from __future__ import annotations

import pytest

from breezeblock.api import filters, paging
from breezeblock.api.faults import Fault
from breezeblock.domain.listing import SortKey

KEYS = filters.VOLUMES.sort_keys()
NAMES = filters.VOLUMES.sort_names(0)


def test_limits() -> None:
    assert paging.limit({}, 1000) == 1000
    assert paging.limit({"limit": "0"}, 1000) == 0
    assert paging.limit({"limit": "5000"}, 1000) == 1000


@pytest.mark.parametrize("text", ["-1", "x", "", "1.5", "9" * 5000, "\u0661", " 1"])
def test_no_numbers(text: str) -> None:
    with pytest.raises(Fault) as refusal:
        paging.limit({"limit": text}, 10)
    assert refusal.value.status == 400
    with pytest.raises(Fault):
        paging.offset({"offset": text})


def test_offsets_are_bounded() -> None:
    assert paging.offset({"offset": "2147483647"}) == 2147483647
    with pytest.raises(Fault):
        paging.offset({"offset": "2147483648"})


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({}, []),
        ({"sort": "name"}, [SortKey("display_name", True)]),
        (
            {"sort": "name:asc, size:desc,id"},
            [SortKey("display_name", False), SortKey("size", True), SortKey("id", True)],
        ),
        ({"sort_key": "size"}, [SortKey("size", True)]),
        ({"sort_key": "size", "sort_dir": "asc"}, [SortKey("size", False)]),
        ({"sort_dir": "asc"}, [SortKey("created_at", False)]),
    ],
)
def test_orders(query: dict[str, str], keys: list[SortKey]) -> None:
    assert list(paging.sort(query, KEYS, NAMES)) == keys


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "name:up"},
        {"sort": "colour"},
        {"sort": "provider_auth"},
        {"sort": "metadata"},
        {"sort": "name", "sort_key": "name"},
        {"sort": "name", "sort_dir": "asc"},
        {"sort_key": "colour"},
        {"sort_dir": "up"},
    ],
)
def test_no_orders(query: dict[str, str]) -> None:
    with pytest.raises(Fault) as refusal:
        paging.sort(query, KEYS, NAMES)
    assert refusal.value.status == 400


def test_snapshots_are_ordered_by_name_from_3_30() -> None:
    listing = filters.SNAPSHOTS
    with pytest.raises(Fault):
        paging.sort({"sort": "name"}, listing.sort_keys(), listing.sort_names(29))
    assert paging.sort({"sort": "name"}, listing.sort_keys(), listing.sort_names(30))
