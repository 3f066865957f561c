"""The making of a new cluster in an empty directory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.ceph_lab.configuration import PORTS, configuration, keyrings, monitor_addresses
from tests.ceph_lab.daemon import Daemon
from tests.ceph_lab.failure import CephLabFailure
from tests.ceph_lab.layout import Layout
from tests.ceph_lab.monitor import connected
from tests.ceph_lab.ports import free_ports

from breezeblock.execution.command import CommandError, run

#: Seconds that a program of the making may take on a busy machine.
_SECONDS = 60.0
_GROUPS_PER_POOL = 8


def form(layout: Layout, monitor: Daemon, pools: Sequence[str], *, outlive: bool) -> None:
    """Make the cluster; its monitor runs then, and its osd is ready to be started.

    Raises ``CephLabFailure``; what is half made has no ``layout.formed``.
    """
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    port = free_ports(PORTS)
    _write(layout, fsid, port, pools)
    try:
        # The store's making needs nothing from the monitor, and takes as long.
        with ThreadPoolExecutor(1) as aside:
            store = aside.submit(_make_store, layout, osd)
            _make_monitor(layout, fsid, port)
            monitor.start(outlive=outlive)
            with connected(layout, lambda: monitor.pid() is not None) as admin:
                admin.command("osd new", uuid=osd)
                for pool in pools:
                    sizes = {"pg_num": _GROUPS_PER_POOL, "pgp_num": _GROUPS_PER_POOL}
                    admin.command("osd pool create", pool=pool, **sizes)
            store.result()
    except CommandError as failure:
        raise CephLabFailure(f"{failure} (packages: run ./test ceph once)") from failure
    layout.formed.write_text(fsid)


def _write(layout: Layout, fsid: str, port: int, pools: Sequence[str]) -> None:
    for directory in (layout.run, layout.logs, *map(layout.data, ("mon.a", "mgr.x", "osd.0"))):
        directory.mkdir()
    layout.conf.write_text(configuration(layout, fsid, port))
    texts = keyrings(pools)
    for entity, text in texts.items():
        kind, _, name = entity.partition(".")
        if kind == "client":
            _write_secret(layout, layout.keyring(name).name, text)
        elif kind != "mon":
            _write_secret(layout, f"{entity}/keyring", text)
    _write_secret(layout, layout.monitor_keyring.name, "\n".join(texts.values()))


def _write_secret(layout: Layout, name: str, text: str) -> None:
    path = layout.directory / name
    path.touch(mode=0o600)
    path.write_text(text)


def _make_monitor(layout: Layout, fsid: str, port: int) -> None:
    monitors = ["--addv", "a", monitor_addresses(port)]
    monitor_map = str(layout.monitor_map)
    _run("monmaptool", "--create", "--fsid", fsid, *monitors, monitor_map)
    made_of = ["--monmap", monitor_map, "--keyring", str(layout.monitor_keyring)]
    _run("ceph-mon", "-c", str(layout.conf), "-i", "a", "--mkfs", *made_of)


def _make_store(layout: Layout, osd: str) -> None:
    conf = str(layout.conf)
    _run("ceph-osd", "-c", conf, "--no-mon-config", "-i", "0", "--mkfs", "--osd-uuid", osd)


def _run(*command: str) -> None:
    run(command, timeout=_SECONDS)
