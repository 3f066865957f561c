"""Transactions: all or nothing, one writer after the other, again when the database asks."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.stored import PROJECT

from breezeblock.store import quotas
from breezeblock.store.database import Database, Transaction
from breezeblock.store.tables import quota_projects


class Broken(Exception):
    pass


def generation(database: Database) -> int | None:
    with database.read() as connection:
        value: int | None = connection.execute(sa.select(quota_projects.c.generation)).scalar()
    return value


def test_what_breaks_leaves_nothing(database: Database) -> None:
    called: list[str] = []

    def work(tx: Transaction) -> None:
        tx.after_commit(lambda: called.append("hint"))
        quotas.lock(tx, PROJECT)
        raise Broken

    with pytest.raises(Broken):
        database.transact(work)
    assert generation(database) is None
    assert called == []


def test_hints_are_given_after_the_commit(database: Database) -> None:
    seen: list[int | None] = []

    def work(tx: Transaction) -> str:
        tx.after_commit(lambda: seen.append(generation(database)))
        quotas.lock(tx, PROJECT)
        return "result"

    assert database.transact(work) == "result"
    assert seen == [1]


def test_what_the_database_refuses_for_now_is_run_again(database: Database) -> None:
    tries: list[int] = []

    def work(tx: Transaction) -> None:
        quotas.lock(tx, PROJECT)
        tries.append(1)
        if len(tries) < 3:
            raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("database is locked"))

    database.transact(work)
    assert len(tries) == 3
    assert generation(database) == 1


def test_other_errors_are_not_repeated(database: Database) -> None:
    tries: list[int] = []

    def work(tx: Transaction) -> Any:
        tries.append(1)
        return tx.execute(sa.text("SELECT nonsense"))

    with pytest.raises(sa.exc.OperationalError):
        database.transact(work)
    assert len(tries) == 1


def test_writers_of_threads_and_of_other_processes_all_get_through(
    database: Database, tmp_path: Path
) -> None:
    # Another Database on the same file is what another process has: no lock in common.
    other = Database(database.url.render_as_string(), synchronous=False)
    errors: list[Exception] = []

    def write(into: Database) -> None:
        try:
            for _ in range(10):
                into.transact(lambda tx: quotas.lock(tx, PROJECT))
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=write, args=(into,)) for into in (database, other) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert generation(database) == 80
    other.dispose()


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    def work(tx: Transaction) -> None:
        quotas.lock(tx, PROJECT)
        assert generation(database) is None

    database.transact(work)


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    def first_look(database: Database, together: threading.Barrier) -> None:
        together.wait()
        with database.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    for number in range(30):
        databases = [Database(f"sqlite:///{tmp_path}/{number}.db") for _ in range(3)]
        together = threading.Barrier(len(databases))
        with ThreadPoolExecutor(len(databases)) as pool:
            looks = [pool.submit(first_look, database, together) for database in databases]
        for look in looks:
            look.result()
        for database in databases:
            database.dispose()


def test_pragmas(tmp_path: Path) -> None:
    for synchronous, expected in ((True, 2), (False, 1)):
        database = Database(f"sqlite:///{tmp_path}/x.db", synchronous=synchronous)
        with database.read() as connection:
            pragma = connection.exec_driver_sql
            assert pragma("PRAGMA journal_mode").scalar() == "wal"
            assert pragma("PRAGMA synchronous").scalar() == expected
            assert pragma("PRAGMA foreign_keys").scalar() == 1
        database.dispose()
