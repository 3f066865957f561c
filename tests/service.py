"""A real service process of its own for a test: `breezeblock serve` on free ports.

It is set up by ``breezeblock init``, as an operator's would be, and nothing of it is left when
the test is over, whatever became of the test.
"""

from __future__ import annotations

import dataclasses
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from breezeblock.cli.block_storage import BlockStorage, RequestFailed

#: Where this environment's programs are: ours and the stock clients.
BINARIES = Path(sys.executable).parent
#: What starts with this belongs to whoever runs the tests, and would mislead a client.
_FOREIGN = ("OS_", "CINDER_", "BREEZEBLOCK_")
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.05

Auth = Literal["http_basic", "noauth"]
Driver = Literal["file", "fake"]
Sections = Mapping[str, Mapping[str, object]]


@dataclasses.dataclass(frozen=True)
class Service:
    """A service that runs; ``process`` is the one that answers."""

    state_path: Path
    port: int
    auth: Auth
    driver: Driver
    process: subprocess.Popen[bytes]
    #: The moment (monotonic) at which the process was started, and seconds to its first answer.
    started: float
    first_answer: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def openrc(self) -> Path:
        return self.state_path / "openrc"

    @property
    def log(self) -> str:
        return (self.state_path / "serve.log").read_text(errors="replace")

    @property
    def password(self) -> str:
        return (self.state_path / "admin-password").read_text().strip()

    def client(self, project: str | None = None) -> BlockStorage:
        """Our own small client, as administrator; ``project`` is a choice under noauth only."""
        endpoint = f"{self.url}/v3/{project}" if project else f"{self.url}/v3"
        return BlockStorage(endpoint, "admin", self.password)


@contextmanager
def service(
    auth: Auth = "http_basic", driver: Driver = "file", settings: Sections | None = None
) -> Iterator[Service]:
    """A running service whose backend is ready.

    ``settings`` (option to value, by section) are read after what ``breezeblock init`` wrote.
    The backend's section is called like the driver.
    """
    state_path = Path(tempfile.mkdtemp(prefix="bb-service-"))
    port = free_port()
    files = [state_path / "breezeblock.conf", state_path / "test.conf"]
    try:
        _breezeblock("init", "--state-path", str(state_path), "--port", str(port))
        files[1].write_text(_configuration(auth, driver, settings or {}))
        yield from _run(state_path, port, auth, driver, files)
    finally:
        if all(file.exists() for file in files):
            _breezeblock("target", "stop", *_config_files(files))
        shutil.rmtree(state_path)


def clean_environment() -> dict[str, str]:
    """The environment without what names another cloud, this virtual environment first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    return {**kept, "PATH": f"{BINARIES}:{kept.get('PATH', os.defpath)}"}


def _run(
    state_path: Path, port: int, auth: Auth, driver: Driver, files: list[Path]
) -> Iterator[Service]:
    started = time.monotonic()
    with open(state_path / "serve.log", "wb") as log:
        process = subprocess.Popen(
            [str(BINARIES / "breezeblock"), "serve", *_config_files(files)],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        first_answer = _wait_for_answer(process, port, started, state_path / "serve.log")
        made = Service(state_path, port, auth, driver, process, started, first_answer)
        _wait_for_backend(made)
        yield made
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail(f"the service did not end within {_STOP_SECONDS:.0f} s of SIGTERM")


def _wait_for_answer(
    process: subprocess.Popen[bytes], port: int, started: float, log: Path
) -> float:
    """Seconds from the start to the first answer of /healthcheck."""
    while time.monotonic() < started + _START_SECONDS:
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
        try:
            connection.request("GET", "/healthcheck")
            if connection.getresponse().status == 200:
                return time.monotonic() - started
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()
    pytest.fail(f"the service does not answer on port {port}:\n{log.read_text()[-4000:]}")


def _wait_for_backend(running: Service) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with running.client() as client:
        while time.monotonic() < deadline:
            if _ready(client):
                return
            time.sleep(_LOOK_SECONDS)
    pytest.fail(f"the backend is not ready:\n{running.log[-4000:]}")


def _ready(client: BlockStorage) -> bool:
    services: list[dict[str, Any]] = client.request("GET", "/os-services")["services"]
    pools = client.request("GET", "/scheduler-stats/get_pools")["pools"]
    up = [s for s in services if s["binary"] == "cinder-volume" and s["state"] == "up"]
    return bool(up and pools)


def _configuration(auth: Auth, driver: Driver, settings: Sections) -> str:
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"auth_strategy": auth, "enabled_backends": driver},
        "fake": {"volume_driver": "fake", "volume_backend_name": "fake"},
    }
    for name, options in settings.items():
        sections.setdefault(name, {}).update(options)
    return "".join(
        f"[{name}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items())
        for name, options in sections.items()
    )


def _config_files(files: list[Path]) -> list[str]:
    return [part for file in files for part in ("--config-file", str(file))]


def _breezeblock(*arguments: str) -> None:
    subprocess.run(
        [str(BINARIES / "breezeblock"), *arguments],
        env=clean_environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )


def free_port() -> int:
    """A port below those that the kernel hands out to outgoing connections: nobody takes it by
    chance between this look and the service's start."""
    start = 10000 + os.getpid() % 9000
    ports: list[int] = [*range(start, 20000), *range(10000, start)]
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


# ---- fixtures --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def http_basic_service() -> Iterator[Service]:
    """One service with the embedded defaults (http_basic, file driver) for all tests that ask."""
    with service("http_basic", "file") as running:
        yield running


@pytest.fixture(scope="session")
def noauth_service() -> Iterator[Service]:
    """One service that believes everybody, with the file driver, for all tests that ask."""
    with service("noauth", "file") as running:
        yield running


__all__ = ["RequestFailed", "Service", "http_basic_service", "noauth_service", "service"]
