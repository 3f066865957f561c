"""IET: its files stay the operator's, and nobody enters who is not on its list."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from tests.simulators import iet as simulator
from tests.simulators import program
from tests.target_contract import MIB, host, new_volume
from tests.target_labs import IetLab

from breezeblock.domain.errors import InvalidConnector
from breezeblock.targets.errors import TargetCreateFailed, TargetUnavailable
from breezeblock.targets.iet_files import MarkedFile


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IetLab:
    return IetLab(tmp_path, monkeypatch)


def test_location_and_file(lab: IetLab) -> None:
    volume, path = lab.export()
    iqn = f"iqn.2010-10.org.openstack:{volume.name}"
    location = str(volume.provider_location)
    assert location.startswith("192.0.2.200:3260,")
    assert location.endswith(f" {iqn} 0")
    user, secret = str(volume.provider_auth).split()[1:]
    conf = Path(lab.options.iet_conf)
    lines = conf.read_text().splitlines()
    assert lines[1] == f"Target {iqn}"
    assert lines[2].split() == ["IncomingUser", user, secret]
    assert lines[3].strip().startswith(f"Lun 0 Path={path},Type=fileio,ScsiId=")
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600


def test_the_operators_lines_stay(lab: IetLab) -> None:
    conf = Path(lab.options.iet_conf)
    allow = conf.with_name("initiators.allow")
    his = "Target iqn.2001-04.com.example:his\n\tLun 0 Path=/dev/sdb,Type=blockio\n# the end\n"
    conf.write_text(his)
    conf.chmod(0o644)
    allow.write_text("# who may\nALL ALL\n")
    volume, path = lab.export()
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640, "a secret is in it now"
    assert lab.refuses(volume, host(1)), "the list's line for all is not for us"
    with lab.attached(volume, host(1)):
        assert lab.reach(volume, host(1)) == 4 * MIB
        before = conf.stat().st_mtime_ns
        lab.target.create_export(volume, str(path))
        assert conf.stat().st_mtime_ns == before
    lab.target.remove_export(volume)
    assert conf.read_text() == his
    assert allow.read_text() == "# who may\nALL ALL\n"


def test_a_marked_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = MarkedFile(path, on_top=True)
    file.remove("one")
    assert not path.exists()
    file.put("one", ["a"])
    file.put("two", ["b"])
    file.put("one", ["c", "d"])
    assert [line for line in path.read_text().splitlines() if "#" not in line] == ["c", "d", "b"]
    file.remove("one")
    file.remove("two")
    assert path.read_text() == ""


def test_a_host_that_goes_is_cut_off(lab: IetLab) -> None:
    volume, _ = lab.export()
    for number in (1, 2):
        lab.target.initialize_connection(volume, host(number))
        lab.reach(volume, host(number))
    lab.target.terminate_connection(volume, host(1), others=[host(2)])
    (target,) = program.load(lab.simulated, {}).values()
    assert [session["initiator"] for session in target["sessions"]] == [host(2)["initiator"]]
    with pytest.raises(InvalidConnector):
        lab.target.initialize_connection(volume, {"initiator": host(1)["initiator"]})
    with pytest.raises(InvalidConnector):
        lab.target.initialize_connection(volume, {**host(1), "ip": "0.0.0.0/0"})


def test_a_changed_account(lab: IetLab) -> None:
    volume, path = lab.export()
    changed = dataclasses.replace(volume, provider_auth="CHAP someone sixteencharacter")
    lab.target.initialize_connection(volume, host(1))
    lab.target.create_export(changed, str(path))
    assert lab.reach(changed, host(1)) == 4 * MIB
    assert lab.refuses(volume, host(1))


def test_a_creation_that_broke_off_is_completed(lab: IetLab) -> None:
    """Killed after the target, and after the account: nobody got in, and the rest follows."""
    volume, _ = lab.export()
    state = program.load(lab.simulated, {})
    (target,) = state.values()
    target["units"] = {}
    simulator._save(lab.simulated, state)
    assert lab.start().restore() == 1
    target.update(units={}, users={})
    simulator._save(lab.simulated, state)
    assert lab.refuses(volume, host(1))
    assert lab.start().restore() == 1
    with lab.attached(volume, host(1)):
        assert lab.reach(volume, host(1)) == 4 * MIB


def test_the_secret_is_for_ietadm_alone(lab: IetLab) -> None:
    """The one command line that has it is that of ``ietadm --user``."""
    volume, _ = lab.export()
    secret = str(volume.provider_auth).split()[2]
    lines = [line for line in program.calls(lab.simulated).splitlines() if secret in line]
    assert len(lines) == 1
    assert "--user" in lines[0]


def test_it_is_off(lab: IetLab, tmp_path: Path) -> None:
    for file in (lab.simulated / "proc").iterdir():
        file.unlink()
    with pytest.raises(TargetUnavailable, match="iscsi_trgt"):
        lab.target.check_for_setup_error()
    with pytest.raises(TargetCreateFailed) as failed:
        lab.export()
    assert failed.value.transient


def test_a_path_that_the_file_cannot_hold(lab: IetLab) -> None:
    for path in ("/a b", "/a,Type=blockio", "/a\nTarget x"):
        with pytest.raises(TargetCreateFailed, match="cannot hold"):
            lab.target.create_export(new_volume(), path)


@pytest.mark.parametrize(
    ("asked", "given"), [("auto", "fileio"), ("blockio", "blockio"), ("fileio", "fileio")]
)
def test_io_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, given: str) -> None:
    lab = IetLab(tmp_path, monkeypatch, iscsi_iotype=asked)
    lab.export()
    (target,) = program.load(lab.simulated, {}).values()
    assert target["units"]["0"]["type"] == given
