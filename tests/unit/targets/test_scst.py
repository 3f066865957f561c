"""SCST: one target each or one for all, numbers that are not reused, and what the operator has."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from tests.simulators import program
from tests.simulators import scst as simulator
from tests.target_contract import MIB, host, new_volume
from tests.target_labs import ScstLab

from breezeblock.domain.errors import InvalidConnector
from breezeblock.targets import scst, scst_config
from breezeblock.targets.errors import TargetCreateFailed, TargetError, TargetUnavailable
from breezeblock.targets.number_series import NumberSeries

SHARED = "iqn.2010-10.org.example:all"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScstLab:
    return ScstLab(tmp_path, monkeypatch)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScstLab:
    return ScstLab(tmp_path, monkeypatch, scst_target_iqn_name=SHARED)


def test_location(lab: ScstLab, tmp_path: Path) -> None:
    volume, path = lab.export()
    iqn = f"iqn.2010-10.org.openstack:{volume.name}"
    assert volume.provider_location == f"192.0.2.200:3260,1 {iqn} 1"
    assert lab.target.initialize_connection(volume, host(1))["data"]["target_lun"] == 1
    # What the machine's start reads.
    assert stat.S_IMODE(lab.conf.stat().st_mode) == 0o600
    saved = scst_config.parse(lab.conf.read_text())
    files = saved.find("HANDLER", "vdisk_fileio")
    assert files
    device = files.find("DEVICE", volume.name)
    assert device
    assert device.values("filename") == {str(path)}


def test_volumes_share_the_predefined_target(shared: ScstLab) -> None:
    one, _ = shared.export()
    two, _ = shared.export()
    assert one.provider_location == f"192.0.2.200:3260,1 {SHARED} 1"
    assert two.provider_location == f"192.0.2.200:3260,1 {SHARED} 2"
    assert one.provider_auth == two.provider_auth, "an initiator has one session for both"
    with shared.attached(one, host(1)), shared.attached(two, host(2)):
        assert shared.reach(one, host(1)) == 4 * MIB
        assert shared.refuses(two, host(1))
        assert shared.refuses(one, host(2))
        with shared.attached(two, host(1)):
            assert shared.reach(two, host(1)) == 4 * MIB
        assert shared.reach(one, host(1)) == 4 * MIB


def test_a_number_is_not_given_out_again(shared: ScstLab) -> None:
    seen = set()
    for _ in range(3):
        volume, _ = shared.export()
        seen.add(str(volume.provider_location).split()[-1])
        shared.target.remove_export(volume)
        shared.target = shared.start()
    assert seen == {"1", "2", "3"}


def test_a_series_comes_round(tmp_path: Path) -> None:
    series = NumberSeries(tmp_path / "last", limit=4)
    assert [series.take(set()) for _ in range(3)] == [1, 2, 3]
    assert NumberSeries(tmp_path / "last", limit=4).take({1, 2}) == 4
    assert series.take({1, 2}) == 3
    with pytest.raises(TargetError, match="in use"):
        series.take({1, 2, 3, 4})
    (tmp_path / "last").write_text("nonsense")
    with pytest.raises(TargetError, match="does not hold a number"):
        series.take(set())


def test_what_the_operator_has_stays(shared: ScstLab, tmp_path: Path) -> None:
    his = shared.file("his")
    config = tmp_path / "his.conf"
    config.write_text(
        "HANDLER vdisk_fileio {\n\tDEVICE his {\n\t\tfilename " + str(his) + "\n\t}\n}\n"
        f"TARGET_DRIVER iscsi {{\n\tTARGET {SHARED} {{\n\t\tGROUP his {{\n\t\t\tLUN 1 his\n"
        "\t\t\tINITIATOR iqn.1994-05.com.example:his\n\t\t}\n\t\tenabled 1\n\t}\n}\n"
    )
    simulator.main(shared.simulated, ["-config", str(config)])
    volume, _ = shared.export()
    assert str(volume.provider_location).endswith(" 2"), "1 is in use"
    with shared.attached(volume, host(1)):
        assert shared.reach(volume, host(1)) == 4 * MIB
    shared.target.remove_export(volume)
    account = str(volume.provider_auth).removeprefix("CHAP ")
    assert simulator.seen(shared.simulated, SHARED, "iqn.1994-05.com.example:his", account) == {
        1: str(his)
    }


def test_luns_for_everybody_are_taken_away(lab: ScstLab) -> None:
    volume, _ = lab.export()
    _, iqn, _ = str(volume.provider_location).split()
    state = program.load(lab.simulated, {})
    state["iscsi"]["targets"][iqn]["luns"]["1"] = volume.name
    program.store(lab.simulated, state)
    assert not lab.refuses(volume, host(1))
    assert lab.target.restore() == 1
    assert lab.refuses(volume, host(1))


def test_a_changed_account(lab: ScstLab) -> None:
    volume, path = lab.export()
    changed = dataclasses.replace(volume, provider_auth="CHAP someone sixteencharacter")
    lab.target.create_export(changed, str(path))
    with lab.attached(changed, host(1)):
        assert lab.reach(changed, host(1)) == 4 * MIB
        assert lab.refuses(volume, host(1))
    assert "sixteencharacter" not in lab.command_lines()


def test_the_operators_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"chap_username": "cinder", "chap_password": "fourteenletter"}
    volume, _ = ScstLab(tmp_path, monkeypatch, **account).export()
    assert volume.provider_auth == "CHAP cinder fourteenletter"
    with pytest.raises(TargetError, match="chap_password"):
        ScstLab(tmp_path, monkeypatch, **{**account, "chap_password": "a } brace"})


@pytest.mark.parametrize("initiator", ["*", "iqn.1994-05.com.example:?", "iqn x", "a!b", "a{b"])
def test_a_pattern_is_no_initiator(lab: ScstLab, initiator: str) -> None:
    volume, _ = lab.export()
    with pytest.raises(InvalidConnector):
        lab.target.initialize_connection(volume, {**host(1), "initiator": initiator})
    assert lab.refuses(volume, host(1))


def test_a_path_that_the_file_cannot_hold(lab: ScstLab) -> None:
    for path in ("/a b", '/a"b', "/a#b", "/a\nfilename /b"):
        with pytest.raises(TargetCreateFailed, match="cannot hold"):
            lab.target.create_export(new_volume(), path)


def test_what_scstadmin_complains_of_is_told(lab: ScstLab, tmp_path: Path) -> None:
    volume, path = lab.export()
    path.unlink()
    lab.forget()
    path.mkdir()
    (tmp_path / "missing").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TargetError, match="No such file"):
        lab.target.create_export(volume, str(tmp_path / "missing"))


def test_it_is_not_there(lab: ScstLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(TargetUnavailable, match="scstadmin"):
        lab.target.check_for_setup_error()


def test_only_iscsi(lab: ScstLab) -> None:
    with pytest.raises(TargetError, match="scst_target_driver"):
        scst.create(dataclasses.replace(lab.options, scst_target_driver="qla2x00t"))


def test_the_form_of_the_file() -> None:
    root = scst_config.parse(
        '# a comment\nsetup_id 0x1\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\tIncomingUser "a b"\n'
        "\t\tLUN 0 disk {\n\t\t\tread_only 1\n\t\t}\n\t\tLUN 2 other # said why\n\t}\n}\n"
    )
    driver = root.find("TARGET_DRIVER", "iscsi")
    assert driver
    target = driver.find("TARGET", "t")
    assert target
    assert target.values("IncomingUser") == {"a b"}
    assert target.luns() == {0: "disk", 2: "other"}
    assert scst_config.parse(scst_config.render(root.children)) == root
    for nonsense in ("}", "TARGET x {\n"):
        with pytest.raises(TargetError, match="brace"):
            scst_config.parse(nonsense)
