"""The conformance kit as an operator runs it, and what it answered.

A backend of a test (of a virtual machine too) takes three lines::

    def test_conforms(tmp_path: Path) -> None:
        kit.run(tmp_path, volume_driver="lvm", volume_group="vg").expect_conforming()
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LINE = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED) \S*?(test_\w+\.py)::(.*?)(?: - .*)?$", re.M)
_SKIPPED = re.compile(r"^not tested  (.*): ([^:]*)$", re.M)


@dataclass(frozen=True)
class Answer:
    """What the kit wrote and how it ended."""

    exit_code: int
    output: str

    def tests(self, *outcomes: str) -> set[str]:
        """The names of the tests that ended so: ``PASSED``, ``FAILED``, ``ERROR``."""
        return {name for found, _, name in _LINE.findall(self.output) if found in outcomes}

    @property
    def reasons(self) -> dict[str, str]:
        """Why tests were skipped -> which."""
        return dict(_SKIPPED.findall(self.output))

    def expect_conforming(self) -> None:
        """Fail with the kit's output unless the driver conforms."""
        if self.exit_code != 0 or "verdict     conforms" not in self.output:
            pytest.fail(self.output)


def run(
    directory: Path,
    *arguments: str,
    path: Sequence[Path] = (),
    limit: float = 1500,
    **options: object,
) -> Answer:
    """Run the kit on a backend with these options; its state is below ``directory``.

    ``path`` is put before the import path, ``limit`` is in seconds.
    """
    options = {"my_ip": "127.0.0.1", "target_helper": "fake", **options}
    wide = {"state_path": directory / "state", "my_ip": options.pop("my_ip")}
    lines = [
        "[DEFAULT]",
        "enabled_backends = tested",
        *_assignments(wide),
        "[tested]",
        *_assignments(options),
    ]
    (directory / "state").mkdir(exist_ok=True)
    file = directory / "breezeblock.conf"
    file.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "breezeblock.cli.main", "conformance"]
    command += ["--config-file", str(file), "--backend", "tested", "-rA", "-W", "error"]
    ended = subprocess.run(
        [*command, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        check=False,
    )
    return Answer(ended.returncode, ended.stdout)


def _assignments(options: Mapping[str, object]) -> list[str]:
    return [f"{name} = {value}" for name, value in options.items()]
