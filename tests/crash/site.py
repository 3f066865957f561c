"""One deployment to crash: a state directory, a real tgtd, the services of an API, and workers."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from tests.application import PROJECT, caller, eventually
from tests.crash.worker_process import ARMED, REACHED, RELEASED, Trap, WorkerProcess
from tests.tgtd import free_port

from breezeblock.cli.assembly import Process, assemble
from breezeblock.cli.target_daemon import stop as stop_target_daemon
from breezeblock.config.settings import load
from breezeblock.domain.attachment_states import ATTACHMENT
from breezeblock.domain.errors import BreezeblockError
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.domain.snapshot_states import SNAPSHOT
from breezeblock.domain.state_machine import Kind
from breezeblock.domain.volume_states import VOLUME
from breezeblock.drivers.file import FileConfiguration, FileDriver
from breezeblock.operations.states import FAILED, OPEN
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import quotas, schema, services, tables, volumes
from breezeblock.targets.registry import create_target
from breezeblock.targets.tgt import TgtAdm

CONNECTOR = {"initiator": "iqn.1994-05.org.debian:crash", "ip": "127.0.0.1", "host": "crash"}
_CONFIG = """
[DEFAULT]
state_path = {state}
host = crashing
auth_strategy = noauth
enabled_backends = file
backend_stats_polling_interval = 3
report_interval = 1
rpc_response_timeout = 60
[database]
sqlite_synchronous = false
[breezeblock]
operation_poll_interval = 0.05
operation_lease = {lease}
tgt_daemon_managed = true
tgt_control_port = {control}
[file]
volume_driver = file
volume_backend_name = file
file_volumes_directory = {state}/data
target_ip_address = 127.0.0.1
target_port = {port}
"""


class Site:
    """A service whose workers come and go, and whose API is the test itself."""

    def __init__(self, directory: Path, *, lease: float = 30.0) -> None:
        port = free_port()
        self.directory = directory
        self.config_file = directory / "site.conf"
        text = _CONFIG.format(state=directory, port=port, control=port % 32000 + 1, lease=lease)
        self.config_file.write_text(text, encoding="utf-8")
        self.settings = load([self.config_file])
        self.process: Process = assemble(self.settings)
        self.services = self.process.services
        self.database = self.process.deployment.database
        schema.upgrade(self.database)
        self.ctx = caller()
        self.admin = caller(admin=True)
        self._workers: list[WorkerProcess] = []
        self._requests: list[threading.Thread] = []

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        for request in self._requests:
            request.join(1)
        self.database.dispose()
        stop_target_daemon(self.settings)

    # ---- workers -----------------------------------------------------------------------------

    def start_worker(self, trap: Trap | None = None) -> WorkerProcess:
        """Start one and wait until it serves its backend."""
        started = time.time()
        worker = WorkerProcess(self.config_file, trap)
        self._workers.append(worker)
        eventually(lambda: self._reported_since(started), "the worker's first report")
        return worker

    def _reported_since(self, moment: float) -> bool:
        with self.database.read() as connection:
            reported = connection.execute(sa.select(tables.pools.c.reported_at)).scalars().all()
            known = services.all_of(connection)
        if not reported or not known or known[0].heartbeat_at is None:
            return False
        newest = max(reported).timestamp() - time.timezone
        return bool(newest >= moment - 0.001)

    def arm(self) -> None:
        (self.directory / ARMED).touch()

    def disarm(self) -> None:
        with suppress(FileNotFoundError):
            (self.directory / ARMED).unlink()

    def pause(self, worker: WorkerProcess) -> None:
        """Pause a worker in its trap, at a moment at which it does not hold SQLite's write lock:
        nobody could write to that file then, however long the pause."""
        eventually(lambda: self.trap_sprang, "the worker's trap")
        while True:
            worker.pause()
            if self._is_writable():
                return
            worker.resume()

    def _is_writable(self) -> bool:
        with closing(sqlite3.connect(self.directory / "breezeblock.db", timeout=0.2)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            probe.rollback()
            return True

    def resume(self, worker: WorkerProcess) -> None:
        """Let it go on, out of its trap."""
        (self.directory / RELEASED).touch()
        worker.resume()

    @property
    def trap_sprang(self) -> bool:
        return (self.directory / REACHED).exists()

    # ---- requests ----------------------------------------------------------------------------

    def in_background(self, request: Callable[[], object]) -> None:
        """Make a request that waits for its operation; its refusal is not the test's matter."""

        def run() -> None:
            with suppress(BreezeblockError):
                request()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._requests.append(thread)

    def volume(self, **request: Any) -> Volume:
        """Create a volume and wait for it."""
        asked = VolumeRequest(**{"size": 1, **request})
        made = self.services.volumes.create(self.ctx, asked)
        self.settle()
        return self.services.volumes.get(self.ctx, made.id)

    def snapshot(self, volume: Volume) -> Snapshot:
        made = self.services.snapshots.create(
            self.ctx, volume.id, name=None, description=None, metadata={}, in_use_allowed=True
        )
        self.settle()
        return self.services.snapshots.get(self.ctx, made.id)

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until no operation is open."""
        eventually(lambda: not self.open_operations(), "the end of all operations", seconds)

    def open_operations(self) -> list[tuple[str, str]]:
        statement = sa.select(tables.operations.c.kind, tables.operations.c.state).where(
            tables.operations.c.state.in_(OPEN)
        )
        with self.database.read() as connection:
            return [(row.kind, row.state) for row in connection.execute(statement)]

    def failed_operations(self, kind: str) -> int:
        """How many operations of a kind have failed and are undone."""
        table = tables.operations
        statement = sa.select(sa.func.count()).where(table.c.kind == kind, table.c.state == FAILED)
        with self.database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    # ---- data --------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        found = [p for p in (self.directory / "data").rglob(name) if p.is_file()]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    def fill(self, name: str, pattern: bytes) -> None:
        """Write a pattern at the start, in the middle and at the end of a volume."""
        with self.path(name).open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            for offset in (0, size // 2, size - 65536):
                file.seek(offset)
                file.write(pattern * (65536 // len(pattern)))

    def holds(self, name: str, pattern: bytes, size: int | None = None) -> bool:
        """Whether the pattern is at the start and in the middle of what was ``size`` GiB."""
        with self.path(name).open("rb") as file:
            whole = (size or 1) * 1024**3
            for offset in (0, whole // 2, whole - 65536):
                file.seek(offset)
                if file.read(65536) != pattern * (65536 // len(pattern)):
                    return False
        return True

    # ---- the verdict -------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing is stuck, nothing is orphaned, and what is counted is what is there."""
        assert self.open_operations() == []
        with self.database.read() as connection:
            self._check_states(connection)
            self._check_objects(connection)
            self._check_exports(connection)
            self._check_quota(connection)
            locks = connection.execute(sa.select(tables.operation_locks)).all()
        assert locks == []

    def _check_states(self, connection: Any) -> None:
        for table, column, machine in (
            (tables.volumes, "status", VOLUME),
            (tables.snapshots, "status", SNAPSHOT),
            (tables.attachments, "attach_status", ATTACHMENT),
        ):
            found = set(connection.execute(sa.select(table.c[column])).scalars())
            assert found & machine.of_kind(Kind.PASSING) == set(), table.name

    def _check_objects(self, connection: Any) -> None:
        driver = FileDriver(
            configuration=cast(FileConfiguration, self.settings.backends["file"]),
            host="crashing@file",
        )
        rows = _names(connection, tables.volumes, "volume")
        assert driver.list_volume_names() == rows
        assert driver.list_snapshot_names() == _names(connection, tables.snapshots, "snapshot")
        leftovers = [p.name for p in (self.directory / "data").rglob("*.partial*")]
        assert leftovers == []

    def _check_exports(self, connection: Any) -> None:
        target = create_target(self.settings.backends["file"])
        assert isinstance(target, TgtAdm)
        held = volumes.with_exports(connection, "crashing@file")
        assert set(target.list_exports()) == {volume.name for volume in held}

    def _check_quota(self, connection: Any) -> None:
        used = quotas.usage(connection, PROJECT)
        counted: Mapping[str, int] = quotas.count_again(connection, PROJECT)
        for name, total in counted.items():
            assert (used[name].in_use if name in used else 0) == total, name
            assert (used[name].reserved if name in used else 0) == 0, name


def _names(connection: Any, table: sa.Table, kind: str) -> set[str]:
    """Backend names of the rows that must have data: all but those that could not be made."""
    rows = connection.execute(sa.select(table.c.id).where(table.c.status != "error")).scalars()
    return {f"{kind}-{id_}" for id_ in rows}
