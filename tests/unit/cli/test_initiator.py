"""The userspace initiator, against a real tgtd."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from breezeblock.cli.initiator import Disk
from breezeblock.execution.command import CommandError
from breezeblock.targets.tgt_daemon import TgtDaemon, TgtDaemonSettings

MIB = 1024**2
NAME = "iqn.2010-10.org.openstack:initiator-test"
USER, SECRET = "user", "not-a-real-secret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A volume of 16 MiB behind a portal of its own."""
    port = free_port()
    backing = tmp_path / "backing"
    backing.touch()
    with backing.open("r+b") as file:
        file.truncate(16 * MIB)
    portal = f"127.0.0.1:{port}"
    daemon = TgtDaemon(
        TgtDaemonSettings(state_path=tmp_path, portals=(portal,), control_port=port % 32768)
    )
    daemon.ensure_running()
    try:
        tgtd = daemon.client
        tgtd.new_target(1, NAME)
        tgtd.new_lun(1, 1, f"path={backing},bstype=rdwr")
        tgtd.new_account(USER, SECRET)
        tgtd.bind_account(1, USER)
        tgtd.allow(1, "ALL")
        yield Disk(portal=portal, target=NAME, lun=1, user=USER, secret=SECRET)
    finally:
        daemon.stop()


def test_what_was_written_is_verified(disk: Disk, tmp_path: Path) -> None:
    disk.write(0xA5, MIB, 2 * MIB)
    disk.verify(0xA5, MIB, 2 * MIB)
    disk.verify(0, 3 * MIB, MIB)
    data = (tmp_path / "backing").read_bytes()
    assert data[MIB : 3 * MIB] == b"\xa5" * 2 * MIB
    assert disk.size() == 16 * MIB


def test_another_pattern_is_not_verified(disk: Disk) -> None:
    disk.write(0xA5, 0, MIB)
    with pytest.raises(CommandError):
        disk.verify(0xA6, 0, MIB)
    with pytest.raises(CommandError):
        disk.verify(0xA5, 0, 2 * MIB)


def test_a_wrong_secret_opens_nothing(disk: Disk) -> None:
    with pytest.raises(CommandError, match="Authentication failure"):
        replace(disk, secret="not-the-secret").verify(0, 0, MIB)


def test_the_secret_is_not_shown(disk: Disk) -> None:
    assert SECRET not in repr(disk)
