"""A whole service on real storage, asked through its REST API."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.application import PROJECT, Application, configured
from tests.vm_lab.polling import wait_until

from breezeblock.cli.target_daemon import stop as stop_target_daemon

#: Seconds that anything may take: a guest of the lab is slow, and may be one of two.
PATIENCE = 180.0


class Cloud:
    """What a user of the API does, each until it is done.

    A volume type of the backend's name is made for every backend.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self._client = application.client()
        for name in application.settings.backends:
            made = self.ask("POST", "/types", {"volume_type": {"name": name}})
            self.ask(
                "POST",
                f"/types/{made['volume_type']['id']}/extra_specs",
                {"extra_specs": {"volume_backend_name": name}},
            )

    def ask(self, method: str, path: str, body: Any = None, version: str = "3.71") -> Any:
        """The parsed answer; a refusal fails the test with the service's own words."""
        answer = self._client.simulate_request(
            method,
            f"/v3/{PROJECT}{path}",
            headers={
                "X-Auth-Token": f"user:{PROJECT}",
                "Content-Type": "application/json",
                "OpenStack-API-Version": f"volume {version}",
            },
            body=None if body is None else json.dumps(body),
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.status} {answer.text}"
        return json.loads(answer.text) if answer.text else None

    # ---- volumes and snapshots -----------------------------------------------------------------

    def create(self, backend: str, size: int = 1, **source: str) -> str:
        """The id of a new volume on ``backend``; ``source`` is snapshot_id or source_volid."""
        body = {"size": size, "volume_type": backend, **source}
        made = self.ask("POST", "/volumes", {"volume": body})["volume"]
        self.settled("volumes", made["id"], "available")
        return str(made["id"])

    def snapshot(self, volume_id: str) -> str:
        made = self.ask("POST", "/snapshots", {"snapshot": {"volume_id": volume_id}})["snapshot"]
        self.settled("snapshots", made["id"], "available")
        return str(made["id"])

    def extend(self, volume_id: str, size: int, then: str) -> None:
        self.ask("POST", f"/volumes/{volume_id}/action", {"os-extend": {"new_size": size}})
        self.settled("volumes", volume_id, then)

    def revert(self, volume_id: str, snapshot_id: str) -> None:
        self.ask("POST", f"/volumes/{volume_id}/action", {"revert": {"snapshot_id": snapshot_id}})
        self.settled("volumes", volume_id, "available")

    def delete(self, kind: str, *resource_ids: str) -> None:
        """Delete all of them at once; a refusal fails the test with the service's messages."""
        for resource_id in resource_ids:
            self.ask("DELETE", f"/{kind}/{resource_id}")

        def gone() -> bool:
            found = self.ask("GET", f"/{kind}/detail")[kind]
            states = {one["id"]: one["status"] for one in found if one["id"] in resource_ids}
            if set(states.values()) - {"deleting"}:
                raise AssertionError(f"{kind} stay: {states}: {self._causes()}")
            return not states

        wait_until(gone, PATIENCE)

    def settled(self, kind: str, resource_id: str, status: str) -> None:
        """Wait for ``status``; the resource's message if it fails."""
        name = kind.removesuffix("s")

        def look() -> bool:
            found = self.ask("GET", f"/{kind}/{resource_id}")[name]["status"]
            if "error" in found:
                raise AssertionError(f"{name} {resource_id} is {found}: {self._causes()}")
            return bool(found == status)

        wait_until(look, PATIENCE)

    def _causes(self) -> list[str | None]:
        return [message.cause for message in self.application.messages()]

    # ---- attachments -------------------------------------------------------------------------

    def attach(self, volume_id: str, connector: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The id of an attachment and ``{"driver_volume_type", "data"}`` for os-brick."""
        body = {"volume_uuid": volume_id, "connector": dict(connector)}
        made = self.ask("POST", "/attachments", {"attachment": body})["attachment"]
        data = dict(made["connection_info"])
        return str(made["id"]), {
            "driver_volume_type": data.pop("driver_volume_type"),
            "data": data,
        }

    def complete(self, attachment_id: str) -> None:
        self.ask("POST", f"/attachments/{attachment_id}/action", {"os-complete": {}})

    def detach(self, attachment_id: str) -> None:
        self.ask("DELETE", f"/attachments/{attachment_id}")


@contextmanager
def cloud(backends: Mapping[str, Mapping[str, object]], **wide: object) -> Iterator[Cloud]:
    """A service with these backends, from a new store to its end; ``wide`` options are of all."""
    directory = Path(tempfile.mkdtemp(prefix="cloud-"))
    options: dict[str, Mapping[str, object]] = {
        "DEFAULT": {
            "my_ip": "127.0.0.1",
            "rpc_response_timeout": int(PATIENCE),
            # Several backends share a volume group here, and none knows what the others take.
            "backend_stats_polling_interval": 3,
            **dict.fromkeys(("quota_volumes", "quota_snapshots", "quota_gigabytes"), -1),
            **wide,
        },
    }
    settings = configured(directory, options, backends)
    (directory / "state").mkdir(exist_ok=True)
    application = Application(settings)
    try:
        application.start_worker(seconds=PATIENCE)
        yield Cloud(application)
    finally:
        application.close()
        # It outlives its service on purpose, and holds port 3260 of every RDMA device.
        stop_target_daemon(settings)
        shutil.rmtree(directory)
