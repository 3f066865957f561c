"""Many clients at once, over HTTP, against one real service process on SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.application import eventually
from tests.service import Service, service

from breezeblock.cli.block_storage import BlockStorage, RequestFailed

CLIENTS = 16
QUOTA = 100
PROJECTS = ("aaaaaaaa", "bbbbbbbb", "cccccccc")


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    quotas = {"quota_volumes": QUOTA, "quota_gigabytes": -1, "quota_snapshots": -1}
    with service("noauth", "file", {"DEFAULT": quotas}) as made:
        yield made


def _at_once(
    running: Service, project: str, jobs: int, job: Callable[[BlockStorage, int], int]
) -> Counter[int]:
    """Statuses of ``jobs`` jobs that 16 clients do as fast as they can."""

    def work(worker: int) -> list[int]:
        with running.client(project) as client:
            return [job(client, number) for number in range(worker, jobs, CLIENTS)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(status for done in pool.map(work, range(CLIENTS)) for status in done)


def _status(call: Callable[[], Any]) -> int:
    try:
        call()
    except RequestFailed as refused:
        return refused.status
    return 202


def _create(client: BlockStorage, number: int) -> int:
    body = {"volume": {"size": 1, "name": f"v{number}"}}
    return _status(lambda: client.request("POST", "/volumes", body))


def _volumes(running: Service, project: str) -> list[dict[str, Any]]:
    with running.client(project) as client:
        listed: list[dict[str, Any]] = client.request("GET", "/volumes/detail")["volumes"]
    return listed


def _settled(running: Service, project: str, count: int) -> bool:
    volumes = _volumes(running, project)
    return len(volumes) == count and all(v["status"] == "available" for v in volumes)


def test_a_quota_lets_exactly_so_many_through(running: Service) -> None:
    project = PROJECTS[0]
    statuses = _at_once(running, project, 160, _create)
    assert statuses == {202: QUOTA, 413: 160 - QUOTA}
    eventually(lambda: _settled(running, project, QUOTA), "all volumes", 60)
    with running.client(project) as client:
        shown = client.request("GET", f"/os-quota-sets/{project}?usage=True")["quota_set"]
    assert shown["volumes"] == {"limit": QUOTA, "in_use": QUOTA, "reserved": 0}


def test_two_hundred_creates_and_deletes_at_once(running: Service) -> None:
    """Every second job deletes a volume that is there; no lock error, no 5xx, none stuck."""
    project = PROJECTS[1]
    assert _at_once(running, project, QUOTA, _create) == {202: QUOTA}
    eventually(lambda: _settled(running, project, QUOTA), "all volumes", 60)
    doomed = [volume["id"] for volume in _volumes(running, project)]
    with running.client(project) as client:
        client.request("PUT", f"/os-quota-sets/{project}", {"quota_set": {"volumes": 2 * QUOTA}})

    def job(client: BlockStorage, number: int) -> int:
        if number % 2:
            return _create(client, number)
        return _status(lambda: client.request("DELETE", f"/volumes/{doomed[number // 2]}"))

    assert _at_once(running, project, 2 * QUOTA, job) == {202: 2 * QUOTA}
    eventually(lambda: _settled(running, project, QUOTA), "all that is left", 60)
    assert not {volume["id"] for volume in _volumes(running, project)} & set(doomed)


def test_a_volume_is_deleted_by_exactly_one_of_many(running: Service) -> None:
    project = PROJECTS[2]
    assert _create_one(running, project)
    (volume,) = _volumes(running, project)

    def job(client: BlockStorage, number: int) -> int:
        return _status(lambda: client.request("DELETE", f"/volumes/{volume['id']}"))

    statuses = _at_once(running, project, 32, job)
    assert statuses[202] == 1
    assert set(statuses) <= {202, 400, 404}
    eventually(lambda: not _volumes(running, project), "the deletion")


def _create_one(running: Service, project: str) -> bool:
    with running.client(project) as client:
        assert _create(client, 0) == 202
    return bool(eventually(lambda: _settled(running, project, 1), "the volume"))


def test_the_log_tells_of_no_trouble(running: Service) -> None:
    """After all of the above."""
    for trouble in ("Traceback", "locked", "ERROR"):
        assert trouble not in running.log
