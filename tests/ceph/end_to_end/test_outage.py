"""The cluster hangs for half a minute under a busy service, and nothing is stuck or lost.

The service is a process of its own, as an operator's: whatever a call to the cluster holds while it
hangs, the API must not need it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.ceph.end_to_end.images import Images, backend
from tests.ceph_lab.cluster import Cluster
from tests.service import Service, service
from tests.vm_lab.polling import wait_until

from breezeblock.cli.block_storage import BlockStorage

#: Seconds that the osd and the monitor hang.
OUTAGE = 30.0
#: Seconds until all operations must have ended: the longest chain of tries, on a busy machine.
PATIENCE = 240.0
#: Seconds that an answer may take meanwhile.
FAST = 1.0
PROJECT = "outage"
GIB = 1024**3
LOOKS = (
    "/volumes/detail",
    "/snapshots/detail",
    "/scheduler-stats/get_pools?detail=true",
    "/os-services",
    "/limits",
    "/messages",
)
ENDED = {"available", "error", "error_deleting", "error_extending"}

Request = Callable[[BlockStorage], object]


@dataclass
class Answers:
    """How long each question took, in seconds."""

    seconds: list[tuple[float, str]] = field(default_factory=list)

    @contextmanager
    def asked_all_along(self, running: Service) -> Iterator[None]:
        """Ask one thing after the other, ten times a second, during the block."""
        over = threading.Event()

        def ask() -> None:
            with running.client(PROJECT) as client:
                while not over.wait(0.1):
                    for path in LOOKS:
                        began = time.monotonic()
                        client.request("GET", path)
                        self.seconds.append((time.monotonic() - began, path))

        with ThreadPoolExecutor(1) as aside:
            asking = aside.submit(ask)
            try:
                yield
            finally:
                over.set()
            asking.result()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("limit", [-1, 5], ids=["patient", "impatient"])
def test_half_a_minute_without_the_cluster(ceph: Cluster, images: Images, limit: int) -> None:
    """``patient``: calls outlast the outage; otherwise they time out and are tried again."""
    settings: dict[str, Mapping[str, object]] = {
        "DEFAULT": {
            "enabled_backends": "rbd",
            **dict.fromkeys(("quota_volumes", "quota_snapshots", "quota_gigabytes"), -1),
            # So that the backend is looked at during the outage too.
            "backend_stats_polling_interval": 5,
        },
        # All of them are to be under way at once.
        "breezeblock": {"worker_threads": 50},
        "rbd": {"volume_backend_name": "rbd", **backend(ceph, rados_connect_timeout=limit)},
    }
    answers = Answers()
    with service("noauth", settings=settings) as running:
        with running.client(PROJECT) as client:
            prepared = [_created(client) for _ in range(25)]
        for volume in prepared[:10]:
            images.write(volume, m0=7)
        requests = _requests(prepared)
        random.Random(5).shuffle(requests)
        with answers.asked_all_along(running), ThreadPoolExecutor(10) as senders:
            half = [senders.submit(_send, running, request) for request in requests[:25]]
            with ceph.paused("osd", "mon"):
                rest = [senders.submit(_send, running, request) for request in requests[25:]]
                for sent in (*half, *rest):
                    sent.result(timeout=OUTAGE)
                began = time.monotonic()
                assert len(_unfinished(running)) >= 25
                # Nothing to wait for: the outage is to last.
                threading.Event().wait(OUTAGE)
                print(f"under way after {time.monotonic() - began:.0f} s: {_unfinished(running)}")
            wait_until(lambda: not _unfinished(running), PATIENCE, "the end of all operations")
        slowest = max(answers.seconds)
        print(f"{len(answers.seconds)} answers, the slowest: {slowest}")
        assert slowest[0] < FAST, sorted(answers.seconds)[-10:]
        with running.client(PROJECT) as client:
            _expect_truth(client, images, prepared)
            # What failed can be deleted like the others.
            _delete_all(client)


def _created(client: BlockStorage) -> str:
    made = client.create("volume", size=1)
    client.wait("volume", made["id"], "available")
    return str(made["id"])


def _requests(prepared: list[str]) -> list[Request]:
    """Fifty, of every kind; no two want to change the same volume."""
    copied, grown, deleted = prepared[:10], prepared[10:20], prepared[20:]
    return [
        *[lambda c: c.create("volume", size=1)] * 15,
        *(_bound("snapshot", volume_id=volume) for volume in copied),
        *(_bound("volume", size=1, source_volid=volume, name=f"of {volume}") for volume in copied),
        *(lambda c, id=volume: c.action("volume", id, "os-extend", new_size=2) for volume in grown),
        *(lambda c, id=volume: c.delete("volume", id) for volume in deleted),
    ]


def _bound(kind: str, **fields: object) -> Request:
    return lambda client: client.create(kind, **fields)


def _send(running: Service, request: Request) -> None:
    with running.client(PROJECT) as client:
        began = time.monotonic()
        request(client)
        assert time.monotonic() - began < FAST


def _all(client: BlockStorage, kind: str) -> list[dict[str, Any]]:
    return list(client.request("GET", f"/{kind}s/detail?limit=1000")[f"{kind}s"])


def _unfinished(running: Service) -> list[str]:
    """What the operations that are under way make of their resources."""
    with running.client(PROJECT) as client:
        return [
            one["status"]
            for kind in ("volume", "snapshot")
            for one in _all(client, kind)
            if one["status"] not in ENDED
        ]


def _expect_truth(client: BlockStorage, images: Images, prepared: list[str]) -> None:
    """What is said to be available is there, whole; what failed says why."""
    messages = client.request("GET", "/messages?limit=1000")["messages"]
    explained = {one["resource_uuid"]: one["user_message"] for one in messages}
    for volume in _all(client, "volume"):
        if volume["status"] != "available":
            print(volume["status"], explained[volume["id"]])
            continue
        assert images.size(volume["id"]) == volume["size"] * GIB
        stamped = volume["id"] in prepared[:10] or (volume["name"] or "").startswith("of ")
        images.expect(volume["id"], m0=7 if stamped else 0)
    for snapshot in _all(client, "snapshot"):
        if snapshot["status"] != "available":
            print(snapshot["status"], explained[snapshot["id"]])
            continue
        assert f"snapshot-{snapshot['id']}" in images.snapshots(snapshot["volume_id"])
    listed = {volume["id"] for volume in _all(client, "volume")}
    assert set(prepared[:20]) <= listed


def _delete_all(client: BlockStorage) -> None:
    for kind in ("snapshot", "volume"):
        for one in _all(client, kind):
            client.delete(kind, one["id"])
        for one in _all(client, kind):
            client.wait_gone(kind, one["id"])
