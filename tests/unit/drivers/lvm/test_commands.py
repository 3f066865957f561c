"""How LVM's programs are called, and what their refusals mean."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.drivers.lvm import captured

from breezeblock.drivers.errors import SnapshotIsBusy, VolumeBackendError, VolumeIsBusy
from breezeblock.drivers.lvm import errors
from breezeblock.drivers.lvm.commands import Lvm, environment, meaning
from breezeblock.drivers.lvm.volume_group import VolumeGroup, mirror_arguments
from breezeblock.execution.command import (
    CommandFailed,
    CommandNotFound,
    CommandTimedOut,
    Completed,
    SecretFile,
)

TIB = 1024**4


@dataclass
class Options:
    lvm_conf_file: str | None = None
    lvm_suppress_fd_warnings: bool = False
    num_shell_tries: int = 3


class Script:
    """An executor that answers from a list and keeps what it was asked."""

    def __init__(self, *answers: str | tuple[int, str] | Exception) -> None:
        self._answers = list(answers)
        self.commands: list[list[str]] = []
        self.environments: list[Mapping[str, str] | None] = []

    def __call__(
        self,
        command: Sequence[str | SecretFile],
        *,
        timeout: float = 60.0,
        stdin: bytes | None = None,
        accept: Collection[int] = (0,),
        environment: Mapping[str, str] | None = None,
        max_output: int = 1,
    ) -> Completed:
        self.commands.append([str(part) for part in command])
        self.environments.append(environment)
        answer = self._answers.pop(0) if self._answers else ""
        if isinstance(answer, Exception):
            raise answer
        code, said = (0, answer) if isinstance(answer, str) else answer
        if code not in accept:
            raise CommandFailed(str(command[0]), code, said)
        return Completed(code, said.encode(), "")


def group(script: Script) -> VolumeGroup:
    return VolumeGroup("vg0", Lvm(script, Options()))


@pytest.mark.parametrize(("code", "said", "name"), captured.REFUSALS)
def test_refusals_have_types(code: int, said: str, name: str) -> None:
    found = meaning(CommandFailed("lvcreate", code, f"  WARNING: noise\n  {said}\n"))
    assert type(found).__name__ == name
    assert "noise" not in str(found)
    assert said.partition("\n")[0] in str(found)


def test_a_file_that_is_there_decides_the_environment(tmp_path: Path) -> None:
    conf = tmp_path / "lvm.conf"
    assert environment(Options(str(conf))) == {}
    conf.write_text("")
    assert environment(Options(str(conf), True)) == {
        "LVM_SYSTEM_DIR": str(tmp_path),
        "LVM_SUPPRESS_FD_WARNINGS": "1",
    }
    script = Script()
    Lvm(script, Options(str(conf))).change("lvchange")
    assert script.environments == [{"LVM_SYSTEM_DIR": str(tmp_path)}]


@pytest.mark.parametrize("code", [139, -11])
def test_a_crash_of_lvm_is_tried_again(code: int) -> None:
    script = Script((code, ""), (code, ""), "fine")
    assert Lvm(script, Options()).change("lvcreate") == "fine"
    with pytest.raises(errors.LvmError, match=str(code)):
        Lvm(Script((code, ""), (code, "")), Options(num_shell_tries=2)).change("lvcreate")
    refusal = Script((5, "no"), "fine")
    with pytest.raises(errors.LvmError):
        Lvm(refusal, Options()).change("lvcreate")
    assert len(refusal.commands) == 1


def test_late_and_missing_programs() -> None:
    with pytest.raises(errors.LvmError) as late:
        Lvm(Script(CommandTimedOut("lvs", 3)), Options()).look("lvs")
    assert late.value.transient
    with pytest.raises(errors.LvmError, match="Install lvm2"):
        Lvm(Script(CommandNotFound(program="lvs", reason="?")), Options()).look("lvs")


def test_arguments_of_new_volumes() -> None:
    script = Script()
    vg = group(script)
    vg.create_thin("volume-1", 1024, "vg0-pool", ["making-1"])
    vg.create_thick("volume-2", 1024)
    vg.create_thick("volume-3", 2 * TIB, mirrors=2, tags=["making-2"])
    vg.snapshot_thin("_snapshot-1", "volume-1", active=False)
    vg.snapshot_thin("volume-4", "_snapshot-1", active=True)
    vg.snapshot_thick("_snapshot-2", "volume-2")
    vg.create_pool("vg0-pool", 95)
    assert [" ".join(command) for command in script.commands] == [
        "lvcreate -y -T -V 1024b -n volume-1 --addtag making-1 vg0/vg0-pool",
        "lvcreate -y -Wn -Zn -n volume-2 -L 1024b vg0",
        "lvcreate -y -Wn -Zn --type raid1 -m 2 --nosync -R 2m --addtag making-2 -n volume-3 "
        "-L 2199023255552b vg0",
        "lvcreate -y -s -ky -n _snapshot-1 vg0/volume-1",
        "lvcreate -y -s -kn -n volume-4 vg0/_snapshot-1",
        "lvcreate -y -s -l 100%ORIGIN -n _snapshot-2 vg0/volume-2",
        "lvcreate -y -Zy -T -l 95%FREE vg0/vg0-pool",
    ]


@pytest.mark.parametrize(
    ("size", "region"), [(TIB, None), (3 * TIB // 2, "2m"), (2 * TIB, "2m"), (9 * TIB, "16m")]
)
def test_regions_of_large_mirrors(size: int, region: str | None) -> None:
    arguments = mirror_arguments(size, 1)
    assert arguments[:5] == ("--type", "raid1", "-m", "1", "--nosync")
    assert arguments[5:] == (("-R", region) if region else ())


@pytest.mark.parametrize("name", ["", "-y", "a/b", "a b", "@tag", "a;b", "ä", "x" * 200])
def test_strange_names_reach_no_command(name: str) -> None:
    script = Script()
    with pytest.raises(VolumeBackendError, match="no name"):
        group(script).remove(name)
    assert script.commands == []


def test_an_extension_that_is_done_already() -> None:
    done = Script((5, "New size (2 extents) matches existing size (2 extents)."))
    assert group(done).extend("volume-1", 4) is False
    assert group(Script("grown")).extend("volume-1", 4) is True


def test_removal_spares_an_origin_of_snapshots() -> None:
    script = Script("")
    with pytest.raises(VolumeIsBusy, match="snapshots"):
        group(script).remove("volume-1")
    assert script.commands == [
        [
            *("lvremove", "-y", "--config", "activation{retry_deactivation=1}"),
            *("-S", "lv_role!={thickorigin}", "vg0/volume-1"),
        ]
    ]


def test_removal_waits_for_udev_once() -> None:
    in_use = (5, "Logical volume vg0/x in use.")
    done = 'Logical volume "x" successfully removed.'
    script = Script(in_use, "", done)
    group(script).remove("x")
    assert [command[0] for command in script.commands] == ["lvremove", "udevadm", "lvremove"]
    assert "ignore_suspended_devices=1" in script.commands[2][3]
    name = "_snapshot-01234567-89ab-cdef-0123-456789abcdef"
    with pytest.raises(SnapshotIsBusy, match="held open"):
        group(Script(in_use, "", in_use)).remove(name)
    group(Script((5, 'Failed to find logical volume "vg0/x"'))).remove("x")
