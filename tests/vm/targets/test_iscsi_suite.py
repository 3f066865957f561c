"""Our exports by LIO pass libiscsi's tests as ones made by hand with targetcli do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import tgtd
from tests.backend_options import backend_options
from tests.iscsi_suite import INITIATORS, Unit, new_failures, outcomes

from breezeblock.execution.command import run
from breezeblock.targets.registry import create_target

HAND_MADE = "iqn.2026-11.org.breezeblock:by-hand"
USER, SECRET = "somebody", "secretsecret1"
PORT = 3265


@pytest.fixture
def devices(volume_group: str) -> dict[str, str]:
    """Two volumes that can discard."""
    for name in ("ours", "by-hand"):
        run(["lvcreate", "--yes", "-L", "128M", "-n", name, volume_group])
    return {name: f"/dev/{volume_group}/{name}" for name in ("ours", "by-hand")}


def by_hand(device: str) -> Unit:
    tpg = f"/iscsi/{HAND_MADE}/tpg1"
    script = [
        "set global auto_add_default_portal=false",
        f"/backstores/block create name=by-hand dev={device}",
        "/backstores/block/by-hand set attribute emulate_tpu=1",
        f"/iscsi create {HAND_MADE}",
        f"{tpg}/portals create 127.0.0.1 {PORT + 1}",
        f"{tpg}/luns create /backstores/block/by-hand",
        f"{tpg} set attribute authentication=1",
    ]
    for initiator in INITIATORS:
        script.append(f"{tpg}/acls create {initiator}")
        script.append(f"{tpg}/acls/{initiator} set auth userid={USER} password={SECRET}")
    run(["targetcli"], stdin="\n".join([*script, "exit"]).encode(), timeout=120)
    return Unit(f"127.0.0.1:{PORT + 1}", HAND_MADE, 0, USER, SECRET)


def ours(device: str) -> Unit:
    options = backend_options(
        target_helper="lioadm",
        target_ip_address="127.0.0.1",
        target_port=PORT,
        report_discard_supported=True,
        state_path="/run/scratch/suite",
    )
    target = create_target(options)
    target.check_for_setup_error()
    volume = tgtd.volume()
    made = target.create_export(volume, device)
    assert made
    volume = dataclasses.replace(volume, **made)  # type: ignore[arg-type]
    for initiator in INITIATORS:
        data = target.initialize_connection(volume, {"initiator": initiator, "host": "suite"})
    found = data["data"]
    return Unit(
        f"127.0.0.1:{PORT}",
        found["target_iqn"],
        found["target_lun"],
        found["auth_username"],
        found["auth_password"],
    )


def test_the_same_failures_as_by_hand(
    devices: dict[str, str], modules: Callable[..., None], tmp_path: Path
) -> None:
    modules("iscsi_target_mod", "target_core_iblock")
    found = outcomes(ours(devices["ours"]), tmp_path)
    expected = outcomes(by_hand(devices["by-hand"]), tmp_path)
    run(["targetcli", "clearconfig", "confirm=True"], timeout=60)
    assert new_failures(found, expected) == set()
    passed = {test.rpartition(".")[0] for test, outcome in found.items() if outcome == "passed"}
    assert {"SCSI.Read16", "SCSI.Write16", "SCSI.Unmap"} <= passed
