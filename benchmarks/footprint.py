"""Memory of the processes, and the time from their start to their first answer."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.service import Service, service

from benchmarks.load import Client, proportional_memory, wrk
from benchmarks.measurement import Row, milliseconds
from benchmarks.reading import UNLIMITED, create_volume

MIB = 1024**2
MEMORY_AIM = 150 * MIB
START_AIM = 2.0
#: What a service of this kind cannot do without.
_LIBRARIES = "import falcon, granian, sqlalchemy, alembic, oslo_config.cfg, oslo_policy.policy"


def memory(seconds: int) -> list[Row]:
    """Proportional set size: idle, and the most that was seen while it was busy."""
    with service("http_basic", "file", UNLIMITED) as running:
        idle = proportional_memory(running.process.pid)
        with _Watch(running.process.pid) as watch:
            volume = asyncio.run(create_volume(running))
            wrk(running, f"/v3/volumes/{volume}", connections=32, seconds=seconds)
            asyncio.run(_many(running))
            wrk(running, "/v3/volumes/detail?limit=50", connections=32, seconds=seconds)
        target = proportional_memory(_tgtd(running.state_path))
    raw = _size_of(_LIBRARIES)
    aim = f"<= {MEMORY_AIM // MIB} MiB"
    return [
        Row("memory idle (API and worker)", _mib(idle), f"libraries alone: {_mib(raw)}", aim,
            idle <= MEMORY_AIM),
        Row("memory under load (API and worker)", _mib(watch.most), "", aim,
            watch.most <= MEMORY_AIM),
        Row("memory of tgtd, one target", _mib(target)),
    ]  # fmt: skip


def first_answer(turns: int) -> list[Row]:
    """From the start of the process, with a new database, to an answer of /healthcheck."""
    seen = []
    for _ in range(turns):
        with service("http_basic", "file") as running:
            seen.append(running.first_answer)
    raw = []
    for _ in range(turns):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", _LIBRARIES], check=True)
        raw.append(time.perf_counter() - begun)
    middle = statistics.median(seen)
    return [
        Row(
            "start to first answer, new database",
            f"{milliseconds(middle)} (most: {milliseconds(max(seen))})",
            f"imports of the libraries alone: {milliseconds(statistics.median(raw))}",
            f"<= {START_AIM:.0f} s",
            middle <= START_AIM,
        )
    ]


class _Watch:
    """Remembers the most memory that a process and its children had."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.25):
            self.most = max(self.most, proportional_memory(self._pid))


async def _many(running: Service) -> None:
    """A hundred volumes by a hundred clients, and one of them attached."""
    clients = [Client(running) for _ in range(100)]
    await asyncio.gather(*(_one(client) for client in clients))
    async with Client(running) as client:
        while (await client.request("GET", "/volumes?status=creating&limit=1"))[0]["volumes"]:
            await asyncio.sleep(0.01)
        listed, _ = await client.request("GET", "/volumes?limit=1")
        connector = {"initiator": "iqn.1994-05.org.debian:b", "ip": "127.0.0.1", "host": "here"}
        body = {"volume_uuid": listed["volumes"][0]["id"], "connector": connector}
        await client.request("POST", "/attachments", {"attachment": body})


async def _one(client: Client) -> None:
    async with client:
        await client.request("POST", "/volumes", {"volume": {"size": 1}})


def _tgtd(state_path: Path) -> int:
    return int((state_path / "tgtd" / "pid").read_text().split()[0])


def _size_of(imports: str) -> int:
    """Memory of an interpreter that has imported these and does nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{imports}; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        size = proportional_memory(process.pid)
        process.communicate(b"\n")
    return size


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"
