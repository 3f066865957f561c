"""What ``client.admin`` asks a cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.ceph_lab.failure import CephLabFailure
from tests.ceph_lab.layout import Layout

#: Seconds until a cluster of a busy machine must be ready (usually three).
READY_SECONDS = 90.0
_LOOK_SECONDS = 0.05
_OPTIONS = {
    "client_mount_timeout": "5",
    "rados_mon_op_timeout": "20",
    "rados_osd_op_timeout": "20",
    # A request to a daemon that has started again since is sent again soon: usually after 10 s.
    "objecter_tick_interval": "0.5",
    "objecter_timeout": "1",
}


def bindings() -> tuple[Any, Any]:
    """The modules ``rados`` and ``rbd`` of the distribution.  Raises ``CephLabFailure``."""
    try:
        import rados
        import rbd
    except ImportError as failure:
        raise CephLabFailure(f"{failure}: run ./test ceph once") from failure
    return rados, rbd


class Monitor:
    """A connection of ``client.admin``, while one is ``connected``."""

    def __init__(self, layout: Layout, cluster: Any) -> None:
        self._layout = layout
        self._cluster = cluster

    def command(self, prefix: str, **arguments: object) -> Any:
        """The parsed answer to a command such as ``osd dump``; None if it is empty.

        Raises ``CephLabFailure`` with the cluster's words.
        """
        asked = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, answer, reason = self._cluster.mon_command(asked, b"")
        if code:
            raise CephLabFailure(f"{prefix}: {reason} ({code})")
        return json.loads(answer) if answer.strip() else None

    def wait_until_clean(self) -> None:
        """Return when every placement group serves.  Raises ``CephLabFailure``."""
        limit = time.monotonic() + READY_SECONDS
        while state := self._unready():
            if time.monotonic() > limit:
                raise CephLabFailure(f"the cluster is not ready: {state}")
            time.sleep(_LOOK_SECONDS)

    def _unready(self) -> str | None:
        """What is missing until the cluster serves."""
        status = self.command("status")
        osds, groups = status["osdmap"], status["pgmap"]
        wanted = sum(pool["pg_num"] for pool in self.command("osd dump")["pools"])
        clean = sum(
            state["count"]
            for state in groups.get("pgs_by_state", [])
            if state["state_name"].startswith("active+clean")
        )
        if not osds["num_osds"] == osds["num_up_osds"] == 1:
            return "the osd is not up"
        if not status["mgrmap"]["available"]:
            return "the mgr is not available"
        return None if clean == wanted else f"{clean} of {wanted} placement groups are clean"

    def prepare_pools(self, pools: Sequence[str]) -> None:
        """Make pools ready for images; again, it only shows that each can be written.

        That is more than ``wait_until_clean`` knows, which is what the manager said last.
        """
        _, rbd = bindings()
        for pool in pools:
            with self._cluster.open_ioctx(pool) as context:
                rbd.RBD().pool_init(context, False)


@contextmanager
def connected(layout: Layout, alive: Callable[[], bool]) -> Iterator[Monitor]:
    """The monitor, as soon as it answers; waiting ends when its process is not ``alive``.

    Raises ``CephLabFailure``.
    """
    rados, _ = bindings()
    limit = time.monotonic() + READY_SECONDS
    while True:
        cluster = rados.Rados(conffile=str(layout.conf), name="client.admin", conf=_OPTIONS)
        try:
            cluster.connect()
            break
        except rados.Error as failure:
            cluster.shutdown()
            if not alive() or time.monotonic() > limit:
                raise CephLabFailure(f"the monitor does not answer: {failure}") from failure
            time.sleep(_LOOK_SECONDS)
    try:
        yield Monitor(layout, cluster)
    finally:
        cluster.shutdown()
