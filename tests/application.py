"""A whole service in the test's own process: real store, real worker, the fake driver.

In a test module or a conftest::

    from tests.application import Application, Start

    def test_one(application: Application) -> None:           # one backend, "one"
        answer = application.client().simulate_get("/v3/<project>/volumes", headers=...)

    def test_two(start: Start) -> None:                       # its own configuration
        application = start(
            {"DEFAULT": {"quota_volumes": 3}},
            backends={"one": {"fake_failures": "create_volume"}, "two": {}},
        )

``application`` and ``start`` are fixtures of this module, which ``tests/conftest.py`` loads as
a plug-in.  Everything lives below the test's temporary directory and ends with the test.

- ``application.client()`` is a ``falcon.testing.TestClient`` of the WSGI application with the
  authenticator ``noauth``: the header ``X-Auth-Token: user:project`` says who asks, ``X-Roles``
  narrows the roles (without it all: an administrator).  ``application.wsgi()`` is the callable.
- ``application.services`` are the services behind the API, ``application.ctx()`` a caller of them.
- ``application.database``, ``.process``, ``.settings``, ``.host`` (the ``WorkerHost``) are what
  they are called.
- ``application.settle()`` waits until no operation is left to do; ``eventually(...)`` waits for
  anything else.
- With ``worker=False`` no worker runs until ``application.start_worker()``, so operations stay
  queued; ``application.stop_worker()`` ends it and ``start_worker()`` begins another one, as a
  restart would.

The fake driver's options (``fake_failures``, ``fake_delay``, ``fake_capacity_gb``) go into a
backend's section; see ``breezeblock.drivers.fake``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import falcon
import pytest
from falcon import testing

from breezeblock.api import wsgi
from breezeblock.api.authentication import factory
from breezeblock.cli.assembly import Process, assemble
from breezeblock.config.settings import Settings, load
from breezeblock.domain.context import RequestContext
from breezeblock.domain.listing import ListQuery
from breezeblock.domain.resources import Message, Pool
from breezeblock.operations import journal
from breezeblock.operations.record import Operation
from breezeblock.operations.runner import Observer, unobserved
from breezeblock.operations.states import OPEN
from breezeblock.services.registry import Services
from breezeblock.store import pools, schema
from breezeblock.store.database import Database
from breezeblock.worker.host import WorkerHost

Found = TypeVar("Found")
Options = Mapping[str, object]

HOST = "here"
PROJECT = "5e7c1bd9a0f24c3c8d6f1a2b3c4d5e6f"
OTHER_PROJECT = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SECONDS = 20.0


def eventually(
    look: Callable[[], Found | None], what: str = "it", seconds: float = SECONDS
) -> Found:
    """What ``look`` finds, as soon as it finds anything that is true; fails after a while."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)


def caller(
    project_id: str = PROJECT,
    *,
    user_id: str = "somebody",
    admin: bool = False,
    request_id: str = "req-11111111-2222-3333-4444-555555555555",
) -> RequestContext:
    """Somebody who asks."""
    return RequestContext(
        user_id=user_id,
        project_id=project_id,
        request_id=request_id,
        roles=("admin", "member", "reader") if admin else ("member", "reader"),
        is_admin=admin,
    )


class Application:
    """A running service; see the module."""

    def __init__(self, settings: Settings, *, observer: Observer = unobserved) -> None:
        self.settings = settings
        self.process: Process = assemble(settings)
        self.services: Services = self.process.services
        self.host: WorkerHost | None = None
        self._observer = observer
        schema.upgrade(self.database)

    @property
    def database(self) -> Database:
        return self.process.deployment.database

    # ---- the worker --------------------------------------------------------------------------

    def start_worker(self, ready: Collection[str] | None = None, seconds: float = SECONDS) -> None:
        """Start it and wait for the first reports of the backends ``ready``, None: of all."""
        deployment = self.process.deployment
        self.host = WorkerHost(
            self.settings,
            deployment.database,
            deployment.scheduler,
            deployment.hints,
            observer=self._observer,
        )
        self.host.start()
        names = self.settings.backends if ready is None else ready
        for name in names:
            eventually(partial(self._is_up, self.settings.service_host(name)), name, seconds)

    def _is_up(self, service_host: str) -> bool:
        assert self.host is not None
        return service_host in self.host.ready() and bool(self.pools(service_host))

    def stop_worker(self, grace_seconds: float = 10.0) -> bool:
        """End it; whether everything that ran ended or was handed over."""
        assert self.host is not None
        host, self.host = self.host, None
        return host.stop(grace_seconds)

    def close(self) -> None:
        if self.host is not None:
            self.stop_worker()
        self.database.dispose()

    # ---- ways in -----------------------------------------------------------------------------

    def wsgi(self) -> wsgi.Application:
        """The WSGI callable of the API."""
        conf = self.settings.conf
        return wsgi.create_application(conf, self.services, factory.create(conf))

    @cached_property
    def _client(self) -> testing.TestClient:
        return testing.TestClient(cast("falcon.App[Any, Any]", self.wsgi()))

    def client(self) -> testing.TestClient:
        """A client that talks WSGI to the application, without a socket."""
        return self._client

    @staticmethod
    def ctx(project_id: str = PROJECT, *, admin: bool = False) -> RequestContext:
        """A caller of the services."""
        return caller(project_id, admin=admin)

    # ---- looking -----------------------------------------------------------------------------

    def settle(self, seconds: float = SECONDS) -> None:
        """Wait until every operation is done or failed."""
        eventually(lambda: not self.unfinished(), "the end of all operations", seconds)

    def unfinished(self) -> Sequence[Operation]:
        """Operations that are not done or failed."""
        return [one for one in self.operations() if one.state in OPEN]

    def operations(self) -> Sequence[Operation]:
        """All operations, the oldest first."""
        with self.database.read() as connection:
            page = journal.list_page(connection, ListQuery(limit=100000), None)
        return sorted(page.items, key=lambda operation: operation.seq)

    def messages(self, project_id: str = PROJECT) -> Sequence[Message]:
        """The project's user messages, the newest first."""
        return self.services.messages.list(caller(project_id), ListQuery()).items

    def pools(self, service_host: str | None = None) -> Sequence[Pool]:
        """Pools as the store has them, of one backend or of all."""
        hosts = [self.settings.service_host(name) for name in self.settings.backends]
        with self.database.read() as connection:
            return [
                pool
                for host in ([service_host] if service_host else hosts)
                for pool in pools.of_service(connection, host)
            ]


class Start(Protocol):
    """The type of the fixture ``start``."""

    def __call__(
        self,
        options: Mapping[str, Options] | None = None,
        *,
        backends: Mapping[str, Options] | None = None,
        worker: bool = True,
        ready: Collection[str] | None = None,
        observer: Observer = unobserved,
    ) -> Application:
        """Start an application.

        ``options`` are sections of its configuration, ``backends`` the sections of its backends
        (one called ``one`` unless given).  ``ready`` are the backends to wait for, None: all.
        """


def configured(
    directory: Path,
    options: Mapping[str, Options] | None = None,
    backends: Mapping[str, Options] | None = None,
) -> Settings:
    """Settings out of a file in ``directory`` that holds these options over a test's defaults."""
    backends = {"one": {}} if backends is None else backends
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {
            "state_path": directory / "state",
            "host": HOST,
            "auth_strategy": "noauth",
            "enabled_backends": ",".join(backends),
            "resource_query_filters_file": directory / "resource_filters.json",
        },
        "database": {"sqlite_synchronous": False},
        "breezeblock": {"operation_poll_interval": 0.2},
    }
    for name, values in backends.items():
        sections[name] = {"volume_driver": "fake", **values}
    for name, values in (options or {}).items():
        sections.setdefault(name, {}).update(values)
    lines = []
    for name, written in sections.items():
        lines += [f"[{name}]", *(f"{option} = {value}" for option, value in written.items()), ""]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "breezeblock.conf"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load([path])


@pytest.fixture
def start(tmp_path: Path, empty_store: Path) -> Iterator[Start]:
    """A function that starts applications, each of its own; all end with the test."""
    started: list[Application] = []

    def start_one(
        options: Mapping[str, Options] | None = None,
        *,
        backends: Mapping[str, Options] | None = None,
        worker: bool = True,
        ready: Collection[str] | None = None,
        observer: Observer = unobserved,
    ) -> Application:
        directory = tmp_path / f"service{len(started)}"
        state = directory / "state"
        state.mkdir(parents=True)
        shutil.copy(empty_store, state / "breezeblock.db")
        settings = configured(directory, options, backends)
        application = Application(settings, observer=observer)
        started.append(application)
        if worker:
            application.start_worker(ready)
        return application

    yield start_one
    for application in started:
        application.close()


@pytest.fixture
def application(start: Start) -> Application:
    """An application with one backend, ``one``, whose worker runs."""
    return start()
