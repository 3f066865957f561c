"""Where a program runs, and with which environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: Set in every guest.
_SIGN = "BREEZEBLOCK_VM_LAB"
#: In memory, with unix sockets and the like; for big or directly read files take a scratch disk.
_TEMPORARY = "/run/scratch"
#: Not the guest's business: pytest's own state, and where the host keeps things.
_DROPPED = {"PWD", "OLDPWD", "SHLVL", "_", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST"}


def in_guest() -> bool:
    """Whether this process runs in a guest of the lab."""
    return os.environ.get(_SIGN) == "1"


def guest_environment(host: Mapping[str, str]) -> dict[str, str]:
    """What a command in the guest gets of the host's environment."""
    kept = {name: value for name, value in host.items() if name not in _DROPPED}
    path = f"{host.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    return kept | {_SIGN: "1", "TMPDIR": _TEMPORARY, "PATH": path}
