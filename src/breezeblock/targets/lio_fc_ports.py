"""The fibre channel ports of this machine, as the kernel's transport class shows them."""

from __future__ import annotations

import re
from pathlib import Path

from breezeblock.targets.errors import TargetError

_WWPN = re.compile(r"[0-9a-f]{16}")


def plain_wwpn(text: str) -> str:
    """A world wide port name as 16 hexadecimal digits.  Raises ``TargetError``.

    Known forms: ``0x2000...``, ``naa.2000...``, ``20:00:...``, in either case.
    """
    plain = str(text).lower().removeprefix("0x").removeprefix("naa.").replace(":", "")
    if not _WWPN.fullmatch(plain):
        raise TargetError(reason=f"{text!r} is not a world wide port name")
    return plain


def colon_wwpn(wwpn: str) -> str:
    """The form that tcm_fc names its objects by: ``20:00:...``."""
    return ":".join(wwpn[i : i + 2] for i in range(0, len(wwpn), 2))


class FibreChannelPorts:
    """What ``/sys/class`` says of local ports."""

    def __init__(self, sysfs: Path = Path("/sys/class")) -> None:
        self._hosts = sysfs / "fc_host"

    def serving(self) -> tuple[str, ...]:
        """The WWPNs that tcm_fc can serve: those of libfc, whose ports are FCoE's."""
        return tuple(
            sorted(
                plain_wwpn(_read(host / "port_name"))
                for host in self._hosts.glob("host*")
                if "fcoe" in _read(host / "symbolic_name").lower()
            )
        )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
