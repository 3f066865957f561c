"""Connections to Ceph clusters, one for each user of each cluster in this process.

A connection is opened when it is first needed, shared by all threads and drivers, and let go of
when a call says that it is dead; the next caller connects anew.  A forked process never touches
its parent's.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from breezeblock.drivers import progress
from breezeblock.drivers.rbd.bindings import Bindings
from breezeblock.drivers.rbd.errors import (
    ClusterUnreachable,
    LoginImpossible,
    PoolMissing,
    RbdError,
    translated,
    translating,
)

LOG = logging.getLogger(__name__)

#: Seconds that a call may take where the operator sets no limit: nothing waits for ever.
DEFAULT_TIMEOUT = 60
_TIMEOUTS = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
#: What librbd has to say of every refusal belongs into Ceph's log (``log_file``) alone.
_QUIET = {"log_to_stderr": "false", "err_to_stderr": "false"}


@dataclass(frozen=True, slots=True)
class Address:
    """How a cluster is reached: what the options say.

    ``timeout`` is the seconds of one call, ``tries`` how often connecting is tried, with ``pause``
    seconds between.
    """

    conf: str
    user: str | None
    name: str
    timeout: int = DEFAULT_TIMEOUT
    tries: int = 1
    pause: float = 0.0

    def __str__(self) -> str:
        conf = f" by {self.conf}" if self.conf else ""
        return f"cluster {self.name}{conf} as client.{self.user or 'admin'}"

    @property
    def ceph_options(self) -> dict[str, str]:
        """Nothing may get stuck: neither connecting nor a question nor a read or write."""
        seconds = self.timeout if self.timeout > 0 else DEFAULT_TIMEOUT
        return {**dict.fromkeys(_TIMEOUTS, str(seconds)), **_QUIET}


@dataclass(slots=True)
class _Connection:
    """A connected client and its pools."""

    client: Any
    ioctxs: dict[str, Any] = field(default_factory=dict)
    users: int = 0


class Cluster:
    """One user's way to one cluster; use ``cluster_at``."""

    def __init__(self, bindings: Bindings, address: Address) -> None:
        self.bindings = bindings
        self.address = address
        self._guard = threading.Lock()
        self._connecting = threading.Lock()
        self._connection: _Connection | None = None
        self._failed_at = float("-inf")
        self._failure: RbdError | None = None

    # ---- use -----------------------------------------------------------------------------------

    @contextmanager
    def client(self, action: str) -> Iterator[Any]:
        """The connected ``rados.Rados``; raises what ``errors`` makes of a failure."""
        connection = self._taken()
        try:
            with translating(self.bindings, f"{action} ({self.address})"):
                yield connection.client
        except ClusterUnreachable:
            self._drop(connection)
            raise
        finally:
            with self._guard:
                connection.users -= 1

    @contextmanager
    def pool(self, name: str, action: str) -> Iterator[Any]:
        """The ``rados.Ioctx`` of a pool, as ``client``."""
        connection = self._taken()
        try:
            with translating(self.bindings, f"{action} (pool {name}, {self.address})"):
                yield self._ioctx(connection, name)
        except ClusterUnreachable:
            self._drop(connection)
            raise
        finally:
            with self._guard:
                connection.users -= 1

    def ask(self, prefix: str, **arguments: str) -> Any:
        """What the monitors answer to a command, as JSON has it."""
        command = json.dumps({"prefix": prefix, "format": "json", **arguments})
        with self.client(f"`ceph {prefix}` was not answered") as client:
            code, output, words = client.mon_command(command, b"")
            if code:
                raise translated(_CommandRefused(-code, words), f"`ceph {prefix}` failed")
        return json.loads(output)

    def fsid(self) -> str:
        """The cluster's own name."""
        with self.client("the cluster's fsid could not be read") as client:
            return str(client.get_fsid())

    def renew(self) -> None:
        """Connect anew at the next call: what this connection knows of pools is out of date."""
        with self._guard:
            self._connection = None

    # ---- connecting ----------------------------------------------------------------------------

    def connect(self, *, tries: int = 1) -> None:
        """Make sure that there is a connection.  Raises an ``RbdError``."""
        for attempt in range(1, tries + 1):
            try:
                self._connect(time.monotonic())
                return
            except RbdError as failure:
                if attempt == tries or not failure.transient:
                    raise
                LOG.warning("try %d of %d: %s", attempt, tries, failure)
            progress.current().checkpoint()
            time.sleep(self.address.pause)

    def _connect(self, asked_at: float) -> None:
        with self._connecting:
            with self._guard:
                if self._connection is not None:
                    return
                # Whoever waited for another's attempt shares its end: waits do not add up.
                if self._failure is not None and self._failed_at > asked_at:
                    raise self._failure
            try:
                client = self.opened()
            except RbdError as failure:
                self._failed_at, self._failure = time.monotonic(), failure
                raise
            with self._guard:
                self._connection, self._failure = _Connection(client), None

    def opened(self, timeout: int | None = None) -> Any:
        """A new connection that belongs to the caller, who shuts it down."""
        options = self.address.ceph_options
        if timeout is not None and timeout > 0:
            options |= dict.fromkeys(_TIMEOUTS, str(timeout))
        conf = self.address.conf
        if conf and not Path(conf).is_file():
            raise LoginImpossible(
                reason=f"there is no Ceph configuration file {conf}. Set rbd_ceph_conf to the one "
                "of the cluster, or copy it there."
            )
        # A thread of its own: librados draws its client's number from the thread's random
        # numbers, which a forked process has in common with its siblings.  One that Ceph has shut
        # out would shut out them all.
        with (
            translating(self.bindings, f"{self.address} could not be connected to"),
            ThreadPoolExecutor(1, "ceph-connect") as fresh,
        ):
            return fresh.submit(self._connected_client, options).result()

    def _connected_client(self, options: dict[str, str]) -> Any:
        client = self.bindings.rados.Rados(
            rados_id=self.address.user,
            clustername=self.address.name,
            conffile=self.address.conf,
            conf=options,
        )
        try:
            client.connect()
        except self.bindings.rados.ObjectNotFound as failure:
            client.shutdown()
            raise LoginImpossible(reason=self._why_not_found(failure)) from failure
        except BaseException:
            client.shutdown()
            raise
        return client

    def _why_not_found(self, failure: Exception) -> str:
        user = self.address.user or "admin"
        return (
            f"{self.address} could not be connected to: {failure}. Ceph says so when it finds no "
            f"monitors in its configuration, or no keyring of client.{user} (`keyring` there, or "
            f"/etc/ceph/{self.address.name}.client.{user}.keyring)."
        )

    def _taken(self) -> _Connection:
        while True:
            with self._guard:
                if self._connection is not None:
                    self._connection.users += 1
                    return self._connection
            self.connect(tries=self.address.tries)

    def _ioctx(self, connection: _Connection, name: str) -> Any:
        with self._guard:
            found = connection.ioctxs.get(name)
        if found is None:
            try:
                found = connection.client.open_ioctx(name)
            except self.bindings.rados.ObjectNotFound as failure:
                raise PoolMissing(
                    reason=f"{self.address} has no pool {name}. Make it (`ceph osd pool create "
                    f"{name}`, `rbd pool init {name}`), or set rbd_pool to one that is there."
                ) from failure
            with self._guard:
                found = connection.ioctxs.setdefault(name, found)
        return found

    def _drop(self, connection: _Connection) -> None:
        """Let others connect anew.  Who still uses it keeps it alive; then it ends by itself."""
        with self._guard:
            if self._connection is connection:
                LOG.warning("the connection to %s is given up", self.address)
                self._connection = None

    # ---- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Disconnect, unless a call is still at it."""
        with self._guard:
            connection, self._connection = self._connection, None
        if connection is not None and connection.users == 0:
            for ioctx in connection.ioctxs.values():
                ioctx.close()
            connection.client.shutdown()

    def abandon(self) -> Any:
        """Forget the connection without a word to it; the caller has to keep what is returned."""
        connection, self._connection = self._connection, None
        self._guard, self._connecting = threading.Lock(), threading.Lock()
        return connection


class _CommandRefused(Exception):
    """A monitor's answer."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.errno = code


# ---- the process's clusters ------------------------------------------------------------------

_clusters: dict[tuple[int, Address], Cluster] = {}
_known = threading.Lock()
#: A parent's connections: a child must not even free them, their threads are not there.
_of_parent: list[Any] = []


def cluster_at(bindings: Bindings, address: Address) -> Cluster:
    """The one ``Cluster`` of this process for an address; nothing is connected yet."""
    with _known:
        key = (id(bindings.rados), address)
        return _clusters.setdefault(key, Cluster(bindings, address))


def _after_fork() -> None:
    global _known  # noqa: PLW0603
    _known = threading.Lock()
    _of_parent.extend(cluster.abandon() for cluster in _clusters.values())


def _at_exit() -> None:
    for cluster in _clusters.values():
        cluster.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
