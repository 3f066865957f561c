"""The pytest side of the kit: its options and the summary at the end.

Fixtures are in ``conftest``, so that nothing of the kit shows in other suites.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Findings:
    """What the kit found out of the backend, for the summary."""

    backend: str
    driver: str
    version: str
    abilities: dict[str, bool]
    holds_bytes: bool


FINDINGS = pytest.StashKey[Findings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all under one prefix."""
    group = parser.getgroup("breezeblock", "conformance of Breezeblock volume drivers")
    group.addoption(
        "--breezeblock-config",
        action="append",
        metavar="PATH",
        help="configuration file, or directory of *.conf files; may be repeated, later ones win",
    )
    group.addoption(
        "--breezeblock-backend", metavar="NAME", help="the backend section whose driver is tested"
    )
    group.addoption(
        "--breezeblock-full",
        action="store_true",
        help="compare every byte of every volume, not only chosen blocks",
    )
    group.addoption(
        "--breezeblock-kill-points",
        type=int,
        default=0,
        metavar="N",
        help="kill each verb at N of its moments, evenly spread; 0, the default: at all",
    )


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Say what the driver can do, and what was not tested and why."""
    findings = config.stash.get(FINDINGS, None)
    if findings is None:
        return
    write = terminalreporter.write_line
    terminalreporter.section(f"conformance of backend {findings.backend}")
    write(f"driver      {findings.driver} {findings.version}")
    for name, has in sorted(findings.abilities.items()):
        write(f"ability     {'yes' if has else 'no '}  {name}")
    write(f"bytes       {'checked' if findings.holds_bytes else 'NOT checked: it holds none'}")
    if not findings.abilities["list_own_objects"]:
        write("names       NOT checked: the driver cannot list what it holds")
    for reason, tests in sorted(_skipped(terminalreporter).items()):
        write(f"not tested  {reason}: {_counted(tests)}")
    write(f"verdict     {_verdict(terminalreporter.stats, exitstatus)}")


def _verdict(stats: Mapping[str, list[Any]], exitstatus: int) -> str:
    """One line: a part of the kit proves nothing of the whole."""
    if exitstatus != 0:
        failed = len(stats.get("failed", [])) + len(stats.get("error", []))
        return f"DOES NOT CONFORM ({failed} tests failed)"
    seen = {
        Path(report.nodeid.partition("::")[0]).name
        for outcome in ("passed", "skipped")
        for report in stats.get(outcome, [])
    }
    modules = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    if stats.get("deselected") or modules - seen:
        return "no fault found, but only a part of the kit was run"
    return "conforms"


def _counted(tests: list[str]) -> str:
    """The tests' names, those of one function as one."""
    counts = Counter(test.partition("[")[0] for test in tests)
    return ", ".join(name if n == 1 else f"{name} ({n})" for name, n in counts.items())


def _skipped(terminalreporter: Any) -> dict[str, list[str]]:
    """The names of the tests that were skipped, by reason."""
    found: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        _, _, reason = report.longrepr
        found[reason.removeprefix("Skipped: ")].append(report.nodeid.rpartition("::")[2])
    return found
