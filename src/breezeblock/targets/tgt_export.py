"""What is known of one export, and the file that remembers it.

The file is in the form that the distribution's ``tgt-admin`` reads, so an operator can look at
it, or bring exports back without the service.  It holds a secret: mode 0600.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from breezeblock.execution.durable import write_atomically
from breezeblock.targets.errors import TargetError

LUN = 1
#: tids are taken from 28 bits: tgt puts them into that many bits of the unit's NAA identifier.
_TID_BITS = 28
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
#: ``tgt-admin`` takes it for a comment.
_SHARED_ACCOUNT = "    # the operator's account:"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@dataclass(frozen=True, slots=True)
class Export:
    """One volume offered by tgt."""

    name: str
    iqn: str
    path: str
    user: str
    secret: str = field(repr=False)
    write_cache: bool = True
    bsoflags: str = ""
    discard: bool = False
    #: tgtd's driver: ``iscsi`` or ``iser``.
    driver: str = "iscsi"
    #: The initiators that may enter by name; iSER only.
    initiators: tuple[str, ...] = ()
    #: The account is the operator's: other targets may demand it too.
    shared_account: bool = False

    @property
    def acl(self) -> tuple[str, ...]:
        """Whom tgtd lets in, if they have the secret."""
        return ("ALL", *self.initiators)

    @property
    def scsi_id(self) -> str:
        """32 hexadecimal digits of the volume's id.

        tgt makes the unit's world wide name of this text's last 32 digits (anything that is
        none counts as zero), so a text of exactly these keeps the names of two volumes apart.
        """
        uuid = _UUID.search(self.name)
        return uuid[0].replace("-", "") if uuid else self.name[-32:]

    @property
    def scsi_sn(self) -> str:
        """The volume's id: a serial number has room for 36 characters, a full name has not."""
        return self.name[-36:]

    @property
    def unit_creation(self) -> str:
        """tgtd's parameters to open the unit."""
        flags = f",bsoflags={self.bsoflags}" if self.bsoflags else ""
        return f"path={self.path},bstype=rdwr{flags}"

    @property
    def unit_settings(self) -> str:
        """tgtd's parameters to set up an open unit."""
        parts = [f"scsi_id={self.scsi_id}", f"scsi_sn={self.scsi_sn}"]
        if not self.write_cache:
            # Caching mode page without the write cache bit: every write is on disk when done.
            page = ["8", "0", "18", "0x10", "0", "0xff", "0xff", "0", "0", *["0xff"] * 4]
            page += ["0x80", "0x14", *["0"] * 6]
            parts.append("mode_page=" + ":".join(page))
        if self.discard:
            parts.append("thin_provisioning=1")
        return ",".join(parts)

    def tids(self) -> list[int]:
        """The tids this export may have, the likely one first.

        Derived from the name, so that several workers never give one tid to two targets, and a
        volume keeps its world wide name over restarts; the later ones are for the rare case
        that two names meet.
        """
        return [
            zlib.crc32(f"{self.iqn}/{attempt}".encode()) % ((1 << _TID_BITS) - 1) + 1
            for attempt in range(8)
        ]


def check_name(name: str) -> str:
    """``name`` if it is fit for a file and a target name.  Raises ``TargetError``."""
    if not _NAME.fullmatch(name):
        raise TargetError(reason=f"{name!r} is no name of a volume")
    return name


def write(directory: Path, export: Export) -> None:
    """Remember ``export``; durable when this returns."""
    lines = [
        f"<target {export.iqn}>",
        f"    backing-store {export.path}",
        f"    driver {export.driver}",
        *(f"    initiator-name {name}" for name in export.initiators),
        *([_SHARED_ACCOUNT] if export.shared_account else []),
        f"    incominguser {export.user} {export.secret}",
        *([f"    bsoflags {export.bsoflags}"] if export.bsoflags else []),
        f"    write-cache {'on' if export.write_cache else 'off'}",
        *(["    thin-provisioning 1"] if export.discard else []),
        f"    scsi_id {export.scsi_id}",
        f"    scsi_sn {export.scsi_sn}",
        "</target>",
    ]
    write_atomically(directory / check_name(export.name), ("\n".join(lines) + "\n").encode())


def read(directory: Path, name: str) -> Export | None:
    """What is remembered of ``name``; None if nothing.  Raises ``TargetError`` on nonsense."""
    try:
        text = (directory / check_name(name)).read_text()
    except FileNotFoundError:
        return None
    iqn = re.search(r"^<target (\S+)>$", text, re.MULTILINE)
    values = dict(re.findall(r"^ +(\S+) (.+)$", text, re.MULTILINE))
    user, _, secret = values.get("incominguser", "").partition(" ")
    if iqn is None or not secret or "backing-store" not in values:
        raise TargetError(
            reason=f"{directory / name} is not a target file of ours. Remove it; the volume is "
            "exported anew when it is next attached"
        )
    return Export(
        name=name,
        iqn=iqn[1],
        path=values["backing-store"],
        user=user,
        secret=secret,
        write_cache=values.get("write-cache") != "off",
        bsoflags=values.get("bsoflags", ""),
        discard=values.get("thin-provisioning") == "1",
        driver=values.get("driver", "iscsi"),
        initiators=tuple(re.findall(r"^ +initiator-name (\S+)$", text, re.MULTILINE)),
        shared_account=_SHARED_ACCOUNT in text.splitlines(),
    )


def names(directory: Path) -> list[str]:
    """The volumes whose exports are remembered."""
    if not directory.is_dir():
        return []
    return sorted(
        entry.name
        for entry in directory.iterdir()
        if _NAME.fullmatch(entry.name) and entry.is_file()
    )
