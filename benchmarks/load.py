"""Load generators: wrk for throughput, and raw sockets for the time each request takes."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.service import Service

PROJECT = "benchmark"
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class WrkMissing(Exception):
    """wrk is not installed."""


def headers(service: Service) -> dict[str, str]:
    """What every request carries: who asks, and the version."""
    if service.auth == "noauth":
        who = {"X-Auth-Token": f"bench:{PROJECT}"}
    else:
        token = base64.b64encode(f"admin:{service.password}".encode()).decode()
        who = {"Authorization": f"Basic {token}"}
    return {
        "Host": f"127.0.0.1:{service.port}",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "OpenStack-API-Version": "volume 3.71",
        **who,
    }


@dataclasses.dataclass(frozen=True)
class Throughput:
    """What wrk saw; times in seconds."""

    per_second: float
    p50: float
    p99: float


def wrk(service: Service, path: str, *, connections: int, seconds: int) -> Throughput:
    """GET ``path`` as fast as ``connections`` clients can.  Every answer must be a good one."""
    program = shutil.which("wrk")
    if program is None:
        raise WrkMissing("wrk is not installed: apt install wrk")
    # The headers hold a password, so they go in by a file that only we can read.
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        for name, value in headers(service).items():
            script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.flush()
        done = subprocess.run(
            [
                *(
                    program,
                    "--latency",
                    "--timeout",
                    "10s",
                    "-t1",
                    f"-c{connections}",
                    f"-d{seconds}s",
                ),
                *("-s", script.name, f"{service.url}{path}"),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
    text = done.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"GET {path} did not always succeed:\n{text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate, text
    return Throughput(float(rate[1]), _latency(text, "50%"), _latency(text, "99%"))


def _latency(text: str, line: str) -> float:
    found = re.search(rf"^\s+{line}\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    assert found, text
    return float(found[1]) * _UNITS[found[2]]


class Client:
    """One connection that is kept open; nothing between us and the socket."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers(service).items())

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._service.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[Any, float]:
        """The answer's body and the seconds it took.  Raises RuntimeError on 4xx and 5xx."""
        content = json.dumps(body).encode() if body is not None else b""
        head = f"{method} /v3{path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        begun = time.perf_counter()
        self._writer.write(head.encode() + content)
        status, answer = await self._answer()
        taken = time.perf_counter() - begun
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {answer.decode()}")
        return (json.loads(answer) if answer else None), taken

    async def _answer(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = re.search(r"\r\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        return int(head.split(" ", 2)[1]), await self._reader.readexactly(size)


def proportional_memory(pid: int) -> int:
    """Bytes of a process and its children; what is shared counts in parts (PSS)."""
    total = 0
    for process in (pid, *_descendants(pid)):
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
        total += int(found[1]) * 1024 if found else 0
    return total


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found
