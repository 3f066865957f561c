"""Chelsio: the target's file, the list of initiators, and what ``iscsictl`` refuses."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from tests.simulators import program
from tests.target_contract import MIB, host, new_volume
from tests.target_labs import ChelsioLab

from breezeblock.domain.errors import InvalidConnector
from breezeblock.targets.errors import TargetCreateFailed, TargetError, TargetUnavailable


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChelsioLab:
    return ChelsioLab(tmp_path, monkeypatch, target_secondary_ip_addresses=["192.0.2.201"])


def test_location_and_file(lab: ChelsioLab) -> None:
    volume, path = lab.export()
    iqn = f"iqn.2010-10.org.openstack:{volume.name}"
    assert volume.provider_location == f"192.0.2.200:3260;192.0.2.201:3260,1 {iqn} 0"
    data = lab.target.initialize_connection(volume, host(1))["data"]
    assert data["target_portals"] == ["192.0.2.200:3260", "192.0.2.201:3260"]
    assert data["target_luns"] == [0, 0]
    file = Path(lab.options.volumes_dir, "cxt", volume.name)
    user, secret = str(volume.provider_auth).split()[1:]
    assert file.read_text().split() == [
        "target:",
        f"TargetName={iqn}",
        f"TargetDevice={path}",
        "PortalGroup=1@192.0.2.200:3260,192.0.2.201:3260",
        "AuthMethod=CHAP",
        "Auth_CHAP_Policy=Oneway",
        f'Auth_CHAP_Initiator="{user}":"{secret}"',
        "ACL_Enable=Yes",
        "ACL=iname=iqn.1994-05.com.example:host1",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lab.target.remove_export(volume)
    assert list(file.parent.iterdir()) == []


def test_a_start_that_broke_off_is_repeated(lab: ChelsioLab) -> None:
    """Killed between the file and the kernel: the list the kernel has is an old one."""
    volume, _ = lab.export()
    lab.target.initialize_connection(volume, host(1))
    state = program.load(lab.simulated, {})
    Path(lab.options.chiscsi_conf).rename(lab.directory / "away")
    with pytest.raises(TargetError, match="cannot be opened"):
        lab.target.terminate_connection(volume, host(1))
    assert program.load(lab.simulated, {}) == state, "he is still on the list"
    (lab.directory / "away").rename(lab.options.chiscsi_conf)
    assert lab.start().restore() == 1
    assert lab.refuses(volume, host(1))


def test_a_changed_account(lab: ChelsioLab) -> None:
    volume, path = lab.export()
    changed = dataclasses.replace(volume, provider_auth="CHAP someone sixteencharacter")
    lab.target.create_export(changed, str(path))
    with lab.attached(changed, host(1)):
        assert lab.reach(changed, host(1)) == 4 * MIB
        assert lab.refuses(volume, host(1))


def test_what_the_file_cannot_hold(lab: ChelsioLab) -> None:
    for path in ("/a b", "/a,RO", "/a\nACL=iname=x"):
        with pytest.raises(TargetCreateFailed, match="cannot hold"):
            lab.target.create_export(new_volume(), path)
    volume, _ = lab.export()
    with pytest.raises(InvalidConnector):
        lab.target.initialize_connection(volume, {**host(1), "initiator": "x;sip=0.0.0.0"})


def test_it_is_off(lab: ChelsioLab, monkeypatch: pytest.MonkeyPatch) -> None:
    program.store(lab.simulated, {"targets": {}, "loaded": False})
    with pytest.raises(TargetError, match="module"):
        lab.target.check_for_setup_error()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(TargetUnavailable, match="iscsictl"):
        lab.target.check_for_setup_error()
