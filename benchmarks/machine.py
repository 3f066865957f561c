"""On what, and with what, the figures were taken."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from breezeblock import __version__

_PACKAGES = ("falcon", "granian", "SQLAlchemy", "msgspec", "oslo.policy")


def described() -> list[tuple[str, str]]:
    """Facts by name, in the order to show them."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"),
        ("kernel", platform.release()),
        ("load before the run", f"{os.getloadavg()[0]:.2f}"),
        ("Python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
        ("Breezeblock", __version__),
        ("libraries", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
        ("tools", f"{_first_line('wrk', '--version')}; tgtd {_first_line('tgtd', '-V')}"),
    ]


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    except FileNotFoundError:
        return f"no {command[0]}"
    return (done.stdout or done.stderr).partition("\n")[0].partition("Copyright")[0].strip()
