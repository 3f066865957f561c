"""The real application on a real store, without workers: what a request answers, and what it
leaves behind, not what becomes of it later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import falcon.testing
import pytest
from oslo_config import cfg

from breezeblock.api import wsgi
from breezeblock.api.authentication.noauth import NoAuth
from breezeblock.config import process
from breezeblock.domain.resources import Attachment, Snapshot, Volume
from breezeblock.operations.wakeup import Hints
from breezeblock.scheduling.placement import Scheduler
from breezeblock.services.deployment import Deployment, Rules
from breezeblock.services.registry import Services
from breezeblock.store import attachments, pools, schema, services, snapshots, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Database

HOST = "host@backend"
POOL = f"{HOST}#pool"
PROJECT = "aaaa"
OTHER_PROJECT = "bbbb"
CAPABILITIES = {
    "total_capacity_gb": 10_000,
    "free_capacity_gb": 10_000,
    "provisioned_capacity_gb": 0,
    "reserved_percentage": 0,
    "max_over_subscription_ratio": "20.0",
    "thin_provisioning_support": True,
    "storage_protocol": ["iSCSI", "iscsi"],
}
QUOTAS = {
    "volumes": 10,
    "snapshots": 10,
    "gigabytes": 100,
    "per_volume_gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 100,
    "groups": 10,
}


@dataclass(frozen=True)
class Api:
    """A client of the application, and a way to put rows into its store."""

    client: falcon.testing.TestClient
    database: Database

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = "3.71",
        project: str = PROJECT,
        roles: str | None = None,
        headers: dict[str, str] | None = None,
        query_string: str | None = None,
        raw: bytes | None = None,
    ) -> falcon.testing.Result:
        """Ask as an administrator of ``project``, or with these roles only."""
        given = {"X-Auth-Token": f"user:{project}", **(headers or {})}
        if version is not None:
            given["OpenStack-API-Version"] = f"volume {version}"
        if roles is not None:
            given["X-Roles"] = roles
        if body is not None:
            given["Content-Type"] = "application/json"
            raw = json.dumps(body).encode()
        return self.client.simulate_request(
            method, path, query_string=query_string, headers=given, body=raw
        )

    def volume(self, **fields: Any) -> Volume:
        """A volume as if it had been made."""
        values: dict[str, Any] = {
            "id": str(uuid4()),
            "project_id": PROJECT,
            "user_id": "user",
            "size": 1,
            "status": "available",
            "host": POOL,
            "availability_zone": "nova",
            "created_at": now(),
            **fields,
        }
        record = Volume(**values)
        self.database.transact(lambda tx: volumes.insert(tx, record))
        return record

    def snapshot(self, volume: Volume, **fields: Any) -> Snapshot:
        values: dict[str, Any] = {
            "id": str(uuid4()),
            "volume_id": volume.id,
            "project_id": volume.project_id,
            "user_id": "user",
            "volume_size": volume.size,
            "status": "available",
            "host": POOL,
            "created_at": now(),
            **fields,
        }
        record = Snapshot(**values)
        self.database.transact(lambda tx: snapshots.insert(tx, record))
        return record

    def attachment(self, volume: Volume, **fields: Any) -> Attachment:
        values: dict[str, Any] = {
            "id": str(uuid4()),
            "volume_id": volume.id,
            "project_id": volume.project_id,
            "attach_status": "attached",
            "created_at": now(),
            **fields,
        }
        record = Attachment(**values)
        self.database.transact(lambda tx: attachments.insert(tx, record))
        return record


def configuration() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    for group, options in process.groups().items():
        conf.register_opts(options, None if group == "DEFAULT" else group)
    conf([], default_config_files=[], default_config_dirs=[])
    return conf


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/test.db", synchronous=False)
    schema.upgrade(made)

    def backend(tx: Any) -> None:
        services.register(tx, HOST, "cinder-volume", "nova")
        pools.report(tx, HOST, "nova", {POOL: CAPABILITIES})

    made.transact(backend)
    yield made
    made.dispose()


@pytest.fixture
def made_of(database: Database) -> Services:
    return Services.of(
        Deployment(
            database=database,
            hints=Hints(),
            scheduler=Scheduler(filters=(), weighers=()),
            # Nobody works here: what waits for a worker need not wait long.
            rules=Rules(quotas=QUOTAS, response_timeout=0.01),
        )
    )


@pytest.fixture
def api(database: Database, made_of: Services) -> Api:
    application = wsgi.create_application(configuration(), made_of, NoAuth())
    return Api(falcon.testing.TestClient(application), database)
