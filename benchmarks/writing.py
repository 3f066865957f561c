"""Creates until the volumes are available, attachments, and what quotas cost among many."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path

from tests.service import Driver, Service, service

from benchmarks.load import PROJECT, Client
from benchmarks.measurement import Row, milliseconds, spread
from benchmarks.reading import MANY, UNLIMITED, create_volume
from benchmarks.seeding import seed
from breezeblock.targets.tgt_daemon import TgtDaemon, TgtDaemonSettings

GIB = 1024**3
AT_ONCE_AIM = 3.0
CONNECTOR = {"initiator": "iqn.1994-05.org.debian:benchmark", "ip": "127.0.0.1", "host": "here"}


def creates(driver: Driver) -> list[Row]:
    """1, 20 and 100 requests at the same moment, until all volumes are available."""
    rows = []
    with service("noauth", driver, UNLIMITED) as running:
        for count in (1, 20, 100):
            turns = [asyncio.run(_create_at_once(running, count)) for _ in range(3)]
            total = statistics.median(total for total, _ in turns)
            answers = [taken for _, each in turns for taken in each]
            files = "file and commit" if driver == "file" else "commit"
            raw = _raw_creates(running.state_path, count, files=driver == "file")
            aimed = count == 100
            rows.append(
                Row(
                    f"{count} volumes at once until available, {driver} driver",
                    f"{milliseconds(total)} (answers: {spread(answers)})",
                    f"{count} x {files}: {milliseconds(raw)}",
                    f"<= {AT_ONCE_AIM:.0f} s" if aimed else "",
                    total <= AT_ONCE_AIM if aimed else None,
                )
            )
    return rows


async def _create_at_once(running: Service, count: int) -> tuple[float, list[float]]:
    """Seconds until all are available, and what each request took."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(running)) for _ in range(count)]
        body = {"volume": {"size": 1, "name": "at-once"}}
        begun = time.perf_counter()
        answers = await asyncio.gather(*(c.request("POST", "/volumes", body) for c in clients))
        while (await clients[0].request("GET", "/volumes?status=creating&limit=1"))[0]["volumes"]:
            await asyncio.sleep(0.002)
        total = time.perf_counter() - begun
        made = {answer["volume"]["id"] for answer, _ in answers}
        listed, _ = await clients[0].request("GET", "/volumes?status=available&limit=1000")
        missing = made - {volume["id"] for volume in listed["volumes"]}
        assert not missing, f"not available: {missing}"
        return total, [taken for _, taken in answers]


def _raw_creates(directory: Path, count: int, *, files: bool) -> float:
    """Seconds for as many sparse files and durable SQLite commits, one after the other."""
    with (
        tempfile.TemporaryDirectory(dir=directory) as place,
        closing(sqlite3.connect(f"{place}/raw.db", isolation_level=None)) as database,
    ):
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE made (name TEXT)")
        begun = time.perf_counter()
        for number in range(count):
            if files:
                with open(f"{place}/{number}", "wb") as file:
                    file.truncate(GIB)
            database.execute("INSERT INTO made VALUES (?)", (str(number),))
        return time.perf_counter() - begun


def attachments(turns: int) -> list[Row]:
    """Reserve, connect (which exports the volume), complete, and detach."""
    with service("noauth", "file", UNLIMITED) as running:
        volume = asyncio.run(create_volume(running))
        taken = asyncio.run(_attach_and_detach(running, volume, turns))
        raw = [_raw_target(running, number) for number in range(turns)]
    return [
        Row(
            "attachment: create, connect, complete, delete",
            spread(taken),
            f"tgtd: target and unit made and deleted: {spread(raw)}",
        )
    ]


async def _attach_and_detach(running: Service, volume: str, turns: int) -> list[float]:
    times = []
    async with Client(running) as client:
        for _ in range(turns):
            begun = time.perf_counter()
            body = {"attachment": {"volume_uuid": volume}}
            made, _ = await client.request("POST", "/attachments", body)
            path = f"/attachments/{made['attachment']['id']}"
            await client.request("PUT", path, {"attachment": {"connector": CONNECTOR}})
            await client.request("POST", f"{path}/action", {"os-complete": {}})
            await client.request("DELETE", path)
            times.append(time.perf_counter() - begun)
    return times


def _raw_target(running: Service, number: int) -> float:
    """Seconds that the same tgtd takes to make and delete a target with one unit."""
    control_port = int(_control_port(running.state_path))
    settings = TgtDaemonSettings(
        state_path=running.state_path, portals=(), control_port=control_port
    )
    tgtd = TgtDaemon(settings).client
    backing = running.state_path / "raw-unit"
    backing.touch()
    os.truncate(backing, GIB)
    tid = 20_000 + number
    begun = time.perf_counter()
    tgtd.new_target(tid, f"iqn.2010-10.org.openstack:raw-{number}")
    tgtd.new_lun(tid, 1, f"path={backing},bstype=rdwr")
    tgtd.allow(tid, "ALL")
    tgtd.delete_lun(tid, 1)
    tgtd.delete_target(tid)
    return time.perf_counter() - begun


def _control_port(state_path: Path) -> str:
    for line in (state_path / "breezeblock.conf").read_text().splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "tgt_control_port":
            return value.strip()
    raise LookupError("tgt_control_port")


def quotas(turns: int) -> list[Row]:
    """What a create takes in an empty project, and in one with many volumes to sum up."""
    # Without a limit there would be nothing to sum up for.
    limits = {"DEFAULT": {"quota_volumes": 10 * MANY, "quota_gigabytes": 10 * MANY}}
    with service("noauth", "fake", limits) as running:
        volume = asyncio.run(create_volume(running))
        before = asyncio.run(_answers(running, turns))
        seed(running, volume, 0, MANY)
        after = asyncio.run(_answers(running, turns))
        raw = _raw_sums(running.state_path)
    return [
        Row("create, project of a few volumes", spread(before)),
        Row(
            f"create, project of {MANY:,} volumes",
            spread(after),
            f"the sum alone: {milliseconds(statistics.median(raw))}",
        ),
    ]


async def _answers(running: Service, turns: int) -> list[float]:
    """Seconds each of some creates took to be answered, one after the other."""
    async with Client(running) as client:
        body = {"volume": {"size": 1}}
        return [(await client.request("POST", "/volumes", body))[1] for _ in range(turns)]


def _raw_sums(state_path: Path) -> list[float]:
    """Seconds that the sum takes a connection that has seen the rows before."""
    statement = (
        "SELECT count(*), sum(coalesce(target_size, size))"
        " FROM volumes WHERE project_id = ? AND consumes_quota = 1"
    )
    times = []
    with closing(sqlite3.connect(state_path / "breezeblock.db")) as database:
        database.execute("PRAGMA cache_size=-65536")
        for _ in range(6):
            begun = time.perf_counter()
            database.execute(statement, (PROJECT,)).fetchall()
            times.append(time.perf_counter() - begun)
    return times[1:]
