"""tcm_fc as it is: a fabric in software between two ports of this guest, attached by os-brick."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.vm.targets.consumers import (
    BLOCK,
    MIB,
    Options,
    after,
    block,
    logical_volume,
    lvm,
    read_directly,
    size_of,
    volume,
    write_directly,
)
from tests.vm_lab.polling import wait_until

from breezeblock.domain.resources import Volume
from breezeblock.execution.command import run
from breezeblock.targets import lio_fibre_channel
from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetError
from breezeblock.targets.lio_fc_fabric import FibreChannelFabric
from breezeblock.targets.lio_fc_ports import colon_wwpn
from breezeblock.targets.lio_fibre_channel import LioFibreChannel
from breezeblock.targets.registry import create_fibre_channel_target

pytestmark = [
    pytest.mark.guest("fibre_channel"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

#: A port's name is 2000 and the card's address.
INITIATOR, TARGET = "200052540000fc01", "200052540000fc02"


def _card(address: str) -> str:
    for directory in Path("/sys/class/net").iterdir():
        if (directory / "address").read_text().strip() == address:
            return directory.name
    raise AssertionError(f"no card {address}")


@pytest.fixture(scope="module")
def fabric(modules: Callable[..., None]) -> None:
    """The target's port, the initiator's ACL, and only then the initiator's port.

    So it is with zoning: nobody is logged in before the first volume.
    """
    modules("e1000", "fcoe", "tcm_fc")
    run(["udevadm", "settle"])
    kernel = Configfs(lio_fibre_channel.CONFIGFS)
    _bring_up("52:54:00:00:fc:02", online=1)
    group = kernel.root / "fc" / colon_wwpn(TARGET) / "tpgt_1"
    for directory in (group.parent.parent, group.parent, group):
        kernel.make(directory)
    kernel.make(group / "acls" / colon_wwpn(INITIATOR))
    _bring_up("52:54:00:00:fc:01", online=2)
    remotes = Path("/sys/class/fc_remote_ports")
    wait_until(lambda: any("Target" in p.read_text() for p in remotes.glob("rport-*/roles")))


def _bring_up(address: str, online: int) -> None:
    card = _card(address)
    run(["ip", "link", "set", card, "mtu", "2500", "up"])
    Path("/sys/module/libfcoe/parameters/create_vn2vn").write_text(card)
    states = Path("/sys/class/fc_host")
    wait_until(
        lambda: (
            [p.read_text().strip() for p in states.glob("host*/port_state")] == ["Online"] * online
        )
    )


@pytest.fixture(scope="module")
def brick() -> Any:
    """os-brick's connector for fibre channel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of eventlet, about itself
        import os_brick
        from os_brick import privileged
        from os_brick.initiator import connector
    from oslo_concurrency import lockutils
    from oslo_config import cfg

    os.makedirs("/run/locks", exist_ok=True)
    lockutils.set_defaults("/run/locks")
    cfg.CONF([], project="check")
    os_brick.setup(cfg.CONF)
    privileged.default.set_client_mode(False)  # root already: no privsep daemon
    return connector.InitiatorConnector.factory(
        "FIBRE_CHANNEL", "", use_multipath=False, device_scan_attempts=10, conn={}
    )


@pytest.fixture
def target(tmp_path: Path, fabric: None) -> LioFibreChannel:
    options = Options(volumes_dir=str(tmp_path / "volumes"), fc_target_wwpns=[TARGET])
    made = create_fibre_channel_target(options)
    made.check_for_setup_error()
    assert isinstance(made, LioFibreChannel)
    return made


@pytest.fixture
def connector() -> dict[str, Any]:
    return {"wwpns": [INITIATOR], "wwnns": ["10" + INITIATOR[2:]], "host": "vm"}


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
    connector: dict[str, Any],
    volume_group: str,
    brick: Any,
) -> None:
    one, other = exported(), exported()
    info = target.initialize_connection(one, connector)
    assert info["driver_volume_type"] == "fibre_channel"
    data = info["data"]
    assert data == {
        "target_discovered": True,
        "target_lun": data["target_lun"],
        "target_wwn": [TARGET],
        "initiator_target_map": {INITIATOR: [TARGET]},
    }
    device = brick.connect_volume(data)
    path = f"/dev/{volume_group}/{one.name}"
    write_directly(device["path"], 0, block(1))
    assert read_directly(path, 0, BLOCK) == block(1)
    # The other volume is not shown to anybody.
    luns = [name.rpartition(":")[2] for name in os.listdir("/sys/class/scsi_device")]
    assert str(data["target_lun"]) in luns
    assert str(data["target_lun"] + 1) not in luns
    lvm("lvextend", "-L", "96M", path)
    target.extend_target(one, path)
    assert brick.extend_volume(data) == 96 * MIB
    # A second volume of an initiator that is logged in already.
    more = target.initialize_connection(other, connector)["data"]
    second = brick.connect_volume(more)
    assert size_of(Path(second["path"])) == 64 * MIB
    brick.disconnect_volume(data, device)
    assert target.terminate_connection(one, connector) is False
    write_directly(second["path"], 0, block(2))
    assert read_directly(f"/dev/{volume_group}/{other.name}", 0, BLOCK) == block(2)
    brick.disconnect_volume(more, second)
    target.terminate_connection(other, connector)
    # Attached again, after all was detached.
    device = brick.connect_volume(target.initialize_connection(one, connector)["data"])
    assert read_directly(device["path"], 0, BLOCK) == block(1)
    # Cut off without having detached.
    target.terminate_connection(one, connector)
    with pytest.raises(OSError):
        read_directly(device["path"], MIB, BLOCK)
    brick.disconnect_volume(data, device, force=True, ignore_errors=True)


def test_restore_after_a_reboot(
    target: LioFibreChannel, exported: Callable[[], Volume], connector: dict[str, Any], brick: Any
) -> None:
    one = exported()
    data = target.initialize_connection(one, connector)["data"]
    export = lio_fibre_channel._export(one.name, target._record(one.name))
    kernel = Configfs(lio_fibre_channel.CONFIGFS)
    FibreChannelFabric(kernel).close(export)
    assert target.restore() == 1
    assert target.restore() == 0
    device = brick.connect_volume(data)
    write_directly(device["path"], 0, block(1))
    brick.disconnect_volume(data, device)


def test_a_lun_is_not_given_to_another_volume(
    target: LioFibreChannel, exported: Callable[[], Volume]
) -> None:
    one, other = exported(), exported()
    luns = [target._record(each.name)["lun"] for each in (one, other)]
    assert luns[1] == luns[0] + 1
    target.remove_export(one)
    assert target._record(exported().name)["lun"] == luns[1] + 1


def test_luns_beyond_one_byte(
    target: LioFibreChannel, exported: Callable[[], Volume], connector: dict[str, Any], brick: Any
) -> None:
    (target._records.directory / "last-lun").write_text("299\n")
    data = target.initialize_connection(exported(), connector)["data"]
    assert data["target_lun"] == 300
    device = brick.connect_volume(data)
    write_directly(device["path"], 0, block(1))
    brick.disconnect_volume(data, device)


def test_fibre_channel_cannot_pause(
    target: LioFibreChannel, exported: Callable[[], Volume]
) -> None:
    one = exported()
    with pytest.raises(TargetError, match="cannot be held back"), target.paused(one.name, "x"):
        raise AssertionError
