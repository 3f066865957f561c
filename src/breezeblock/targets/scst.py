"""iSCSI by SCST: a target per volume, or a predefined one for all (``scst_target_iqn_name``).

Access: CHAP always.  A volume's LUN is in initiator groups only, never among the LUNs that a
target shows to everybody.  A target of one volume has one group, whose initiators come and go
with their attachments; the predefined target has a group per initiator, into which the LUNs of
its volumes come and go.  A number is given to another volume only after all the others (see
``number_series``): an initiator that still has a session and looks late finds nothing there,
never another's data.

The predefined target has one account for all its volumes, because an initiator keeps one session
to it and logs in anew with the account that it learnt last.

Secrets reach ``scstadmin`` in a file that only it can open.

Consumers in use: SCST can tell initiators of a new size (``-resync_dev``).  It cannot close a
device without failing the requests of those who use it, so ``paused`` works while no initiator is
admitted, and says so otherwise.
"""

from __future__ import annotations

import logging
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from breezeblock.domain.resources import Volume
from breezeblock.execution.command import Execute, run
from breezeblock.targets import chap, iscsi
from breezeblock.targets.errors import (
    TargetCreateFailed,
    TargetError,
    TargetRemoveFailed,
    TargetUpdateFailed,
)
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.initiator_list import InitiatorListTarget
from breezeblock.targets.interface import (
    ModelUpdate,
    TargetConfiguration,
)
from breezeblock.targets.number_series import NumberSeries
from breezeblock.targets.scst_config import check_word
from breezeblock.targets.scst_export import ScstExports, Wanted
from breezeblock.targets.scst_tool import Scstadmin

LOG = logging.getLogger(__name__)

_TID = 1
_OWN_LUN = 1
#: What a LUN may be in the addressing that every initiator knows (SAM, flat space).
_HIGHEST_LUN = 16383


@dataclass(frozen=True, slots=True, kw_only=True)
class ScstSettings:
    """What a backend wants of its exports; ``shared_target`` is the predefined one's name."""

    portals: iscsi.Portals
    target_prefix: str
    directory: Path
    shared_target: str | None = None
    account: tuple[str, str] | None = None


class SCSTAdm(InitiatorListTarget):
    """See the module."""

    storage_protocol = "iSCSI"
    secondary_ip_support = False
    TOOL = "SCST"

    def __init__(self, settings: ScstSettings, tool: Scstadmin) -> None:
        super().__init__(ExportRecords(settings.directory))
        self._settings = settings
        self._tool = tool
        self._exports = ScstExports(tool, shared=settings.shared_target is not None)
        self._shared = ExportRecords(settings.directory / "shared")
        self._numbers = NumberSeries(settings.directory / "last-lun", _HIGHEST_LUN)

    # ---- set-up --------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        self._records.prepare()
        if "iscsi" not in self._tool.drivers():
            raise TargetError(
                reason="SCST has no target driver iscsi. Load the module iscsi-scst and start "
                "iscsi-scstd"
            )

    def restore(self) -> int:
        return self._restore_each(self._restore_one)

    def _restore_one(self, name: str) -> bool:
        with self._records.locked(name):
            record = self._records.read(name)
            return record is not None and self._put(name, record)

    # ---- exports -------------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        with failing_as(TargetCreateFailed, volume.name), self._records.locked(volume.name):
            record = self._record(volume, check_word(path, f"the path {path!r}"))
            self._records.write(volume.name, record)
            self._put(volume.name, record)
        return {
            "provider_location": self._settings.portals.location(
                _TID, record["iqn"], record["lun"]
            ),
            "provider_auth": f"CHAP {record['user']} {record['secret']}",
        }

    def remove_export(self, volume: Volume) -> None:
        with failing_as(TargetRemoveFailed, volume.name), self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is not None:
                self._withdraw(volume.name, record)
                self._records.remove(volume.name)

    # ---- changes under consumers ---------------------------------------------------------------

    def extend_target(self, volume: Volume, path: str) -> None:
        with failing_as(TargetUpdateFailed, volume.name), self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is not None:
                self._exports.resync(_wanted(volume.name, record))

    def _put(self, name: str, record: dict[str, Any]) -> bool:
        return self._exports.put(_wanted(name, record))

    def _withdraw(self, name: str, record: dict[str, Any]) -> None:
        self._exports.take_away(_wanted(name, record))

    # ---- records -------------------------------------------------------------------------------

    def _record(self, volume: Volume, path: str) -> dict[str, Any]:
        known = self._records.read(volume.name)
        shared = self._settings.shared_target
        user, secret = self._credentials(volume, known)
        return {
            "iqn": check_word(
                shared or self._settings.target_prefix + volume.name, "a target name"
            ),
            "lun": self._lun(volume.name, known),
            "path": path,
            "handler": _handler(path),
            "user": check_word(user, "a CHAP user"),
            "secret": check_word(secret, "a CHAP secret"),
            "initiators": known["initiators"] if known else [],
        }

    def _credentials(self, volume: Volume, known: dict[str, Any] | None) -> tuple[str, str]:
        """The volume's own, or the predefined target's for all its volumes."""
        if self._settings.shared_target is None:
            return chap.choose(volume, known, self._settings.account)
        with self._shared.locked("account"):
            account = self._shared.read("account")
            if account is None:
                user, secret = chap.choose(volume, known, self._settings.account)
                account = {"user": user, "secret": secret}
                self._shared.write("account", account)
        return chap.choose(volume, account, None)

    def _lun(self, name: str, known: dict[str, Any] | None) -> int:
        if self._settings.shared_target is None:
            return _OWN_LUN
        if known is not None:
            return int(known["lun"])
        records = (self._records.read(other) for other in self._records.names() if other != name)
        used = {record["lun"] for record in records if record is not None}
        return self._numbers.take(used | self._exports.luns(self._settings.shared_target))


def _wanted(name: str, record: dict[str, Any]) -> Wanted:
    return Wanted(name=name, **{**record, "initiators": tuple(record["initiators"])})


def _handler(path: str) -> str:
    """Devices past the page cache, files through it."""
    return "vdisk_blockio" if stat.S_ISBLK(Path(path).stat().st_mode) else "vdisk_fileio"


class ScstConfiguration(TargetConfiguration, chap.ChapConfiguration, Protocol):
    """The options of this target."""

    @property
    def scst_target_iqn_name(self) -> str | None: ...
    @property
    def scst_target_driver(self) -> str: ...


def create(
    configuration: TargetConfiguration,
    execute: Execute = run,
    conf: Path = Path("/etc/scst.conf"),
) -> SCSTAdm:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(ScstConfiguration, configuration)
    if options.scst_target_driver != "iscsi":
        raise TargetError(
            reason=f"scst_target_driver '{options.scst_target_driver}' is not served. Set it to "
            "iscsi"
        )
    directory = Path(options.volumes_dir) / "scst"
    settings = ScstSettings(
        portals=iscsi.Portals((options.target_ip_address,), options.target_port),
        target_prefix=options.target_prefix,
        directory=directory,
        shared_target=options.scst_target_iqn_name or None,
        account=chap.configured(options),
    )
    return SCSTAdm(settings, Scstadmin(execute, directory, conf))
