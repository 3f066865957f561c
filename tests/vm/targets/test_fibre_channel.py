"""tcm_fc as it is: a fabric in software between two ports of this guest, attached by os-brick."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.vm.fibre_channel_fabric import (
    INITIATOR,
    TARGET,
    disk,
    forget,
    port,
    scan,
    seen_luns,
    unplugged_initiator,
    wait_for_target,
    wipe_targets,
)
from tests.vm.targets.consumers import (
    BLOCK,
    MIB,
    Options,
    after,
    block,
    image_file,
    logical_volume,
    lvm,
    read_directly,
    size_of,
    volume,
    write_directly,
)

from breezeblock.domain.resources import Volume
from breezeblock.drivers.initiator import Initiator
from breezeblock.targets import lio_fibre_channel
from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetError
from breezeblock.targets.lio_backstore import Backstores
from breezeblock.targets.lio_fibre_channel import LioFibreChannel
from breezeblock.targets.registry import create_fibre_channel_target

pytestmark = [
    pytest.mark.guest("fibre_channel"),
    pytest.mark.slow,
]

CONNECTOR = {"wwpns": [INITIATOR], "wwnns": ["10" + INITIATOR[2:]], "host": "vm"}


@dataclasses.dataclass
class FibreChannelOptions(Options):
    fc_target_wwpns: list[str] = dataclasses.field(default_factory=lambda: [TARGET])
    fc_initiator_wwpns: list[str] = dataclasses.field(default_factory=lambda: [INITIATOR])


@pytest.fixture(scope="module")
def target(
    tmp_path_factory: pytest.TempPathFactory, modules: Callable[..., None]
) -> Iterator[LioFibreChannel]:
    """A target whose initiator has logged in before there is any volume."""
    modules("e1000", "fcoe", "tcm_fc")
    options = FibreChannelOptions(volumes_dir=str(tmp_path_factory.mktemp("volumes")))
    made = create_fibre_channel_target(options)
    assert isinstance(made, LioFibreChannel)
    with port(TARGET):
        made.check_for_setup_error()
        with port(INITIATOR):
            wait_for_target()
            yield made
        wipe_targets()


@pytest.fixture(scope="module")
def initiator(tmp_path_factory: pytest.TempPathFactory) -> Initiator:
    return Initiator(tmp_path_factory.mktemp("locks"), address="127.0.0.1", scan_tries=10)


@pytest.fixture
def exported(volume_group: str, target: LioFibreChannel) -> Iterator[Callable[[], Volume]]:
    made: list[Volume] = []

    def export() -> Volume:
        fresh = volume()
        path = logical_volume(volume_group, fresh.name)
        made.append(after(fresh, target.create_export(fresh, path)))
        return made[-1]

    yield export
    for each in made:
        target.remove_export(each)
        lvm("lvremove", f"/dev/{volume_group}/{each.name}", accept=(0, 5))


def test_attach_write_extend_and_detach(
    target: LioFibreChannel,
    exported: Callable[[], Volume],
    volume_group: str,
    initiator: Initiator,
) -> None:
    _last_lun(target, 299)  # from 256 on, LUNs are addressed in another way
    one, other = exported(), exported()
    scan()
    assert seen_luns() == []
    info = target.initialize_connection(one, CONNECTOR)
    assert info["driver_volume_type"] == "fibre_channel"
    assert info["data"] == {
        "target_discovered": True,
        "target_lun": 300,
        "target_wwn": [TARGET],
        "initiator_target_map": {INITIATOR: [TARGET]},
    }
    device = initiator.connect(info)
    path = f"/dev/{volume_group}/{one.name}"
    write_directly(device.path, 0, block(1))
    assert read_directly(path, 0, BLOCK) == block(1)
    scan()
    assert seen_luns() == [300]
    lvm("lvextend", "-L", "96M", path)
    target.extend_target(one, path)
    assert initiator.extend(device) == 96 * MIB
    target.initialize_connection(other, CONNECTOR)
    second = disk(301)
    assert size_of(second) == 64 * MIB
    initiator.disconnect(device)
    assert target.terminate_connection(one, CONNECTOR) is False
    scan()
    assert seen_luns() == [301]
    write_directly(second, 0, block(2))
    assert read_directly(f"/dev/{volume_group}/{other.name}", 0, BLOCK) == block(2)
    # Cut off without having detached.
    target.terminate_connection(other, None)
    with pytest.raises(OSError, match="Input/output"):
        read_directly(second, MIB, BLOCK)
    forget(301)
    # Attached again, after all was detached: nobody has to log in again.
    target.initialize_connection(one, CONNECTOR)
    scan()
    assert seen_luns() == [300]
    forget(300)


def test_restore_after_a_reboot(
    target: LioFibreChannel, exported: Callable[[], Volume], volume_group: str
) -> None:
    one = exported()
    lun = target.initialize_connection(one, CONNECTOR)["data"]["target_lun"]
    with unplugged_initiator():
        wipe_targets()
        Backstores(Configfs(lio_fibre_channel.CONFIGFS)).close(one.name)
        assert target.restore() == 1
        assert target.restore() == 0
    write_directly(disk(lun), 0, block(3))
    assert read_directly(f"/dev/{volume_group}/{one.name}", 0, BLOCK) == block(3)
    forget(lun)


def test_a_lun_is_not_given_to_another_volume(target: LioFibreChannel, tmp_path: Path) -> None:
    _last_lun(target, 0)
    other = create_fibre_channel_target(FibreChannelOptions(volumes_dir=str(tmp_path)))
    assert isinstance(other, LioFibreChannel)
    one = _offer(target, tmp_path)
    of_another_service = _offer(other, tmp_path)
    assert [_lun(target, one), _lun(other, of_another_service)] == [1, 2]
    target.remove_export(one)
    next_one = _offer(target, tmp_path)
    assert _lun(target, next_one) == 3
    target.remove_export(next_one)
    other.remove_export(of_another_service)


def test_fibre_channel_cannot_pause(target: LioFibreChannel, tmp_path: Path) -> None:
    one = _offer(target, tmp_path)
    with pytest.raises(TargetError, match="cannot be held back"), target.paused(one.name, "x"):
        raise AssertionError
    target.remove_export(one)


def _offer(target: LioFibreChannel, directory: Path) -> Volume:
    fresh = volume()
    target.create_export(fresh, image_file(directory, fresh.name))
    return fresh


def _last_lun(target: LioFibreChannel, number: int) -> None:
    (target._records.directory / "last-lun").write_text(f"{number}\n")


def _lun(target: LioFibreChannel, exported: Volume) -> int:
    lun = target._record(exported.name)["lun"]
    assert isinstance(lun, int)
    return lun
