"""Connections and transactions.

Two ways in: ``read()`` hands out a connection in autocommit mode, and ``transact(work)`` runs a
function in one write transaction, again when the database asks for it (a deadlock, a busy
SQLite file, a Galera certification failure), so ``work`` must have no effect outside.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, CursorResult, Engine, make_url

Result = TypeVar("Result")
AnyRow: TypeAlias = sa.Row[*tuple[Any, ...]]

BUSY_TIMEOUT_SECONDS = 60.0
RETRIES = 20
_RETRYABLE_MYSQL = {1213, 1205, 1020}
_RETRYABLE_POSTGRESQL = {"40001", "40P01"}


class Transaction:
    """A write transaction: statements now, hints after the commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._after_commit: list[Callable[[], None]] = []

    @property
    def connection(self) -> Connection:
        return self._connection

    def execute(
        self,
        statement: sa.Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run ``call`` once the transaction is durable; it is dropped on a rollback."""
        self._after_commit.append(call)

    def committed(self) -> None:
        for call in self._after_commit:
            call()


class Database:
    """One database, shared by all threads of a process."""

    def __init__(
        self, url: str, *, pool_size: int = 5, max_overflow: int = 50, synchronous: bool = True
    ) -> None:
        """``synchronous`` makes SQLite wait for the disk on every commit."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = _engine(self.url, pool_size, max_overflow)
        if self.is_sqlite:
            _prepare_sqlite(self._engine, synchronous=synchronous)
        # SQLite's connections begin nothing by themselves, see ``_prepare_sqlite``.
        self._autocommit = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        # SQLite has one writer.  Queuing for it here is fair and free; its own busy handler
        # sleeps and polls, and stays only for other processes.
        self._writer: threading.Lock | None = threading.Lock() if self.is_sqlite else None

    @property
    def engine(self) -> Engine:
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on which every statement stands alone."""
        with self._autocommit.connect() as connection:
            yield connection

    def transact(self, work: Callable[[Transaction], Result]) -> Result:
        """Run ``work`` in one transaction and return what it returns."""
        for attempt in range(RETRIES):
            try:
                return self._transact_once(work)
            except sa.exc.DBAPIError as error:
                if attempt == RETRIES - 1 or not _may_be_retried(error):
                    raise
                time.sleep(min(0.005 * 2**attempt, 0.5))
        raise AssertionError("unreachable")

    def _transact_once(self, work: Callable[[Transaction], Result]) -> Result:
        if self._writer is None:
            return self._commit(work)
        with self._writer:
            return self._commit(work)

    def _commit(self, work: Callable[[Transaction], Result]) -> Result:
        with self._engine.connect() as connection, connection.begin():
            if self.is_sqlite:
                # Taking the write lock at once avoids the deadlock of two readers who both
                # come to write.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            transaction = Transaction(connection)
            result = work(transaction)
        transaction.committed()
        return result

    def dispose(self) -> None:
        """Close all pooled connections."""
        self._engine.dispose()


def _engine(url: URL, pool_size: int, max_overflow: int) -> Engine:
    limits = {"pool_size": pool_size, "max_overflow": max_overflow}
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, **limits)
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    arguments = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    return sa.create_engine(url, connect_args=arguments, **limits)


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Of those who open a new file at the same moment SQLite refuses some, without a wait."""
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as refused:
            if refused.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _prepare_sqlite(engine: Engine, *, synchronous: bool) -> None:
    def configure(dbapi_connection: Any, _record: object) -> None:
        # The driver's own transaction control would start transactions lazily and deferred.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        _switch_to_wal(cursor)
        # An accepted request must survive a power cut, not only a killed process.
        cursor.execute(f"PRAGMA synchronous={'FULL' if synchronous else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-8192")
        cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()

    sa.event.listen(engine, "connect", configure)


def _may_be_retried(error: sa.exc.DBAPIError) -> bool:
    original = error.orig
    if original is None:
        return False
    if "database is locked" in str(original):
        return True
    if getattr(original, "sqlstate", None) in _RETRYABLE_POSTGRESQL:
        return True
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    return arguments[:1] != () and arguments[0] in _RETRYABLE_MYSQL
