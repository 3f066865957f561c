"""Filters of lists: who may use what, in which version, and what a value means."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breezeblock.api import filters, literals
from breezeblock.api.faults import Fault
from breezeblock.api.filters import NO_COLUMN, FilterTable, Listing
from breezeblock.domain.listing import Compare, Like


def read(
    given: dict[str, str],
    *,
    listing: Listing = filters.VOLUMES,
    version: int = 71,
    admin: bool = False,
    table: FilterTable | None = None,
) -> dict[str, Any]:
    return filters.read(listing, given, version=version, admin=admin, table=table or FilterTable())


def refused(given: dict[str, str], **more: Any) -> bool:
    try:
        read(given, **more)
    except Fault as fault:
        assert fault.status == 400
        return True
    return False


def test_names_are_renamed() -> None:
    assert read({"name": "x"}) == {"display_name": "x"}
    assert read({"status": "attached"}, listing=filters.ATTACHMENTS) == {
        "attach_status": "attached"
    }


def test_unknown_keys_of_users() -> None:
    assert refused({"host": "h"}, version=31)
    assert read({"host": "h"}, version=30) == {}


def test_unknown_keys_of_administrators_match_nothing() -> None:
    assert read({"colour": "red"}, admin=True) == {NO_COLUMN + "colour": "red"}
    assert read({"host": "h"}, admin=True) == {"host": "h"}


def test_secrets_are_no_columns() -> None:
    assert list(read({"provider_auth": "x"}, admin=True)) == [NO_COLUMN + "provider_auth"]


@pytest.mark.parametrize(
    ("key", "value", "since"),
    [("glance_metadata", "{}", 4), ("group_id", "g", 10), ("consumes_quota", "true", 65)],
)
def test_keys_are_dropped_below_their_version(key: str, value: str, since: int) -> None:
    assert read({key: value}, version=since - 1, admin=True) == {}
    assert key in read({key: value}, version=since, admin=True)


def test_inexact_filters() -> None:
    assert read({"name~": "x"}, version=34, admin=True) == {"display_name": Like("x")}
    assert refused({"name~": "x"}, version=33, admin=False)
    assert refused({"name~": "x"}, version=71, admin=False)
    table = FilterTable({"volume": frozenset({"name~"})})
    assert read({"name~": "x"}, table=table) == {"display_name": Like("x")}
    assert read({"name": "x"}, table=table) == {"display_name": "x"}
    assert refused({"size~": "1"}, admin=True)


def test_booleans_are_strict_from_3_2() -> None:
    assert read({"bootable": "maybe"}, version=1, admin=True) == {"bootable": True}
    assert read({"bootable": "False"}, version=1, admin=True) == {"bootable": False}
    assert read({"bootable": "no"}, version=2, admin=True) == {"bootable": False}
    assert refused({"bootable": "maybe"}, version=2, admin=True)


def test_lists_nulls_and_mappings() -> None:
    assert read({"status": "['error', 'available']"}) == {"status": ["error", "available"]}
    assert read({"migration_status": "None"}) == {"migration_status": None}
    assert read({"metadata": "{'a': 'b', 1: 2}"}) == {"metadata": {"a": "b", "1": "2"}}
    assert refused({"metadata": "a"})
    assert refused({"metadata": "{'a': '\\0'}"})
    assert refused({"status": "[" + "1," * 2000 + "]"})
    assert read({"name": "007"}) == {"display_name": "007"}


def test_time_comparisons_are_all_kept() -> None:
    value = "gt:2020-01-01T00:00:00,lte:2021-01-01T00:00:00+01:00"
    assert read({"created_at": value}) == {
        "created_at": [
            Compare("gt", datetime(2020, 1, 1)),
            Compare("lte", datetime(2020, 12, 31, 23)),
        ]
    }
    assert read({"created_at": value}, version=59) == {}
    for bad in ("", "2020-01-01", "since:2020-01-01", "gt:", "gt:yesterday", "gt:2020-01-01,"):
        assert refused({"created_at": bad}), bad


def test_messages_had_every_filter() -> None:
    assert read({"action_id": "1"}, listing=filters.MESSAGES, version=5) == {"action_id": "1"}
    assert refused({"action_id": "1"}, listing=filters.MESSAGES, version=31)


def test_the_operators_file(tmp_path: Path) -> None:
    path = tmp_path / "filters.json"
    assert FilterTable.load(path) == FilterTable()
    path.write_text(json.dumps({"volume": ["host"]}), encoding="utf-8")
    table = FilterTable.load(path)
    assert read({"host": "h"}, table=table) == {"host": "h"}
    assert refused({"name": "x"}, table=table)
    assert refused({"name": "x"}, listing=filters.SNAPSHOTS, table=table)
    assert read({"kind": "x"}, listing=filters.OPERATIONS, table=table) == {"kind": "x"}
    for bad in ("{", "[]", '{"volume": 1}'):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(ValueError, match=r"filters\.json"):
            FilterTable.load(path)


@given(
    st.sampled_from(filters.LISTINGS),
    st.dictionaries(
        st.sampled_from(
            sorted({k for one in filters.LISTINGS for k in (*one.columns, *one.users)})
        ),
        st.text(max_size=30),
        max_size=3,
    ),
    st.integers(0, 71),
    st.booleans(),
)
def test_any_filter_is_read_or_refused(
    listing: Listing, given: dict[str, str], version: int, admin: bool
) -> None:
    refused(given, listing=listing, version=version, admin=admin)


@given(st.text(max_size=50))
def test_any_text_is_a_literal_or_itself(text: str) -> None:
    literals.python(text)


def test_deep_literals_are_texts() -> None:
    text = "[" * 5000 + "]" * 5000
    assert literals.python(text) == text
