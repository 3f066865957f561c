"""The lab's cluster stores, hangs, dies, comes back and goes away, as tests rely on it to."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.ceph_lab.cluster import Cluster
from tests.ceph_lab.failure import CephLabFailure
from tests.ceph_lab.monitor import bindings
from tests.vm_lab.polling import wait_until

from breezeblock.execution.command import CommandFailed

ROOT = Path(__file__).parents[2]
MIB = 1024**2
#: Seconds after which a call gives up, as a driver with ``rados_connect_timeout`` set.
LIMIT = 3


@contextmanager
def connection(ceph: Cluster, pool: str = "volumes") -> Iterator[Any]:
    """An I/O context of ``client.cinder`` that does not wait for ever."""
    rados, _ = bindings()
    names = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
    limits = dict.fromkeys(names, str(LIMIT))
    with (
        rados.Rados(conffile=str(ceph.conf), rados_id="cinder", conf=limits) as cluster,
        cluster.open_ioctx(pool) as context,
    ):
        yield context


@contextmanager
def image(ceph: Cluster, pool: str = "volumes") -> Iterator[str]:
    """The name of a new image of 8 MiB."""
    name = f"image-{uuid.uuid4()}"
    _, rbd = bindings()
    with connection(ceph, pool) as context:
        rbd.RBD().create(context, name, 8 * MIB)
    yield name
    ceph.run_rbd("rm", "--no-progress", f"{pool}/{name}")


@contextmanager
def limited() -> Iterator[None]:
    """What takes as long as the limit says, and not for ever."""
    began = time.monotonic()
    try:
        yield
    finally:
        assert LIMIT * 0.9 < time.monotonic() - began < LIMIT * 4


def test_images_of_librbd_and_of_the_command_are_the_same(ceph: Cluster) -> None:
    _, rbd = bindings()
    with image(ceph) as name:
        ceph.run_rbd("create", "--size", "4M", f"volumes/{name}-2")
        assert {name, f"{name}-2"} <= set(ceph.ask_rbd("ls", "volumes"))
        assert ceph.ask_rbd("info", f"volumes/{name}")["size"] == 8 * MIB
        with connection(ceph) as context:
            assert {name, f"{name}-2"} <= set(rbd.RBD().list(context))
            rbd.RBD().remove(context, f"{name}-2")
        ceph.run_rbd("snap", "create", "--no-progress", f"volumes/{name}@one")
        assert [one["name"] for one in ceph.ask_rbd("snap", "ls", f"volumes/{name}")] == ["one"]
        ceph.run_rbd("snap", "rm", "--no-progress", f"volumes/{name}@one")
        assert ceph.ask_rbd("trash", "ls", "volumes") == []


@pytest.mark.parametrize("pool", Cluster.pools)
def test_qemu_writes_and_reads_bytes_of_every_pool(ceph: Cluster, pool: str) -> None:
    _, rbd = bindings()
    with image(ceph, pool) as name:
        ceph.qemu_io(f"{pool}/{name}", "write -P 7 1M 64k", "flush")
        ceph.qemu_io(f"{pool}/{name}", "read -P 7 1M 64k", "read -P 0 2M 64k")
        with connection(ceph, pool) as context, rbd.Image(context, name) as opened:
            assert opened.read(MIB, 64 * 1024) == b"\7" * 64 * 1024
        with pytest.raises(CommandFailed):
            ceph.qemu_io(f"{pool}/{name}", "read -P 8 1M 64k")


def test_the_service_is_no_administrator(ceph: Cluster) -> None:
    rados, _ = bindings()
    with rados.Rados(conffile=str(ceph.conf), rados_id="cinder") as cluster:
        code, *_ = cluster.mon_command('{"prefix": "auth ls", "format": "json"}', b"")
    assert code == -errno.EACCES
    assert ceph.keyring().stat().st_mode & 0o077 == 0


def test_calls_time_out_while_the_osd_hangs_and_work_again_afterwards(ceph: Cluster) -> None:
    rados, rbd = bindings()
    with image(ceph) as name, connection(ceph) as context:
        with rbd.Image(context, name) as opened:
            opened.write(b"before", 0)
            opened.flush()
            with ceph.paused("osd"):
                calls: list[Callable[[], object]] = [
                    lambda: rbd.RBD().list(context),
                    lambda: rbd.RBD().create(context, f"{name}-2", MIB),
                    lambda: rbd.Image(context, name),
                ]
                for call in calls:
                    with pytest.raises((rbd.Timeout, rados.TimedOut)), limited():
                        call()
        with rbd.Image(context, name) as opened:
            assert opened.read(0, 6) == b"before"
        # What timed out may have been done all the same.
        for left in set(rbd.RBD().list(context)) & {f"{name}-2"}:
            rbd.RBD().remove(context, left)


def test_snapshots_time_out_while_the_monitor_hangs(ceph: Cluster) -> None:
    rados, rbd = bindings()
    with image(ceph) as name, connection(ceph) as context, rbd.Image(context, name) as opened:
        with ceph.paused("mon"):
            opened.write(b"meanwhile", 0)
            opened.flush()
            with pytest.raises((rbd.Timeout, rados.TimedOut)), limited():
                opened.create_snap("late")
        for snapshot in [one["name"] for one in opened.list_snaps()]:
            opened.remove_snap(snapshot)
        opened.create_snap("later")
        opened.remove_snap("later")
        assert opened.read(0, 9) == b"meanwhile"


def test_nobody_connects_while_the_monitor_hangs(ceph: Cluster) -> None:
    rados, _ = bindings()
    with ceph.paused("mon"), pytest.raises(rados.TimedOut), limited(), connection(ceph):
        pass


def test_what_was_written_survives_restarts_and_kills(own_ceph: Cluster) -> None:
    with image(own_ceph) as name:
        own_ceph.qemu_io(f"volumes/{name}", "write -P 7 0 1M", "flush")
        own_ceph.stop()
        assert own_ceph.pids() == {}
        own_ceph.start()
        own_ceph.qemu_io(f"volumes/{name}", "read -P 7 0 1M", "write -P 8 0 1M", "flush")
        for kind in ("osd", "mon", "mgr"):
            own_ceph.kill(kind)
            assert kind not in own_ceph.pids()
            own_ceph.start()
            own_ceph.qemu_io(f"volumes/{name}", "read -P 8 0 1M")


def test_a_paused_cluster_is_stopped_and_started(own_ceph: Cluster) -> None:
    for kind in ("osd", "mon", "mgr"):
        own_ceph.pause(kind)
    own_ceph.stop()
    assert own_ceph.pids() == {}
    with pytest.raises(CephLabFailure, match=r"osd\.0 does not run"):
        own_ceph.pause("osd")
    own_ceph.start()
    assert own_ceph.monitor_command("fsid")["fsid"] == own_ceph.fsid


def test_nothing_of_a_cluster_remains(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    with Cluster(directory) as cluster:
        pids = cluster.pids()
        assert set(pids) == {"mon", "mgr", "osd"}
        cluster.pause("osd")
    assert not directory.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").touch()
    cluster = Cluster(tmp_path)
    with pytest.raises(CephLabFailure, match="something else"):
        cluster.start()
    cluster.remove()
    assert (tmp_path / "precious").exists()


INTERRUPTED = """
import sys
from pathlib import Path
from tests.ceph_lab.cluster import Cluster
with Cluster(Path(sys.argv[1])) as cluster:
    print(*cluster.pids().values(), flush=True)
    cluster.pause("osd")
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_daemons_end_with_whoever_started_them(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "lab")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as starter:
        assert starter.stdout is not None
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        assert len(pids) == 3
        starter.send_signal(number)
        starter.wait(30)
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids))
    if number == signal.SIGINT:
        assert not (tmp_path / "lab").exists()


def test_the_command_makes_keeps_and_removes_a_cluster(tmp_path: Path) -> None:
    directory = tmp_path / "lab"

    def lab(verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.ceph_lab", verb, str(directory)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )

    try:
        assert f"CEPH_CONF={directory}/ceph.conf" in lab("up").stdout
        cluster = Cluster(directory)
        first = cluster.pids()
        assert len(first) == 3
        lab("up")
        assert cluster.pids() == first
        with image(cluster) as name:
            lab("stop")
            assert cluster.pids() == {}
            lab("up")
            assert name in cluster.ask_rbd("ls", "volumes")
    finally:
        lab("down")
    assert cluster.pids() == {}
    assert not directory.exists()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in first.values())
