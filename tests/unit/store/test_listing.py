"""Pages: order, markers and filters, over random rows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stored import EPOCH, PROJECT, at, new_database, statements, volume

from breezeblock.domain.errors import InvalidInput, VolumeNotFound
from breezeblock.domain.listing import Compare, Like, ListQuery, SortKey
from breezeblock.domain.resources import Volume
from breezeblock.store import volumes
from breezeblock.store.database import Database
from breezeblock.store.tables import volumes as table


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all examples of a test; each begins by emptying it."""
    made = new_database(tmp_path_factory.mktemp("listing") / "store.db")
    yield made
    made.dispose()


def fill(database: Database, records: list[Volume]) -> None:
    def work(tx: Any) -> None:
        tx.execute(table.delete())
        for record in records:
            volumes.insert(tx, record)

    database.transact(work)


def pages(database: Database, query: Callable[[str | None], ListQuery]) -> list[Volume]:
    """All pages one after the other, each from the marker of the one before."""
    found: list[Volume] = []
    marker = None
    while True:
        with database.read() as connection:
            page = volumes.list_page(connection, query(marker), PROJECT, admin=True)
        if not page.items:
            return found
        found += page.items
        marker = found[-1].id
        assert len(found) <= 100, "the pages do not end"


TEXTS = st.sampled_from([None, "", "a", "b", "B", "ä", "%", "a_b"])
ROWS = st.lists(
    st.builds(
        volume,
        id=st.uuids(version=4).map(str),
        size=st.integers(1, 3),
        created_at=st.integers(0, 2).map(at),
        launched_at=st.sampled_from([None, at(0), at(1)]),
        display_name=TEXTS,
        status=st.sampled_from(["available", "error"]),
        bootable=st.booleans(),
        shared_targets=st.sampled_from([None, True, False]),
    ),
    max_size=12,
    unique_by=lambda record: record.id,
)
SORT = st.lists(
    st.builds(
        SortKey,
        st.sampled_from(
            [
                *("id", "created_at", "size", "launched_at", "display_name", "status"),
                *("bootable", "shared_targets", "host"),
            ]
        ),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda key: key.name,
)


def rank(value: Any, kind: type) -> Any:
    """NULL sorts as the smallest value."""
    if value is not None:
        return value
    smallest: dict[type, Any] = {str: "", datetime: datetime(1970, 1, 1), bool: False}
    return smallest[kind]


KINDS = {"launched_at": datetime, "created_at": datetime, "shared_targets": bool}


def expected_order(records: list[Volume], sort: list[SortKey]) -> list[str]:
    keys = list(sort) or [SortKey("created_at")]
    first = keys[0].descending
    keys += [SortKey(n, first) for n in ("created_at", "id") if n not in {k.name for k in keys}]
    ordered = list(records)
    for key in reversed(keys):
        kind = KINDS.get(key.name, str)
        ordered.sort(
            key=lambda record, name=key.name, kind=kind: rank(getattr(record, name), kind),  # type: ignore[misc]
            reverse=key.descending,
        )
    return [record.id for record in ordered]


@given(records=ROWS, sort=SORT, limit=st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_the_pages_are_the_whole_in_order(
    shared: Database, records: list[Volume], sort: list[SortKey], limit: int
) -> None:
    fill(shared, records)
    walked = pages(shared, lambda marker: ListQuery(limit=limit, marker=marker, sort=sort))
    assert [record.id for record in walked] == expected_order(records, sort)


@given(records=ROWS, limit=st.integers(1, 4), offset=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_offset_limit_and_count(
    shared: Database, records: list[Volume], limit: int, offset: int
) -> None:
    fill(shared, records)
    filters = {"status": "available"}
    query = ListQuery(limit=limit, offset=offset, filters=filters, with_count=True)
    with shared.read() as connection:
        page = volumes.list_page(connection, query, PROJECT, admin=True)
    available = [record for record in records if record.status == "available"]
    assert page.count == len(available)
    assert [r.id for r in page.items] == expected_order(available, [])[offset : offset + limit]


@given(
    names=st.lists(st.text(alphabet="ab%_\\.*'", max_size=4), max_size=8),
    wanted=st.text(alphabet="ab%_\\.*'", max_size=3),
)
@settings(max_examples=100, deadline=None)
def test_like_finds_what_contains_the_text_and_nothing_else(
    shared: Database, names: list[str], wanted: str
) -> None:
    fill(shared, [volume(display_name=name) for name in names])
    query = ListQuery(filters={"display_name": Like(wanted)})
    with shared.read() as connection:
        page = volumes.list_page(connection, query, PROJECT, admin=True)
    expected = sorted(name for name in names if wanted in name)
    assert sorted(str(record.display_name) for record in page.items) == expected


ONE = volume(
    id=str(uuid.uuid4()),
    display_name="one",
    size=2,
    bootable=True,
    created_at=at(10),
    metadata={"k": "v", "l": "w"},
    image_metadata={"os": "linux"},
)


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({}, True),
        ({"display_name": "one"}, True),
        ({"display_name": "two"}, False),
        ({"display_name": ["two", "one"]}, True),
        ({"display_name": []}, False),
        ({"display_name": "one", "size": 3}, False),
        ({"display_description": None}, True),
        ({"display_name": None}, False),
        ({"size": "2"}, True),
        ({"size": "two"}, False),
        ({"size": 2**70}, False),
        ({"bootable": True}, True),
        ({"bootable": False}, False),
        ({"bootable": "perhaps"}, False),
        ({"created_at": at(10)}, True),
        ({"created_at": "yesterday"}, False),
        ({"created_at": [Compare("gt", at(9)), Compare("lt", at(11))]}, True),
        ({"created_at": [Compare("gte", at(10)), Compare("lte", at(10))]}, True),
        ({"created_at": [Compare("gt", at(10))]}, False),
        ({"created_at": [Compare("neq", at(10))]}, False),
        ({"created_at": [Compare("eq", at(10))]}, True),
        ({"metadata": {"k": "v"}}, True),
        ({"metadata": {"k": "v", "l": "w"}}, True),
        ({"metadata": {"k": "v", "l": "x"}}, False),
        ({"metadata": {"m": "v"}}, False),
        ({"metadata": "k"}, False),
        ({"glance_metadata": {"os": "linux"}}, True),
        ({"glance_metadata": {"os": "plan9"}}, False),
        ({"admin_metadata": {}}, False),
        ({"host": "here"}, True),
        ({"host": "here@one"}, True),
        ({"host": "here@one#one"}, True),
        ({"host": "her"}, False),
        ({"host": "here@on"}, False),
        ({"host": "here@one#two"}, False),
        ({"host": "h_re"}, False),
        ({"volume_type": "__DEFAULT__"}, False),
        ({"no_such_column": "x"}, False),
    ],
)
def test_filters(shared: Database, filters: dict[str, Any], matches: bool) -> None:
    fill(shared, [ONE])
    query = ListQuery(filters=filters, with_count=True)
    with shared.read() as connection:
        page = volumes.list_page(connection, query, PROJECT, admin=True)
    assert [record.id for record in page.items] == ([ONE.id] if matches else [])
    assert page.count == int(matches)


def test_a_page_of_nothing_reads_nothing(shared: Database) -> None:
    fill(shared, [ONE])
    with shared.read() as connection, statements(shared) as seen:
        page = volumes.list_page(connection, ListQuery(limit=0), PROJECT, admin=True)
    assert (page.items, page.count, seen) == ([], None, [])


def test_an_unknown_marker_is_told(shared: Database) -> None:
    with shared.read() as connection, pytest.raises(VolumeNotFound):
        volumes.list_page(connection, ListQuery(marker="nowhere"), PROJECT, admin=True)


def test_a_marker_of_another_project_is_unknown(shared: Database) -> None:
    foreign = volume(project_id="p2", created_at=EPOCH)
    fill(shared, [ONE, foreign])
    with shared.read() as connection:
        with pytest.raises(VolumeNotFound):
            volumes.list_page(connection, ListQuery(marker=foreign.id), PROJECT, admin=False)
        everything = volumes.list_page(connection, ListQuery(marker=ONE.id), None, admin=True)
    assert [record.id for record in everything.items] == [foreign.id]


@pytest.mark.parametrize("name", ["admin_metadata", "no_such_column", "metadata"])
def test_what_cannot_be_sorted_by_is_refused(shared: Database, name: str) -> None:
    with shared.read() as connection, pytest.raises(InvalidInput, match=name):
        volumes.list_page(connection, ListQuery(sort=[SortKey(name)]), PROJECT, admin=True)
