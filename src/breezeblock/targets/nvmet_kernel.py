"""The kernel's NVMe-oF target in configfs: ports, subsystems, namespaces, allowed hosts.

Facts about the kernel this rests on (each is tested, with Linux 6.1 at both ends):

- A host that is taken off a subsystem's list keeps the controllers it has.  Unlinking the
  subsystem from a port ends all controllers that came by that port; hosts connect again after
  their reconnect delay (10 s by default), which those that are not allowed cannot.
- Disabling a namespace waits for what is in flight and closes the device.  A connected host is
  told that the namespace is gone and drops it, so its controller has to end first.
- A host that tries to connect while the subsystem is unlinked tries again later.  (From Linux
  6.10 on, initiators take that answer for final, so a pause should be over before their
  reconnect delay is.)
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetError

#: Most namespaces the kernel puts into a subsystem; their ids stay within it, too.
MAX_NAMESPACES = 1024
_SERIAL_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Port:
    """Where hosts connect: a numbered object in the kernel, which volumes share.

    ``transport`` is ``tcp`` or ``rdma``; ``service`` the port number as text.
    """

    number: int
    address: str
    service: str
    transport: str

    @property
    def attributes(self) -> dict[str, str]:
        return {
            "addr_trtype": self.transport,
            "addr_adrfam": "ipv6" if ":" in self.address else "ipv4",
            "addr_traddr": self.address,
            "addr_trsvcid": self.service,
        }


@dataclass(frozen=True, slots=True)
class Namespace:
    """A volume within a subsystem.  ``uuid`` is how hosts tell volumes apart."""

    path: str
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsystem:
    """What the kernel has to offer under one name."""

    nqn: str
    serial: str
    namespaces: Mapping[int, Namespace]
    hosts: Sequence[str]
    ports: Sequence[Port]


def ports_record(ports: Iterable[Port]) -> list[dict[str, Any]]:
    return [asdict(port) for port in ports]


def ports_of_record(record: Mapping[str, Any]) -> tuple[Port, ...]:
    return tuple(Port(**port) for port in record["ports"])


def serial_of(uuid: str) -> str:
    """A subsystem's serial number: it has room for 20 characters."""
    return uuid.replace("-", "")[:_SERIAL_LENGTH]


class NvmetKernel:
    """Makes the kernel offer subsystems."""

    def __init__(self, kernel: Configfs) -> None:
        self._kernel = kernel
        self._ports = kernel.root / "ports"
        self._subsystems = kernel.root / "subsystems"
        self._hosts = kernel.root / "hosts"

    def is_offered(self, wanted: Subsystem) -> bool:
        """Whether it is linked to its ports (the last step of ``offer``) with all its volumes."""
        return all(
            self._kernel.exists(self._link(str(port.number), wanted.nqn)) for port in wanted.ports
        ) and all(self._is_right(wanted.nqn, n, wanted.namespaces[n]) for n in wanted.namespaces)

    def offer(self, wanted: Subsystem) -> None:
        """Make the kernel offer ``wanted``; what is right already stays as it is.

        Raises ``TargetError``, also if a port's number is taken by somebody else.
        """
        for port in wanted.ports:
            self._make_port(port)
        directory = self._subsystem(wanted.nqn)
        self._kernel.make(directory)
        self._kernel.set(directory / "attr_allow_any_host", "0")
        self._kernel.set(directory / "attr_serial", wanted.serial)
        for nsid in self._namespaces(wanted.nqn) - set(wanted.namespaces):
            self.drop_namespace(wanted.nqn, nsid)
        for nsid, namespace in wanted.namespaces.items():
            self._open(wanted.nqn, nsid, namespace)
        for host in wanted.hosts:
            self.allow(wanted.nqn, host)
        self._refuse_strangers(wanted)
        self._link_to(wanted)

    def withdraw(self, nqn: str) -> None:
        """Take a subsystem away, with all controllers; unknown is success."""
        self.disconnect(nqn)
        for nsid in self._namespaces(nqn):
            self.drop_namespace(nqn, nsid)
        directory = self._subsystem(nqn)
        for host in self._kernel.names(directory / "allowed_hosts"):
            self._kernel.unlink(directory / "allowed_hosts" / host)
        self._kernel.remove(directory)

    # ---- hosts -------------------------------------------------------------------------------

    def allow(self, nqn: str, host: str) -> None:
        # Hosts' objects stay for good: others may use them, and they are few.
        self._kernel.make(self._hosts / host)
        self._kernel.link(self._subsystem(nqn) / "allowed_hosts" / host, self._hosts / host)

    def confine(self, wanted: Subsystem) -> None:
        """Let hosts that are not wanted any more connect no more, and end their controllers.

        The controllers of other hosts end with them and are back after their reconnect delay.
        """
        self._refuse_strangers(wanted)
        if all(self._is_right(wanted.nqn, n, wanted.namespaces[n]) for n in wanted.namespaces):
            self._link_to(wanted)

    def _refuse_strangers(self, wanted: Subsystem) -> None:
        allowed = self._subsystem(wanted.nqn) / "allowed_hosts"
        for host in set(self._kernel.names(allowed)) - set(wanted.hosts):
            # In this order: if it is interrupted, the next call still knows who has to go.
            self.disconnect(wanted.nqn)
            self._kernel.unlink(allowed / host)

    def disconnect(self, nqn: str) -> None:
        """End all controllers and let nobody connect."""
        for port in self._kernel.names(self._ports):
            self._kernel.unlink(self._link(port, nqn))

    # ---- namespaces --------------------------------------------------------------------------

    def _open(self, nqn: str, nsid: int, wanted: Namespace) -> None:
        if self._is_right(nqn, nsid, wanted):
            return
        directory = self._namespace(nqn, nsid)
        if self._kernel.read(directory / "enable") == "1":
            # It shows another device: nobody may see the one become the other.
            self.disconnect(nqn)
            self.close_namespace(nqn, nsid)
        self._kernel.make(directory)
        self._kernel.write(directory / "device_path", wanted.path)
        self._kernel.write(directory / "device_uuid", wanted.uuid)
        self._kernel.write(directory / "device_nguid", wanted.uuid)
        if _is_file(wanted.path):
            # Through the page cache: not every file system can do without.
            self._kernel.set(directory / "buffered_io", "1")
        self._kernel.write(directory / "enable", "1")

    def _is_right(self, nqn: str, nsid: int, wanted: Namespace) -> bool:
        directory = self._namespace(nqn, nsid)
        return (
            self._kernel.read(directory / "enable") == "1"
            and self._kernel.read(directory / "device_path") == wanted.path
            and self._kernel.read(directory / "device_uuid") == wanted.uuid
        )

    def close_namespace(self, nqn: str, nsid: int) -> None:
        """Wait for what is in flight and let go of the device."""
        if self._kernel.read(self._namespace(nqn, nsid) / "enable") == "1":
            self._kernel.write(self._namespace(nqn, nsid) / "enable", "0")

    def drop_namespace(self, nqn: str, nsid: int) -> None:
        """Take a namespace away; connected hosts are told."""
        self.close_namespace(nqn, nsid)
        self._kernel.remove(self._namespace(nqn, nsid))

    def grow_namespace(self, nqn: str, nsid: int) -> None:
        """Look at the size of the device again; connected hosts are told."""
        self._kernel.write(self._namespace(nqn, nsid) / "revalidate_size", "1")

    # ---- ports -------------------------------------------------------------------------------

    def _make_port(self, port: Port) -> None:
        directory = self._ports / str(port.number)
        self._kernel.make(directory)
        wrong = {}
        for attribute, value in port.attributes.items():
            present = self._kernel.read(directory / attribute)
            if present != value:
                wrong[attribute] = value
                # An address that is set is somebody's; a family has a default.
                if present and attribute != "addr_adrfam":
                    raise TargetError(
                        reason=f"port {port.number} of the kernel's NVMe target belongs to "
                        f"somebody else ({attribute} is {present}, not {value}). Set "
                        "nvmet_port_id to a free number"
                    )
        for attribute, value in wrong.items():
            self._kernel.write(directory / attribute, value)

    def _link_to(self, wanted: Subsystem) -> None:
        numbers = {str(port.number) for port in wanted.ports}
        for port in self._kernel.names(self._ports):
            if port in numbers:
                self._kernel.link(self._link(port, wanted.nqn), self._subsystem(wanted.nqn))
            else:
                self._kernel.unlink(self._link(port, wanted.nqn))

    # ---- places ------------------------------------------------------------------------------

    def _subsystem(self, nqn: str) -> Path:
        return self._subsystems / nqn

    def _namespace(self, nqn: str, nsid: int) -> Path:
        return self._subsystem(nqn) / "namespaces" / str(nsid)

    def _namespaces(self, nqn: str) -> set[int]:
        return {int(n) for n in self._kernel.names(self._subsystem(nqn) / "namespaces")}

    def _link(self, port: str, nqn: str) -> Path:
        return self._ports / port / "subsystems" / nqn


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError as failure:
        raise TargetError(reason=f"{path}: {failure.strerror}") from failure
