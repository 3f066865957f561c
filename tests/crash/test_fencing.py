"""A worker that was paused past its lease, and goes on, changes nothing any more.

It is paused with SIGSTOP in the middle of a step.  Another worker takes the operation over and
ends it, the volume lives on or is gone, and only then the first one continues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.application import eventually
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.site import Site
from tests.crash.worker_process import Trap

from breezeblock.flows import kinds
from breezeblock.operations.runner import Point
from breezeblock.store import tables

LEASE_SECONDS = 1.0

PAUSED = [
    (kinds.CREATE_VOLUME, "empty", "allocate", Point.BEFORE),
    (kinds.CREATE_VOLUME, "empty", "allocate", Point.EFFECT),
    (kinds.CREATE_VOLUME, "from-snapshot", "allocate", Point.EFFECT),
    (kinds.DELETE_VOLUME, "plain", "unexport", Point.RECORDED),
    (kinds.EXTEND_VOLUME, "available", "extend", Point.BEFORE),
    (kinds.CONNECT_ATTACHMENT, "plain", "export", Point.EFFECT),
    (kinds.CONNECT_ATTACHMENT, "plain", "initialize", Point.EFFECT),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, lease=LEASE_SECONDS)
    yield made
    made.close()


def _scenario(kind: str, name: str) -> Scenario:
    return next(s for s in SCENARIOS if (s.kind, s.name) == (kind, name))


def _everything(site: Site) -> dict[str, Any]:
    """All that a worker could change: rows and files.  Heartbeats and reports are not its
    operation's."""
    rows: dict[str, Any] = {}
    with site.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name not in ("services", "pools"):
                rows[table.name] = connection.execute(sa.select(table)).all()
    data = site.directory / "data"
    files = {p: _digest(p) for p in sorted(data.rglob("*-*-*-*-*")) if p.is_file()}
    targets = {p: p.read_bytes() for p in sorted((site.directory / "volumes").rglob("volume-*"))}
    return {"rows": rows, "files": files, "targets": targets}


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.sha256(file.read(1024 * 1024)).hexdigest()


@pytest.mark.parametrize(("kind", "name", "step", "point"), PAUSED)
def test_a_paused_worker_changes_nothing(
    site: Site, kind: str, name: str, step: str, point: Point
) -> None:
    scenario = _scenario(kind, name)
    paused = site.start_worker(Trap(kind, step, point, deadly=False))
    things = scenario.prepare(site)
    site.arm()
    scenario.start(site, things)
    site.pause(paused)
    site.disarm()
    site.start_worker()
    site.settle()
    scenario.succeeded(site, things)
    before = _everything(site)

    site.resume(paused)

    log = site.config_file.with_suffix(".log")
    eventually(lambda: "to another worker" in log.read_text(), "the paused worker's insight")
    assert _everything(site) == before
    site.check()


def test_what_was_made_and_deleted_meanwhile_does_not_come_back(site: Site) -> None:
    """The paused creator finds its volume gone, and must not make it again."""
    paused = site.start_worker(Trap(kinds.CREATE_VOLUME, "allocate", Point.BEFORE, deadly=False))
    site.arm()
    things: dict[str, Any] = {}
    _scenario(kinds.CREATE_VOLUME, "empty").start(site, things)
    site.pause(paused)
    site.disarm()
    site.start_worker()
    site.settle()
    volume = site.services.volumes.get(site.ctx, things["new"].id)
    site.services.volumes.delete(site.ctx, volume)
    site.settle()

    site.resume(paused)

    log = site.config_file.with_suffix(".log")
    eventually(lambda: "to another worker" in log.read_text(), "the paused worker's insight")
    site.check()
    assert list((site.directory / "data").rglob(f"*{volume.id}*")) == []


def test_two_workers_never_run_the_same_operation(site: Site) -> None:
    """Two workers serve one queue: every operation is claimed exactly once."""
    site.start_worker()
    site.start_worker()
    for _ in range(8):
        _scenario(kinds.CREATE_VOLUME, "empty").start(site, {})
    site.settle()
    with site.database.read() as connection:
        epochs = list(connection.execute(sa.select(tables.operations.c.epoch)).scalars())
        events = connection.execute(
            sa.select(tables.events.c.resource_id, sa.func.count()).group_by(
                tables.events.c.resource_id
            )
        ).all()
    assert epochs == [1] * 8
    assert [count for _, count in events] == [1] * 8
    site.check()
