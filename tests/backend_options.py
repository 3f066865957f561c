"""The options of one backend, read from a real configuration."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from breezeblock.config.settings import load


def backend_options(**values: object) -> Any:
    """The options of a backend section that sets ``values``; lists are joined by commas."""
    values.setdefault("volume_driver", "fake")
    lines = ["[DEFAULT]", "enabled_backends = quick"]
    for wide in ("state_path", "my_ip"):
        if wide in values:
            lines.append(f"{wide} = {values.pop(wide)}")
    lines.append("[quick]")
    for name, value in values.items():
        shown = ",".join(map(str, value)) if isinstance(value, list) else value
        lines.append(f"{name} = {shown}")
    with tempfile.TemporaryDirectory(prefix="bb-") as directory:
        file = Path(directory) / "breezeblock.conf"
        file.write_text("\n".join(lines) + "\n")
        return load([file]).backends["quick"]
