"""One volume in SPDK: an aio bdev on its path, alone in a subsystem of its own.

``put`` makes SPDK equal to what is wanted, whatever is there; it looks before it acts.  A
subsystem admits listed hosts only, from its first moment on.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breezeblock.targets.errors import TargetError
from breezeblock.targets.spdk_rpc import NO_SUCH_DEVICE, SpdkClient, SpdkError

#: Namespaces a subsystem has room for if nobody says more.
_ROOM = 32
_FILE_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where hosts connect.  ``transport`` is ``tcp`` or ``rdma``."""

    transport: str
    address: str
    port: int
    queue_depth: int

    @property
    def described(self) -> dict[str, str]:
        """As SPDK takes and tells it."""
        return {
            "trtype": self.transport.upper(),
            "adrfam": "IPv6" if ":" in self.address else "IPv4",
            "traddr": self.address,
            "trsvcid": str(self.port),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What SPDK shall offer.  ``serial`` has 20 characters at most, ``hosts`` are their NQNs."""

    name: str
    nqn: str
    path: str
    uuid: str
    serial: str
    namespace: int
    hosts: tuple[str, ...] = ()


class SpdkSubsystems:
    """Subsystems at one listener."""

    def __init__(self, client: SpdkClient, listener: Listener) -> None:
        self._call = client.call
        self._listener = listener

    def nqns(self) -> set[str]:
        """All there are, ours or not."""
        return {subsystem["nqn"] for subsystem in self._call("nvmf_get_subsystems")}

    def is_right(self, wanted: Wanted) -> bool:
        """Whether SPDK offers exactly this."""
        subsystem = self._find(wanted.nqn)
        return (
            subsystem is not None
            and not subsystem.get("allow_any_host")
            and self._is_attached(subsystem, wanted)
            and self._bdev_path(wanted.name) == wanted.path
            and self._listens(subsystem)
            and _hosts(subsystem) == set(wanted.hosts)
        )

    def put(self, wanted: Wanted) -> None:
        """Offer it."""
        self._put_transport()
        if self._bdev_path(wanted.name) not in {None, wanted.path}:
            self.take_away(wanted.nqn, wanted.name)
        if self._bdev_path(wanted.name) is None:
            self._call(
                "bdev_aio_create", name=wanted.name, filename=wanted.path, **_block_size(wanted)
            )
        self._put_subsystem(wanted)

    def take_away(self, nqn: str, name: str) -> None:
        """Stop offering it and close its path; what is not there is success."""
        if self._find(nqn) is not None:
            self._call("nvmf_delete_subsystem", nqn=nqn)
        if self._bdev_path(name) is not None:
            self._call("bdev_aio_delete", name=name)

    def rescan(self, name: str) -> None:
        """Take the present size of the path; hosts are told."""
        self._call("bdev_aio_rescan", name=name)

    def put_hosts(self, wanted: Wanted) -> None:
        """Admit these hosts and nobody else; SPDK cuts off a host that is removed."""
        subsystem = self._find(wanted.nqn)
        if subsystem is None:
            raise TargetError(reason=f"SPDK has no subsystem {wanted.nqn}", transient=True)
        there = _hosts(subsystem)
        for host in sorted(there - set(wanted.hosts)):
            self._call("nvmf_subsystem_remove_host", nqn=wanted.nqn, host=host)
        for host in sorted(set(wanted.hosts) - there):
            self._call("nvmf_subsystem_add_host", nqn=wanted.nqn, host=host)

    # ---- parts ---------------------------------------------------------------------------------

    def _put_transport(self) -> None:
        kind = self._listener.transport.upper()
        if not self._has_transport(kind):
            try:
                self._call(
                    "nvmf_create_transport",
                    trtype=kind,
                    max_queue_depth=self._listener.queue_depth,
                )
            except SpdkError:
                # Another worker may have been quicker.
                if not self._has_transport(kind):
                    raise

    def _has_transport(self, kind: str) -> bool:
        return any(t["trtype"].upper() == kind for t in self._call("nvmf_get_transports"))

    def _put_subsystem(self, wanted: Wanted) -> None:
        subsystem = self._find(wanted.nqn)
        if subsystem is None:
            self._call(
                "nvmf_create_subsystem",
                nqn=wanted.nqn,
                serial_number=wanted.serial,
                max_namespaces=max(_ROOM, wanted.namespace),
                allow_any_host=False,
            )
            subsystem = {}
        elif subsystem.get("allow_any_host"):
            self._call("nvmf_subsystem_allow_any_host", nqn=wanted.nqn, allow_any_host=False)
        self.put_hosts(wanted)
        self._put_namespace(wanted, subsystem)
        if not self._listens(subsystem):
            self._call(
                "nvmf_subsystem_add_listener",
                nqn=wanted.nqn,
                listen_address=self._listener.described,
            )

    def _put_namespace(self, wanted: Wanted, subsystem: dict[str, Any]) -> None:
        if self._is_attached(subsystem, wanted):
            return
        for namespace in subsystem.get("namespaces", ()):
            self._call("nvmf_subsystem_remove_ns", nqn=wanted.nqn, nsid=namespace["nsid"])
        self._call(
            "nvmf_subsystem_add_ns",
            nqn=wanted.nqn,
            namespace={
                "nsid": wanted.namespace,
                "bdev_name": wanted.name,
                "uuid": wanted.uuid,
                "nguid": wanted.uuid.replace("-", "").upper(),
            },
        )

    def _find(self, nqn: str) -> dict[str, Any] | None:
        return next((s for s in self._call("nvmf_get_subsystems") if s["nqn"] == nqn), None)

    def _bdev_path(self, name: str) -> str | None:
        """The path of the bdev ``name``, None if there is no such bdev."""
        try:
            (bdev,) = self._call("bdev_get_bdevs", name=name)
        except SpdkError as refused:
            if refused.code == NO_SUCH_DEVICE:
                return None
            raise
        return str(bdev.get("driver_specific", {}).get("aio", {}).get("filename", ""))

    def _listens(self, subsystem: dict[str, Any]) -> bool:
        wanted = self._listener.described
        return any(
            {key: str(there.get(key, "")).upper() for key in wanted}
            == {key: value.upper() for key, value in wanted.items()}
            for there in subsystem.get("listen_addresses", ())
        )

    @staticmethod
    def _is_attached(subsystem: dict[str, Any], wanted: Wanted) -> bool:
        there = [(n["nsid"], n["bdev_name"]) for n in subsystem.get("namespaces", ())]
        return there == [(wanted.namespace, wanted.name)]


def _hosts(subsystem: dict[str, Any]) -> set[str]:
    return {host["nqn"] for host in subsystem.get("hosts", ())}


def _block_size(wanted: Wanted) -> dict[str, int]:
    """SPDK asks a device for its block size; a file has none to ask for."""
    if stat.S_ISBLK(Path(wanted.path).stat().st_mode):
        return {}
    return {"block_size": _FILE_BLOCK}
