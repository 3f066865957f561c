"""Our exports by tgt pass libiscsi's tests as ones made by hand with tgtadm do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import tgtd
from tests.iscsi_suite import FAMILIES, Unit, new_failures, outcomes
from tests.tgtd import Options

from breezeblock.targets.registry import create_target

HAND_MADE = "iqn.2026-11.org.breezeblock:by-hand"
USER, SECRET = "somebody", "secretsecret1"
SIZE = 1024**3


@pytest.fixture
def options() -> Iterator[Options]:
    with tgtd.options() as made:
        made.report_discard_supported = True
        yield made


def by_hand(options: Options, disk: Path) -> Unit:
    """A target on the same daemon, made with the tool it comes with."""

    def tgtadm(mode: str, op: str, *arguments: str) -> None:
        command = ["tgtadm", "-C", str(options.tgt_control_port), "--lld", "iscsi"]
        subprocess.run(
            [*command, "--op", op, "--mode", mode, *arguments],
            check=True,
            timeout=20,
            env={**os.environ, "TGT_IPC_SOCKET": tgtd.daemon_of(options).socket_path},
        )

    tgtadm("target", "new", "--tid", "7", "-T", HAND_MADE)
    tgtadm("logicalunit", "new", "--tid", "7", "--lun", "1", "-b", str(disk))
    tgtadm("logicalunit", "update", "--tid", "7", "--lun", "1", "--params", "thin_provisioning=1")
    tgtadm("account", "new", "--user", USER, "--password", SECRET)
    tgtadm("account", "bind", "--tid", "7", "--user", USER)
    tgtadm("target", "bind", "--tid", "7", "-I", "ALL")
    return Unit(f"127.0.0.1:{options.target_port}", HAND_MADE, 1, USER, SECRET)


def ours(options: Options, disk: Path) -> Unit:
    target = create_target(options)
    target.check_for_setup_error()
    made = target.create_export(tgtd.volume(), str(disk))
    assert made
    _, iqn, lun = str(made["provider_location"]).split()
    _, user, secret = str(made["provider_auth"]).split()
    return Unit(f"127.0.0.1:{options.target_port}", iqn, int(lun), user, secret)


def test_the_same_failures_as_by_hand(options: Options, tmp_path: Path) -> None:
    tgtd.need("iscsi-test-cu")
    disks = [tmp_path / name for name in ("ours", "by-hand")]
    for disk in disks:
        with disk.open("wb") as stream:
            stream.truncate(SIZE)
    found = outcomes(ours(options, disks[0]), tmp_path)
    expected = outcomes(by_hand(options, disks[1]), tmp_path)
    assert new_failures(found, expected) == set()
    passed = {test.rpartition(".")[0] for test, outcome in found.items() if outcome == "passed"}
    assert {"SCSI.Read16", "SCSI.Write16", "SCSI.Unmap", "SCSI.ProutReserve"} <= passed
    assert len(found) > len(FAMILIES)
