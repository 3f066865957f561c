"""The real application on a real store, and short ways to ask it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import falcon.testing
import pytest
from tests.application import Application, Start

from breezeblock.domain.resources import Attachment, Snapshot, Volume
from breezeblock.store import attachments, pools, services, snapshots, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Database, Transaction

HOST = "here@one"
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
QUOTAS = {"quota_volumes": 10, "quota_snapshots": 10, "quota_gigabytes": 100}


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


@pytest.fixture
def resting(start: Start) -> Application:
    """The whole application on a real store, with a backend that reports but no worker: what is
    asked for is queued, and rows stay as tests put them."""
    # Nobody carries operations out: what waits for one shall not wait long.
    options = {**QUOTAS, "rpc_response_timeout": 1}
    application = start({"DEFAULT": options}, worker=False)

    def backend(tx: Transaction) -> None:
        services.register(tx, HOST, "cinder-volume", "nova")
        pools.report(tx, HOST, "nova", {POOL: CAPABILITIES})

    application.database.transact(backend)
    return application


@pytest.fixture
def api(resting: Application) -> Api:
    return Api(resting.client(), resting.database)


@pytest.fixture
def living(application: Application) -> Api:
    """The same with a worker, so that what is asked for happens."""
    return Api(application.client(), application.database)
