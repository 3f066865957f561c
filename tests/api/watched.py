"""A service whose every answer is judged: what the fuzz tests send their requests to.

`Watched` is the WSGI callable around the application.  It counts requests and checks each answer:
no fault of the server's, a documented body, a log without tracebacks, and a store that a refused
request (or a GET) left as it was.  What an accepted request changed is put back, once its
operations have ended, so that every request meets the same few resources.
"""

from __future__ import annotations

import io
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import NAMESPACE_DNS, uuid5

import sqlalchemy as sa
from tests.application import Application
from tests.stored import volume_type

from breezeblock.api import faults
from breezeblock.domain.resources import Volume
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.store import messages, tables, volume_types
from breezeblock.store.database import Database, Transaction

from .conftest import OTHER_PROJECT, PROJECT, Api

Environment = dict[str, Any]
Row = dict[str, Any]
# What is no state: reports of the worker, and when a row was last touched.
ROUTINE = {
    "services": {"heartbeat_at", "updated_at"},
    "pools": {"capabilities", "reported_at"},
    "volumes": {"updated_at"},
    "attachments": {"updated_at"},
}
POOL = "here@one#one"
CONNECTOR = {"initiator": "iqn.2026-11.org.example:i", "host": "h", "ip": "192.0.2.1"}
# Nothing writes by itself, and nothing is down or full, for as long as a test may last.
QUIET = {
    "report_interval": 86400,
    "service_down_time": 864000,
    "periodic_interval": 86400,
    "periodic_fuzzy_delay": 0,
    "backend_stats_polling_interval": 86400,
    "quota_volumes": 30,
    "quota_gigabytes": 2000,
    "rpc_response_timeout": 10,
}


class Store:
    """Looks whether the database has changed, and puts it back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept = {table: self._rows(table) for table in tables.metadata.sorted_tables}
        self._watch = sqlite3.connect(str(database.url.database), check_same_thread=False)
        self._seen = self._version()

    def close(self) -> None:
        self._watch.close()

    def _version(self) -> int:
        """A number that differs after any commit of anybody else's."""
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def _rows(self, table: sa.Table) -> list[Row]:
        with self._database.read() as connection:
            rows = connection.execute(table.select().order_by(*table.primary_key)).mappings()
            return [dict(row) for row in rows]

    def written(self) -> bool:
        """Whether anything was committed since the last look."""
        before, self._seen = self._seen, self._version()
        return before != self._seen

    def differences(self) -> dict[str, list[Row]]:
        """The rows that are not as they were kept, by table; heartbeats and reports aside."""
        found = {}
        for table, kept in self._kept.items():
            ignored = ROUTINE.get(table.name, set())
            now, then = (
                [{name: row[name] for name in row if name not in ignored} for row in rows]
                for rows in (self._rows(table), kept)
            )
            if now != then:
                found[table.name] = [row for row in now if row not in then]
        return found

    def restore(self) -> None:
        """Make it what it was when it was kept."""

        def work(tx: Transaction) -> None:
            for table in reversed(self._kept):
                tx.execute(table.delete())
            for table, rows in self._kept.items():
                if rows:
                    tx.execute(table.insert(), rows)

        self._database.transact(work)
        self._seen = self._version()


class Records(logging.Handler):
    """Keeps what the log should not hold: errors and tracebacks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(self.format(record))


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Watched:
    """The WSGI callable; see the module.  ``part`` is what requests are counted under."""

    application: Application
    ids: Mapping[str, tuple[str, ...]]
    sent: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    part: str = ""
    records: Records = field(default_factory=Records)

    def __post_init__(self) -> None:
        self._wsgi = self.application.wsgi()
        self.store = Store(self.application.database)

    def __call__(
        self, environment: Environment, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        answered: list[tuple[str, list[tuple[str, str]]]] = []

        def note(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            answered.append((status, headers))
            return start_response(status, headers)

        self.sent[self.part] += 1
        body = b"".join(self._wsgi(environment, note))
        status, headers = answered[-1]
        answer = Answer(int(status[:3]), {n.lower(): v for n, v in headers}, body)
        try:
            self._judge(environment["REQUEST_METHOD"], answer)
        except AssertionError as error:
            raise AssertionError(f"{described(environment)}\n{answer}\n{error}") from None
        return [body]

    def split(self) -> str:
        """How many requests were sent, in all and in each part."""
        parts = [f"{n} {part} ({self.accepted[part]} accepted)" for part, n in self.sent.items()]
        return f"{self.sent.total()} requests: {', '.join(parts)}"

    def _judge(self, method: str, answer: Answer) -> None:
        found, self.records.found = self.records.found, []
        written = self.store.written()
        refused = answer.status >= 400
        if not refused:
            self.accepted[self.part] += 1
        try:
            if written and (refused or method == "GET"):
                differences = unexplained(self.store.differences())
                assert not differences, f"changed the state: {differences}"
        finally:
            if written:
                self.application.settle()
                self.store.restore()
        assert answer.status < 500
        assert not found, found
        assert answer.headers["x-openstack-request-id"].startswith("req-")
        if refused:
            check_fault(answer)

    def send(
        self, method: str, path: str, *, query: str = "", headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Ask the application as a server would; ``path`` and ``query`` are percent-encoded."""
        answered: list[tuple[str, list[tuple[str, str]]]] = []
        errors = io.StringIO()
        environment: Environment = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8776",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": errors,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            prefix = "" if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_"
            environment[prefix + key] = value
        chunks = self(environment, lambda status, given, *_: answered.append((status, given)))
        assert not errors.getvalue(), errors.getvalue()
        status, given = answered[-1]
        return Answer(int(status[:3]), {n.lower(): v for n, v in given}, b"".join(chunks))


def unexplained(differences: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The differences that a refused request must not make.

    Some requests answer with the result of an operation.  If that failed and was undone, the
    answer is a refusal; the journal and the user's message about it stay, as of any operation.
    """
    operations = differences.get("operations", [])
    recorded = {"operations", "messages", "events"}
    undone = operations and all(operation["state"] == "failed" for operation in operations)
    return {} if undone and differences.keys() <= recorded else differences


def described(environment: Environment) -> str:
    """The request, for a failure's message."""
    shown = {
        name: value
        for name, value in environment.items()
        if name.startswith(("HTTP_", "CONTENT_")) or name in ("PATH_INFO", "QUERY_STRING")
    }
    body = environment["wsgi.input"]
    if isinstance(body, io.BytesIO):
        shown["body"] = body.getvalue()
    parts = [f"{name}={str(value)[:400]}" for name, value in shown.items()]
    return f"{environment['REQUEST_METHOD']} {', '.join(parts)}"


def check_fault(answer: Answer) -> None:
    """A refusal is a fault of the documented form, or plain text where no resource is reached."""
    kind = answer.headers["content-type"]
    if answer.status == 401 or (answer.status == 404 and kind.startswith("text/plain")):
        assert kind.startswith("text/plain")
        return
    assert kind == "application/json"
    ((name, details),) = json.loads(answer.body).items()
    assert name == faults.name(answer.status)
    assert details.keys() <= {"code", "message", "retryAfter"}
    assert details["code"] == answer.status
    assert isinstance(details["message"], str)
    assert details["message"]
    assert "Traceback" not in details["message"]


# ---- what is there ------------------------------------------------------------------------------


def identity(name: str) -> str:
    """An id that is the same in every run."""
    return str(uuid5(NAMESPACE_DNS, name))


def furnish(application: Application) -> dict[str, tuple[str, ...]]:
    """Put one of everything into the store; the ids by the first segment of their routes."""
    api = Api(application.client(), application.database)
    kept = {"metadata": {"k": "v"}}

    def volume(name: str, **fields: Any) -> Volume:
        return api.volume(**{"id": identity(name), "host": POOL, **fields})

    free = volume("free", **kept)
    used = volume("used", status="in-use", attach_status="attached", **kept)
    held = volume("held", status="reserved")
    failed = volume("failed", status="error", host=None)
    taken = volume("taken", size=3, **kept)
    theirs = volume("theirs", project_id=OTHER_PROJECT)
    snapshots = (
        api.snapshot(taken, id=identity("snapshot"), host=POOL, **kept),
        api.snapshot(taken, id=identity("latest"), host=POOL, status="error"),
    )
    attachments = (
        api.attachment(used, id=identity("attached"), connector=CONNECTOR),
        api.attachment(held, id=identity("waiting"), attach_status="reserved"),
    )
    types = _types(application.database)
    message = _message(application.database)
    assert api("POST", "/v3/volumes", {"volume": {"size": 1}}, project=PROJECT).status_code == 202
    application.settle()
    volumes = (free, used, held, failed, taken, theirs)
    return {
        "volumes": tuple(one.id for one in volumes),
        "snapshots": tuple(one.id for one in snapshots),
        "attachments": tuple(one.id for one in attachments),
        "types": (*types, "default"),
        "messages": (message,),
        "operations": tuple(one.id for one in application.operations()),
        "extensions": ("os-extended-quotas", "os-types-manage"),
        "os-quota-sets": (PROJECT, OTHER_PROJECT),
        "capabilities": ("here@one",),
    }


def _types(database: Database) -> tuple[str, str]:
    public = volume_type("public", id=identity("public"), extra_specs={"k": "v"})
    private = volume_type("private", id=identity("private"), is_public=False)

    def work(tx: Transaction) -> None:
        volume_types.insert(tx, public)
        volume_types.insert(tx, private)
        volume_types.grant(tx, private.id, PROJECT)

    database.transact(work)
    return public.id, private.id


def _message(database: Database) -> str:
    def work(tx: Transaction) -> str:
        messages.insert(
            tx,
            project_id=PROJECT,
            request_id=None,
            resource_type="VOLUME",
            resource_id=identity("failed"),
            action=Action.CREATE,
            detail=Detail.UNKNOWN,
            cause=None,
        )
        return str(tx.execute(sa.select(tables.messages.c.id)).scalar_one())

    return database.transact(work)


@contextmanager
def watched(application: Application) -> Iterator[Watched]:
    """The service, furnished and watched; it needs a worker that runs."""
    service = Watched(application, furnish(application))
    root = logging.getLogger()
    root.addHandler(service.records)
    try:
        yield service
    finally:
        root.removeHandler(service.records)
        service.store.close()
