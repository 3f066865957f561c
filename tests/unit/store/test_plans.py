"""What must stay fast with 100,000 rows uses its index: SQLite says so itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.application import caller
from tests.stored import PROJECT, at, attachment, new_database, plan, snapshot, statements, volume

from breezeblock.domain.listing import ListQuery
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.operations import journal
from breezeblock.store import (
    attachments,
    messages,
    pools,
    quotas,
    snapshots,
    volume_types,
    volumes,
)
from breezeblock.store.database import Database, Transaction
from breezeblock.store.tables import operations as operation_table


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A few hundred rows without statistics: as in production, the planner has the indexes only."""
    made = new_database(tmp_path_factory.mktemp("plans") / "store.db")

    def work(tx: Transaction) -> None:
        for number in range(300):
            project = f"p{number % 3}"
            one = volume(project_id=project, created_at=at(number))
            volumes.insert(tx, one)
            snapshots.insert(tx, snapshot(one.id, project_id=project, created_at=at(number)))
            attachments.insert(tx, attachment(one.id, project_id=project, created_at=at(number)))
            messages.insert(
                tx,
                project_id=project,
                request_id=None,
                resource_type="VOLUME",
                resource_id=one.id,
                action=Action.CREATE,
                detail=Detail.UNKNOWN,
                cause=None,
            )
            request = journal.Request(
                kind="k",
                queue="q",
                resource_type="volume",
                resource_id=one.id,
                exclusive=[f"volume:{one.id}"],
            )
            journal.append(tx, caller(project), request)

    made.transact(work)
    yield made
    made.dispose()


def scans(lines: list[str], *, unless: tuple[str, ...] = ()) -> list[str]:
    """Whole tables that are read."""
    return [
        line
        for line in lines
        if line.startswith("SCAN") and "COVERING INDEX" not in line and not line.endswith(unless)
    ]


def test_sums_of_quotas_stay_in_their_index(filled: Database) -> None:
    with filled.read() as connection, statements(filled) as seen:
        quotas.usage(connection, PROJECT)
    assert len(seen) == 2
    for statement, index in zip(seen, ("ix_volumes_quota", "ix_snapshots_quota"), strict=True):
        lines = plan(filled, statement)
        assert any(f"USING COVERING INDEX {index} (project_id=?" in line for line in lines), lines
        # The few groups that come out are read once; no table is.
        assert not scans(lines, unless=("sums", "anon_1", "(subquery-1)")), lines


def test_the_sum_of_a_pool_stays_in_its_index(filled: Database) -> None:
    with statements(filled) as seen:
        filled.transact(lambda tx: pools.report(tx, "here@one", "z", {"here@one#one": {}}))
    (total,) = [statement for statement in seen if "sum(" in statement[0]]
    assert any("USING COVERING INDEX ix_volumes_pool (host=?)" in x for x in plan(filled, total))


LISTS: dict[str, Any] = {
    "volumes": lambda c, q, p: volumes.list_page(c, q, p, admin=p is None),
    "snapshots": snapshots.list_page,
    "attachments": attachments.list_page,
    "messages": messages.list_page,
    "operations": journal.list_page,
    "volume_types": volume_types.list_page,
}


@pytest.mark.parametrize("project", [PROJECT, None], ids=["project", "all"])
@pytest.mark.parametrize("deep", [False, True], ids=["first", "deep"])
@pytest.mark.parametrize("name", LISTS)
def test_a_page_is_read_in_the_order_of_an_index(
    filled: Database, name: str, deep: bool, project: str | None
) -> None:
    table_has_project = name != "volume_types"
    with filled.read() as connection:
        items = LISTS[name](connection, ListQuery(limit=50), project).items
        marker = items[-1].id if deep else None
        with statements(filled) as seen:
            LISTS[name](connection, ListQuery(limit=50, marker=marker), project)
    lines = plan(filled, seen[-1])
    assert not any("TEMP B-TREE FOR ORDER BY" in line for line in lines), lines
    table = next(line for line in lines if f" {name} " in f"{line} ")
    assert "USING INDEX" in table or "USING COVERING INDEX" in table, lines
    if project is not None and table_has_project:
        assert "project_id=?" in table, lines
    if deep and (project is None or table_has_project):
        assert "created_at<?" in table or "created_at>? AND created_at<?" in table, lines


def test_a_page_is_one_statement_for_the_rows(filled: Database) -> None:
    with filled.read() as connection, statements(filled) as seen:
        volumes.list_page(connection, ListQuery(limit=50), PROJECT, admin=False)
    assert len(seen) == 1


@pytest.mark.parametrize("project", [PROJECT, None])
def test_one_row_is_found_by_its_key(filled: Database, project: str | None) -> None:
    with filled.read() as connection, statements(filled) as seen:
        volumes.find(connection, str(uuid.uuid4()))
        page = volumes.list_page(connection, ListQuery(limit=1), PROJECT, admin=True)
        volumes.get(connection, page.items[0].id, project and page.items[0].project_id)
    for statement in (seen[0], seen[-1]):
        lines = plan(filled, statement)
        assert not scans(lines), lines


def test_an_idle_worker_looks_through_open_operations_only(filled: Database) -> None:
    with filled.read() as connection, statements(filled) as seen:
        found = journal.claimable(connection, journal.Competence(["q"], ["k"]), 8)
    assert len(found) == 8
    (statement,) = seen
    lines = plan(filled, statement)
    assert any("ix_operations_claim (state=? AND queue=?)" in line for line in lines), lines
    assert not scans(lines), lines
    with filled.read() as connection, statements(filled) as seen:
        journal.unfinished_kind(connection, "x")
        journal.owners(connection, ["q"])
        journal.unfinished_resources(connection, "q")
    for one in seen:
        assert not scans(plan(filled, one))
    assert operation_table.name == "operations"
