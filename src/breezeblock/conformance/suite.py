"""Starts the kit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(configuration: Sequence[Path], backend: str, arguments: Sequence[str] = ()) -> int:
    """Run the kit on a backend in this process; the exit code of pytest, 0 if it conforms.

    ``configuration`` are files and directories, ``arguments`` are handed to pytest; among them
    may be modules of the kit (``test_data.py``).
    """
    chosen = [_module_of_the_kit(argument) for argument in arguments]
    return int(
        pytest.main(
            [
                # Its own settings and none of the directory it is started from.
                *("-c", str(HERE / "pytest.ini")),
                *("--rootdir", str(HERE)),
                *("-p", "breezeblock.conformance.plugin"),
                # The package's directory may belong to somebody else.
                *("-p", "no:cacheprovider"),
                *(f"--breezeblock-config={path}" for path in configuration),
                f"--breezeblock-backend={backend}",
                *(path or argument for path, argument in zip(chosen, arguments, strict=True)),
                *([] if any(chosen) else [str(HERE)]),
            ]
        )
    )


def _module_of_the_kit(argument: str) -> str | None:
    """The whole path of a module or test that is named as in this directory."""
    name, separator, test = argument.partition("::")
    path = HERE / name
    return f"{path}{separator}{test}" if path.parent == HERE and path.is_file() else None
