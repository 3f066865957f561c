"""libiscsi's conformance tests of an iSCSI target: what it gets right and what not.

What a target fails is a matter of its daemon or kernel; what counts here is that an export of
ours fails nothing more than one set up by hand with the same tool.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

INITIATORS = ("iqn.2026-11.org.breezeblock:suite-1", "iqn.2026-11.org.breezeblock:suite-2")
READ = tuple(f"SCSI.Read{size}" for size in (6, 10, 12, 16))
WRITE = (
    *(f"SCSI.Write{size}" for size in (10, 12, 16)),
    *(f"SCSI.WriteVerify{size}" for size in (10, 12, 16)),
)
UNMAP = ("SCSI.Unmap", "SCSI.GetLBAStatus")
RESERVATION = (
    *(f"SCSI.Prin{what}" for what in ("ReadKeys", "ReportCapabilities", "ServiceactionRange")),
    *(f"SCSI.Prout{what}" for what in ("Clear", "Preempt", "Register", "Reserve")),
    "SCSI.Reserve6",
)
FAMILIES = (*READ, *WRITE, *UNMAP, *RESERVATION)

_TEST = re.compile(
    r"^  Test: (?P<test>.+?) \.\.\.(?P<text>.*?)(?=^  Test: |^Suite: |^Run Summary)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A logical unit to be tested; the tests overwrite it."""

    portal: str
    iqn: str
    lun: int
    user: str
    secret: str


def outcomes(unit: Unit, directory: Path, families: tuple[str, ...] = FAMILIES) -> dict[str, str]:
    """``passed``, ``FAILED`` or ``skipped`` of each test of ``families``."""
    found: dict[str, str] = {}
    for family in families:
        for test, outcome in _run(family, unit, directory).items():
            found[f"{family}.{test}"] = outcome
    return found


def new_failures(ours: dict[str, str], by_hand: dict[str, str]) -> set[str]:
    """What fails, or is skipped, on our unit and not on one that was set up by hand."""
    assert ours.keys() == by_hand.keys()
    return {
        test
        for test, outcome in ours.items()
        if outcome != "passed" and outcome != by_hand[test] and by_hand[test] != "FAILED"
    }


def _run(family: str, unit: Unit, directory: Path) -> dict[str, str]:
    first, second = INITIATORS
    # The secret goes by the environment, where libiscsi looks for it.
    secrets = {"LIBISCSI_CHAP_USERNAME": unit.user, "LIBISCSI_CHAP_PASSWORD": unit.secret}
    ended = subprocess.run(
        [
            *("iscsi-test-cu", "--dataloss", "--verbose", "-i", first, "-I", second),
            *("--test", family, f"iscsi://{unit.portal}/{unit.iqn}/{unit.lun}"),
        ],
        env={**os.environ, **secrets, "LC_ALL": "C"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Run Summary" in ended.stdout, f"{family}: {ended.stdout[-500:]} {ended.stderr[-500:]}"
    return {match["test"]: _outcome(match["text"]) for match in _TEST.finditer(ended.stdout)}


def _outcome(text: str) -> str:
    if "FAILED" in text:
        return "FAILED"
    return "skipped" if "[SKIPPED]" in text else "passed"
