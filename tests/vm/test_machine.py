"""The lab seen from the host: how its guests end."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.vm_lab.boot import ROOT

pytestmark = [pytest.mark.host, pytest.mark.timeout(400)]


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.vm_lab", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_streams_status_and_files_come_out() -> None:
    marker = ROOT / "var" / "vm-lab" / "written-by-a-guest"
    done = lab("--", "bash", "-c", f"echo out; echo err >&2; sleep 1000 & touch {marker}; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert not marker.exists()


def test_a_panic_ends_the_guest_and_shows_why() -> None:
    done = lab("--", "bash", "-c", "echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 1000")
    assert (done.returncode, done.stdout) == (125, "before\n")
    assert "Kernel panic" in done.stderr


def test_a_hang_ends_and_shows_what_was_running() -> None:
    done = lab("--silence", "3", "--", "bash", "-c", "echo before; sleep 12345")
    assert (done.returncode, done.stdout) == (124, "before\n")
    assert "sleep 12345" in done.stderr


def test_the_tests_of_a_guest_that_dies_fail() -> None:
    samples = "tests/vm/samples/dying.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", samples],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "1 passed, 2 failed" in done.stdout or "2 failed, 1 passed" in done.stdout
    assert "Kernel panic" in done.stdout
    assert "not run: the guest" in done.stdout
