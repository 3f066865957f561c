"""A cluster that forgets clients that died within two seconds, and not within thirty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ceph_lab.cluster import Cluster

_OPTION = "osd_client_watch_timeout"
#: A client has to show itself oftener than it is forgotten.
_LIVELY = "\n[client]\nobjecter_tick_interval = 0.5\n"


@contextmanager
def forgetful(ceph: Cluster, directory: Path) -> Iterator[Path]:
    """The configuration that clients have to use for the block."""
    conf = directory / "ceph.conf"
    conf.write_text(ceph.conf.read_text() + _LIVELY)
    ceph.monitor_command("config set", who="osd", name=_OPTION, value="2")
    try:
        yield conf
    finally:
        ceph.monitor_command("config rm", who="osd", name=_OPTION)
