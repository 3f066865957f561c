"""iSCSI by the iSCSI Enterprise Target (IET): one target per volume, its only unit LUN 0.

The export is in three places: the kernel (``ietadm``), ``ietd.conf`` (so that ``ietd`` brings it
back), and the lists of who may enter.

Access: CHAP always, and besides only the addresses (the connector's ``ip``) of consumers whose
attachments are open: IET admits by address, not by initiator name.  A consumer must therefore
reach IET from the address it states; for Nova that is ``my_block_storage_ip``.  Nobody else gets
in, also while a target is being made.

A secret is for a moment on a command line; see ``iet_tool``.

Consumers in use: IET has no way to hold requests back, or to let an open unit grow.  ``paused``
and ``extend_target`` work while nobody is admitted, and say so otherwise.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import stat
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution.command import Execute, run
from breezeblock.targets import chap, iscsi
from breezeblock.targets.errors import (
    TargetCreateFailed,
    TargetError,
    TargetRemoveFailed,
)
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.iet_files import MarkedFile
from breezeblock.targets.iet_tool import Ietadm, IetTarget, Unit
from breezeblock.targets.interface import (
    ConnectionInfo,
    Connector,
    ModelUpdate,
    TargetConfiguration,
)
from breezeblock.targets.recorded_target import UnpausableTarget

LOG = logging.getLogger(__name__)

LUN = 0
_UNFIT = re.compile(r"[\s,=#]")
_DRAIN_SECONDS = 20.0
_TIDS = 2**28
_TID_TRIES = 8
#: Characters that IET has room for in a unit's identity.
_SERIAL_LENGTH = 16
#: No connection comes from the broadcast address.
_NOBODY = "255.255.255.255"


@dataclass(frozen=True, slots=True, kw_only=True)
class IetSettings:
    """What a backend wants of its exports; ``iotype`` is ``fileio``, ``blockio`` or ``auto``."""

    portals: iscsi.Portals
    target_prefix: str
    directory: Path
    conf: Path
    iotype: str = "fileio"
    account: tuple[str, str] | None = None


class IetAdm(UnpausableTarget):
    """See the module."""

    storage_protocol = "iSCSI"
    secondary_ip_support = True
    TOOL = "IET"

    def __init__(self, settings: IetSettings, tool: Ietadm) -> None:
        super().__init__(ExportRecords(settings.directory))
        self._settings = settings
        self._tool = tool
        self._conf = MarkedFile(settings.conf, secret=True)
        self._allow = MarkedFile(settings.conf.with_name("initiators.allow"), on_top=True)
        self._deny = MarkedFile(settings.conf.with_name("initiators.deny"), on_top=True)

    # ---- set-up --------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        self._records.prepare()
        self._tool.targets()

    def restore(self) -> int:
        there = self._tool.targets()
        return self._restore_each(lambda name: self._restore_one(name, there))

    def _restore_one(self, name: str, there: Mapping[str, IetTarget]) -> bool:
        with self._records.locked(name):
            record = self._records.read(name)
            if record is None or _is_right(there.get(record["iqn"]), record):
                return False
            self._put(name, record)
        return True

    # ---- exports -------------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        name = volume.name
        with failing_as(TargetCreateFailed, name), self._records.locked(name):
            known = self._records.read(name)
            user, secret = chap.choose(volume, known, self._settings.account)
            if any(_UNFIT.search(part) for part in (path, user, secret)):
                raise TargetError(
                    reason="IET's configuration cannot hold a path or an account with blanks or "
                    f"the signs , = # (the path is {path!r})"
                )
            record = {**self._record(volume, path, known), "user": user, "secret": secret}
            if known is not None and _account(known) != _account(record):
                # Its accounts cannot be looked at, so a target never outlives a change of them.
                self._take_away(known)
            self._records.write(name, record)
            tid = self._put(name, record)
        return {
            "provider_location": self._settings.portals.location(tid, record["iqn"], LUN),
            "provider_auth": f"CHAP {record['user']} {record['secret']}",
        }

    def remove_export(self, volume: Volume) -> None:
        name = volume.name
        with failing_as(TargetRemoveFailed, name), self._records.locked(name):
            record = self._records.read(name)
            if record is None:
                return
            # Nobody new gets in; the ban is lifted when there is nothing left to enter.
            self._conf.remove(name)
            self._admit(name, {**record, "addresses": {}})
            self._take_away(record)
            self._allow.remove(name)
            self._deny.remove(name)
            self._records.remove(name)

    # ---- consumers -----------------------------------------------------------------------------

    def validate_connector(self, connector: Connector) -> None:
        super().validate_connector(connector)
        if not connector.get("ip"):
            raise InvalidConnector(missing="ip")
        try:
            ipaddress.ip_address(str(connector["ip"]))
        except ValueError as failure:
            raise InvalidConnector("The connector's ip is no address.") from failure

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        with self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is None:
                raise TargetError(reason=f"volume {volume.id} is not exported. Attach it anew")
            record["addresses"][str(connector["initiator"])] = str(connector["ip"])
            self._records.write(volume.name, record)
            self._admit(volume.name, record)
        return iscsi.connection_info(volume, connector)

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        stay = {other.get("initiator") for other in others}
        with self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is not None:
                gone = None if connector is None else connector.get("initiator")
                if connector is None:
                    record["addresses"] = {}
                elif gone not in stay:
                    record["addresses"].pop(gone, None)
                self._records.write(volume.name, record)
                self._admit(volume.name, record)
                self._cut_off(record)
        return connector is not None and bool(others)

    def _admit(self, name: str, record: dict[str, Any]) -> None:
        """Let these addresses in and nobody else."""
        addresses = sorted(set(record["addresses"].values()))
        shown = [f"[{a}]" if ":" in a else a for a in addresses]
        # Without a line of its own the target would go by the list's line for all others.
        self._allow.put(name, [f"{record['iqn']} {', '.join(shown or [_NOBODY])}"])
        self._deny.put(name, [f"{record['iqn']} ALL"])

    def _cut_off(self, record: dict[str, Any]) -> None:
        """Close the connections of initiators that are not admitted any more."""
        target = self._tool.targets().get(record["iqn"])
        if target is not None:
            for connection in self._tool.connections(record["iqn"]):
                if connection.initiator not in record["addresses"]:
                    self._tool.delete_connection(target.tid, connection)

    # ---- one target ----------------------------------------------------------------------------

    def _put(self, name: str, record: dict[str, Any]) -> int:
        """Make IET offer it, whatever it offers now; return the tid.

        Entrance first, then account, and last what there is to see.
        """
        self._admit(name, record)
        self._conf.put(
            name,
            [
                f"Target {record['iqn']}",
                f"\tIncomingUser {record['user']} {record['secret']}",
                f"\tLun {LUN} {_parameters(record)}",
            ],
        )
        unit = Unit(record["iotype"], record["path"])
        tid = self._tid(record["iqn"])
        self._tool.new_account(tid, record["user"], record["secret"])
        present = self._tool.targets()[record["iqn"]].units
        for lun, there in present.items():
            if (lun, there) != (LUN, unit):
                self._tool.delete_unit(tid, lun)
        self._tool.new_unit(tid, LUN, _parameters(record))
        return tid

    def _tid(self, iqn: str) -> int:
        """The target's id; it is made if it is not there.

        Derived from the name, so that two workers do not both take the first free one, and a
        volume keeps its place over restarts.
        """
        for attempt in range(_TID_TRIES):
            present = self._tool.targets().get(iqn)
            if present is not None:
                return present.tid
            # Refused if the id is another's: then the next one is tried.
            self._tool.new_target(1 + zlib.crc32(f"{iqn}/{attempt}".encode()) % _TIDS, iqn)
        raise TargetError(reason=f"IET shows no target {iqn}", transient=True)

    def _admitted(self, record: dict[str, Any]) -> Sequence[str]:
        return sorted(record["addresses"])

    def _withdraw(self, name: str, record: dict[str, Any]) -> None:
        self._take_away(record)

    def _take_away(self, record: dict[str, Any]) -> None:
        target = self._tool.targets().get(record["iqn"])
        if target is None:
            return
        deadline = time.monotonic() + _DRAIN_SECONDS
        wait = 0.001
        while True:
            for connection in self._tool.connections(record["iqn"]):
                self._tool.delete_connection(target.tid, connection)
            if self._tool.delete_target(target.tid):
                return
            if time.monotonic() > deadline:
                raise TargetError(
                    reason=f"{record['iqn']} still has sessions after {_DRAIN_SECONDS:.0f} s",
                    transient=True,
                )
            time.sleep(wait)
            wait = min(2 * wait, 0.1)

    def _record(self, volume: Volume, path: str, known: dict[str, Any] | None) -> dict[str, Any]:
        """All but the account."""
        return {
            "iqn": self._settings.target_prefix + volume.name,
            "path": path,
            "iotype": self._iotype(path),
            "serial": (volume.name_id or volume.id).replace("-", "")[:_SERIAL_LENGTH],
            "addresses": known["addresses"] if known else {},
        }

    def _iotype(self, path: str) -> str:
        if self._settings.iotype != "auto":
            return self._settings.iotype
        return "blockio" if stat.S_ISBLK(Path(path).stat().st_mode) else "fileio"


def _is_right(target: IetTarget | None, record: dict[str, Any]) -> bool:
    return target is not None and target.units == {LUN: Unit(record["iotype"], record["path"])}


def _parameters(record: dict[str, Any]) -> str:
    """The unit's; IET would else make its identity of the tid."""
    serial = record["serial"]
    return f"Path={record['path']},Type={record['iotype']},ScsiId={serial},ScsiSN={serial}"


def _account(record: dict[str, Any] | None) -> tuple[str, str] | None:
    return (record["user"], record["secret"]) if record else None


class IetConfiguration(TargetConfiguration, chap.ChapConfiguration, Protocol):
    """The options of this target."""

    @property
    def iet_conf(self) -> str: ...
    @property
    def iscsi_iotype(self) -> str: ...


def create(
    configuration: TargetConfiguration,
    execute: Execute = run,
    proc: Path = Path("/proc/net/iet"),
) -> IetAdm:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(IetConfiguration, configuration)
    settings = IetSettings(
        portals=iscsi.portals_of(options),
        target_prefix=options.target_prefix,
        directory=Path(options.volumes_dir) / "iet",
        conf=Path(options.iet_conf),
        iotype=options.iscsi_iotype,
        account=chap.configured(options),
    )
    return IetAdm(settings, Ietadm(execute, proc))
