"""The processes of the service as an operator runs them, and the signals they understand."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.application import eventually
from tests.service import BINARIES, clean_environment, free_port

from breezeblock.cli.block_storage import BlockStorage, RequestFailed
from breezeblock.store import tables
from breezeblock.store.database import Database

_CONFIG = """
[DEFAULT]
state_path = {state}
host = processes
auth_strategy = noauth
osapi_volume_listen_port = {port}
osapi_volume_workers = 2
enabled_backends = {backends}
report_interval = 1
[one]
volume_driver = fake
fake_delay = {delay}
[two]
volume_driver = fake
"""


class Installation:
    """A configuration and the processes that were started with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.config_file = directory / "breezeblock.conf"
        self.database_url = f"sqlite:///{directory}/breezeblock.db"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.configure()

    def configure(self, *, backends: str = "one", delay: float = 0.0, extra: str = "") -> None:
        text = _CONFIG.format(state=self.directory, port=self.port, backends=backends, delay=delay)
        self.config_file.write_text(text + extra, encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands to its end."""
        return subprocess.run(
            [str(BINARIES / "breezeblock"), *command, "--config-file", str(self.config_file)],
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, command: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{command}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(BINARIES / "breezeblock"), command, "--config-file", str(self.config_file)],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def log(self, command: str) -> str:
        return (self.directory / f"{command}.log").read_text(errors="replace")

    def client(self) -> BlockStorage:
        return BlockStorage(f"http://127.0.0.1:{self.port}/v3/abc123", "admin", "none")

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.request("GET", "/scheduler-stats/get_pools")["pools"])
        except (OSError, RequestFailed):
            return False

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    made.close()


def _end(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def test_api_and_worker_apart(installation: Installation) -> None:
    """Two API processes and a worker share nothing but the database."""
    refused = installation.run("worker")
    assert (refused.returncode, "breezeblock db upgrade" in refused.stderr) == (1, True)
    assert installation.run("db", "upgrade").returncode == 0
    assert installation.run("db", "check").returncode == 0
    api, worker = installation.start("api"), installation.start("worker")
    eventually(installation.answers, "the API", 60)
    with installation.client() as client:
        volume = client.create("volume", size=1)
        client.wait("volume", volume["id"], "available")
        attachment = client.create(
            "attachment", volume_uuid=volume["id"], connector={"initiator": "iqn.x", "host": "h"}
        )
        assert attachment["connection_info"]["driver_volume_type"] == "iscsi"
    assert _end(worker) == 0
    assert _end(api) == 0


def test_serve_with_api_processes_beside_it(installation: Installation) -> None:
    installation.configure(extra="[breezeblock]\napi_processes = 2\n")
    serve = installation.start("serve")
    eventually(installation.answers, "the API", 60)
    with installation.client() as client:
        client.wait("volume", client.create("volume", size=1)["id"], "available")
    assert _end(serve) == 0
    assert not installation.answers()


def test_sighup_reads_the_backends_again(installation: Installation) -> None:
    serve = installation.start("serve")
    eventually(installation.answers, "the API", 60)
    installation.configure(backends="one,two")
    serve.send_signal(signal.SIGHUP)

    def pools() -> set[str]:
        with installation.client() as client:
            listed = client.request("GET", "/scheduler-stats/get_pools")["pools"]
        return {pool["name"].partition("#")[0] for pool in listed}

    eventually(lambda: pools() == {"processes@one", "processes@two"}, "the second backend")
    installation.configure(backends="two,three")
    serve.send_signal(signal.SIGHUP)
    eventually(lambda: "it has mistakes" in installation.log("serve"), "the refusal")
    assert pools() == {"processes@one", "processes@two"}
    assert _end(serve) == 0


def test_sigterm_hands_running_work_over(installation: Installation) -> None:
    """What is under way goes back to its queue at once, and the next worker ends it."""
    installation.configure(delay=30.0)
    serve = installation.start("serve")
    eventually(installation.answers, "the API", 60)
    with installation.client() as client:
        volume = client.create("volume", size=1)
    database = Database(installation.database_url)
    eventually(lambda: _state(database) == ("running", True), "the operation's start")
    assert _end(serve) == 0
    assert _state(database) == ("queued", False)
    database.dispose()
    installation.configure(delay=0.0)
    installation.start("serve")
    eventually(installation.answers, "the API", 60)
    with installation.client() as client:
        client.wait("volume", volume["id"], "available")


def _state(database: Database) -> tuple[str, bool]:
    table = tables.operations
    with database.read() as connection:
        row = connection.execute(sa.select(table.c.state, table.c.owner)).one()
    return row.state, row.owner is not None


def test_a_port_that_is_taken_is_said_so(installation: Installation) -> None:
    installation.start("serve")
    eventually(installation.answers, "the API", 60)
    second = installation.run("serve")
    assert second.returncode == 1
    assert f"127.0.0.1:{installation.port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_noauth_does_not_leave_this_machine_unasked(installation: Installation) -> None:
    text = installation.config_file.read_text().replace(
        "[DEFAULT]", "[DEFAULT]\nosapi_volume_listen = 0.0.0.0"
    )
    installation.config_file.write_text(text)
    refused = installation.run("serve")
    assert refused.returncode == 1
    assert "allow_noauth_beyond_loopback" in refused.stderr


def test_an_unknown_value_of_an_option_is_named(installation: Installation) -> None:
    text = installation.config_file.read_text().replace(
        "volume_driver = fake", "volume_driver = fake\nvolume_clear = shred", 1
    )
    installation.config_file.write_text(text)
    refused = installation.run("serve")
    assert refused.returncode == 2
    for named in ("volume_clear", "shred", str(installation.config_file)):
        assert named in refused.stderr
