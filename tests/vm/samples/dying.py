"""Not a test of the house: what ``test_machine.py`` runs to see a guest die."""

from __future__ import annotations

from pathlib import Path


def test_before() -> None:
    assert Path("/dev/vda").exists()


def test_panic() -> None:
    Path("/proc/sysrq-trigger").write_text("c")


def test_after() -> None:
    assert Path("/dev/vda").exists()
