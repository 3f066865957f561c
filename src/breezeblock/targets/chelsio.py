"""iSCSI by Chelsio's offloading target: one target per volume, its only unit LUN 0.

Access: one-way CHAP always, and a list of the initiators whose attachments are open.  Account and
list are in the target's own file (mode 0600) below ``volumes_dir``; no secret is on a command
line.

Consumers in use: the target has no way to hold requests back, and no documented one to let an open
device grow.  ``paused`` and ``extend_target`` work while no initiator is admitted, and say so
otherwise.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from breezeblock.domain.resources import Volume
from breezeblock.execution.command import Execute, run
from breezeblock.execution.durable import make_private_directory, write_atomically
from breezeblock.targets import chap, iscsi
from breezeblock.targets.chelsio_tool import Iscsictl
from breezeblock.targets.errors import (
    TargetCreateFailed,
    TargetError,
    TargetRemoveFailed,
)
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.initiator_list import InitiatorListTarget
from breezeblock.targets.interface import (
    ModelUpdate,
    TargetConfiguration,
)

LOG = logging.getLogger(__name__)

LUN = 0
_TID = 1
_UNFIT = re.compile(r'[\s,#:"]')
#: A list without entries would admit everybody.
_NOBODY = "iqn.2010-10.org.openstack:nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChelsioSettings:
    """What a backend wants of its exports; ``files`` is where the targets' files are."""

    portals: iscsi.Portals
    target_prefix: str
    directory: Path
    files: Path
    account: tuple[str, str] | None = None


class CxtAdm(InitiatorListTarget):
    """See the module."""

    storage_protocol = "iSCSI"
    TOOL = "a Chelsio target"

    def __init__(self, settings: ChelsioSettings, tool: Iscsictl) -> None:
        super().__init__(ExportRecords(settings.directory))
        self._settings = settings
        self._tool = tool

    # ---- set-up --------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        self._records.prepare()
        make_private_directory(self._settings.files)
        self._tool.check()

    def restore(self) -> int:
        return self._restore_each(self._restore_one)

    def _restore_one(self, name: str) -> bool:
        with self._records.locked(name):
            record = self._records.read(name)
            return record is not None and self._put(name, record)

    # ---- exports -------------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        name = volume.name
        with failing_as(TargetCreateFailed, name), self._records.locked(name):
            record = self._record(volume, path)
            if any(_UNFIT.search(record[key]) for key in ("path", "user", "secret")):
                raise TargetError(
                    reason="a Chelsio target's file cannot hold a path or an account with blanks, "
                    f"quotes or the signs , # : (the path is {path!r})"
                )
            self._records.write(name, record)
            self._put(name, record)
        return {
            "provider_location": self._settings.portals.location(_TID, record["iqn"], LUN),
            "provider_auth": f"CHAP {record['user']} {record['secret']}",
        }

    def remove_export(self, volume: Volume) -> None:
        name = volume.name
        with failing_as(TargetRemoveFailed, name), self._records.locked(name):
            record = self._records.read(name)
            if record is not None:
                self._stop(record["iqn"])
                self._file(name).unlink(missing_ok=True)
                self._records.remove(name)

    # ---- one target ----------------------------------------------------------------------------

    def _put(self, name: str, record: dict[str, Any]) -> bool:
        """Make the kernel offer it; true if something had to be done."""
        file, text = self._file(name), self._text(record)
        active = self._tool.device(record["iqn"])
        if active == record["path"] and file.exists() and file.read_bytes() == text:
            return False
        if active not in {None, record["path"]}:
            self._stop(record["iqn"])
        # Removed first, so that a file that is there is always what the kernel was told.
        file.unlink(missing_ok=True)
        new = file.with_name(f".{name}.starting")
        write_atomically(new, text)
        self._tool.start(record["iqn"], new)
        if self._tool.device(record["iqn"]) != record["path"]:
            raise TargetError(
                reason=f"{record['iqn']} did not start. The kernel's log says why", transient=True
            )
        new.rename(file)
        return True

    def _withdraw(self, name: str, record: dict[str, Any]) -> None:
        self._stop(record["iqn"])

    def _stop(self, iqn: str) -> None:
        if self._tool.device(iqn) is not None:
            self._tool.stop(iqn)

    def _file(self, name: str) -> Path:
        return self._settings.files / name

    def _text(self, record: dict[str, Any]) -> bytes:
        lines = [
            "target:",
            f"TargetName={record['iqn']}",
            f"TargetDevice={record['path']}",
            f"PortalGroup=1@{','.join(self._settings.portals.each)}",
            "AuthMethod=CHAP",
            "Auth_CHAP_Policy=Oneway",
            f'Auth_CHAP_Initiator="{record["user"]}":"{record["secret"]}"',
            "ACL_Enable=Yes",
            *[f"ACL=iname={initiator}" for initiator in record["initiators"] or [_NOBODY]],
        ]
        return ("\n\t".join(lines) + "\n").encode()

    def _record(self, volume: Volume, path: str) -> dict[str, Any]:
        known = self._records.read(volume.name)
        user, secret = chap.choose(volume, known, self._settings.account)
        return {
            # iscsictl maps names to small letters (RFC 3722) where it reads them.
            "iqn": (self._settings.target_prefix + volume.name).lower(),
            "path": path,
            "user": user,
            "secret": secret,
            "initiators": known["initiators"] if known else [],
        }


class ChelsioConfiguration(TargetConfiguration, chap.ChapConfiguration, Protocol):
    """The options of this target."""

    @property
    def chiscsi_conf(self) -> str: ...


def create(configuration: TargetConfiguration, execute: Execute = run) -> CxtAdm:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(ChelsioConfiguration, configuration)
    volumes = Path(options.volumes_dir)
    settings = ChelsioSettings(
        portals=iscsi.portals_of(options),
        target_prefix=options.target_prefix,
        directory=volumes / "chelsio",
        files=volumes / "cxt",
        account=chap.configured(options),
    )
    return CxtAdm(settings, Iscsictl(execute, Path(options.chiscsi_conf)))
