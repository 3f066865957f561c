"""``breezeblock conformance``: whether a backend's driver keeps the contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click


def run(configuration: Sequence[Path], backend: str, arguments: Sequence[str]) -> int:
    """Run the kit on a backend; pytest's exit code, or 2 if there is no pytest."""
    try:
        from breezeblock.conformance import suite
    except ModuleNotFoundError as missing:
        if missing.name != "pytest":
            raise
        click.echo("The kit needs pytest: pip install 'breezeblock[conformance]'", err=True)
        return 2
    return suite.run(configuration, backend, arguments)
