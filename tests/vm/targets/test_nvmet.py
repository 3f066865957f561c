"""nvmet as it is: the kernel's target, real hosts, real data, over TCP and RDMA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.vm.targets.consumers import (
    BLOCK,
    MIB,
    Options,
    Writer,
    after,
    block,
    image_file,
    logical_volume,
    lvm,
    namespace_disk,
    nvme_connect,
    nvme_disconnect,
    read_directly,
    size_of,
    states,
    volume,
    write_directly,
)
from tests.vm.targets.dying import DyingConfigfs, killed_everywhere, tree
from tests.vm_lab.polling import wait_until

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution.command import run
from breezeblock.targets import nvmet_target
from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetCreateFailed, TargetError
from breezeblock.targets.interface import Target
from breezeblock.targets.nvmet_kernel import NvmetKernel
from breezeblock.targets.nvmet_shared import NvmetShared
from breezeblock.targets.registry import create_target

ONE = {"nqn": "nqn.2014-08.org.example:one", "host": "one"}
TWO = {"nqn": "nqn.2014-08.org.example:two", "host": "two"}


@pytest.fixture
def options(tmp_path: Path, modules: Callable[..., None]) -> Options:
    modules("nvme-tcp")
    return Options(
        volumes_dir=str(tmp_path / "volumes"),
        target_helper="nvmet",
        target_protocol="nvmet_tcp",
        target_prefix="2010-10.org.openstack",
        target_port=4420,
    )


@pytest.fixture
def target(options: Options) -> Target:
    made = create_target(options)
    made.check_for_setup_error()
    return made


@pytest.fixture
def shared(options: Options) -> NvmetShared:
    options.lvm_share_target = True
    made = create_target(options)
    made.check_for_setup_error()
    assert isinstance(made, NvmetShared)
    return made


class Exported:
    """Volumes and their data; all are taken back at the end."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._all: list[tuple[Target, Volume, str]] = []

    def device(self, target: Target) -> tuple[Volume, str]:
        fresh = volume()
        path = logical_volume(self._group, fresh.name)
        return self.at(target, fresh, path), path

    def at(self, target: Target, fresh: Volume, path: str) -> Volume:
        exported = after(fresh, target.create_export(fresh, path))
        self._all.append((target, exported, path))
        return exported

    def take_back(self) -> None:
        for exported in {each.id for _, each, _ in self._all}:
            nvme_disconnect(f"nqn.2010-10.org.openstack-{exported}")
        for connector in (ONE, TWO):
            nvme_disconnect(f"nqn.2010-10.org.openstack-{connector['host']}")
        for target, exported_one, path in self._all:
            target.remove_export(exported_one)
            if path.startswith("/dev/"):
                lvm("lvremove", path, accept=(0, 5))
        assert not list(Path(nvmet_target.CONFIGFS, "subsystems").iterdir())


@pytest.fixture
def exported(volume_group: str) -> Iterator[Exported]:
    made = Exported(volume_group)
    yield made
    made.take_back()


def nqn_of(one: Volume) -> str:
    return f"nqn.2010-10.org.openstack-{one.id}"


def test_only_hosts_with_an_attachment_get_in(target: Target, exported: Exported) -> None:
    one, path = exported.device(target)
    assert one.provider_location == f"127.0.0.1:4420 tcp {nqn_of(one)} 10"
    assert not nvme_connect(nqn_of(one), ONE["nqn"])
    assert target.initialize_connection(one, ONE) == {
        "driver_volume_type": "nvmeof",
        "data": {
            "target_portal": "127.0.0.1",
            "target_port": "4420",
            "nqn": nqn_of(one),
            "transport_type": "tcp",
            "ns_id": "10",
        },
    }
    assert not nvme_connect(nqn_of(one), TWO["nqn"])
    assert nvme_connect(nqn_of(one), ONE["nqn"])
    disk = namespace_disk(one.id)
    wait_until(disk.exists)
    write_directly(disk, 0, block(1))
    assert read_directly(path, 0, BLOCK) == block(1)


def test_termination_ends_the_controllers_of_that_host(target: Target, exported: Exported) -> None:
    one, _ = exported.device(target)
    for connector in (ONE, TWO):
        target.initialize_connection(one, connector)
        assert nvme_connect(nqn_of(one), connector["nqn"])
    # Another attachment of the same host still needs it.
    assert target.terminate_connection(one, ONE, others=[ONE, TWO]) is True
    assert states(nqn_of(one)) == ["live", "live"]
    assert target.terminate_connection(one, ONE, others=[TWO]) is True
    wait_until(lambda: states(nqn_of(one), ONE["nqn"]) == ["connecting"])
    wait_until(lambda: states(nqn_of(one), TWO["nqn"]) == ["live"])
    assert states(nqn_of(one), ONE["nqn"]) == ["connecting"]
    nvme_disconnect(nqn_of(one))
    assert not nvme_connect(nqn_of(one), ONE["nqn"])
    assert nvme_connect(nqn_of(one), TWO["nqn"])
    assert target.terminate_connection(one, None) is False
    wait_until(lambda: states(nqn_of(one)) == ["connecting"])


def test_everything_may_be_done_twice(target: Target, exported: Exported) -> None:
    one, path = exported.device(target)
    target.initialize_connection(one, ONE)
    assert nvme_connect(nqn_of(one), ONE["nqn"])
    for _ in range(2):
        assert after(one, target.create_export(one, path)) == one
        assert after(one, target.ensure_export(one, path)) == one
        target.initialize_connection(one, ONE)
    assert states(nqn_of(one)) == ["live"]
    assert target.list_exports() == [one.name]
    for _ in range(2):
        target.remove_export(one)
        assert not target.is_exported(one.name)
    wait_until(lambda: states(nqn_of(one)) != ["live"])
    lvm("lvchange", "-an", path)


def test_restore_after_a_reboot(target: Target, exported: Exported) -> None:
    one, path = exported.device(target)
    target.initialize_connection(one, ONE)
    NvmetKernel(Configfs(nvmet_target.CONFIGFS)).withdraw(nqn_of(one))
    lvm("lvchange", "-an", path)
    assert target.restore() == 0  # the device is not there yet
    lvm("lvchange", "-ay", path)
    assert target.restore() == 1
    assert target.restore() == 0
    assert not nvme_connect(nqn_of(one), TWO["nqn"])
    assert nvme_connect(nqn_of(one), ONE["nqn"])


@pytest.mark.parametrize("kind", ["device", "file"])
def test_growth_is_seen_at_once(
    target: Target, exported: Exported, tmp_path: Path, kind: str
) -> None:
    if kind == "device":
        one, path = exported.device(target)
    else:
        fresh = volume()
        path = image_file(tmp_path, fresh.name)
        one = exported.at(target, fresh, path)
    target.initialize_connection(one, ONE)
    assert nvme_connect(nqn_of(one), ONE["nqn"])
    disk = namespace_disk(one.id)
    wait_until(disk.exists)
    if kind == "device":
        lvm("lvextend", "-L", "96M", path)
    else:
        with open(path, "r+b") as file:
            file.truncate(96 * MIB)
    target.extend_target(one, path)
    wait_until(lambda: size_of(disk) == 96 * MIB)
    write_directly(disk, 90 * MIB, block(7))
    assert read_directly(disk, 90 * MIB, BLOCK) == block(7)


def test_writers_notice_no_more_than_a_delay_of_a_pause(target: Target, exported: Exported) -> None:
    exported.device(target)  # keeps the port open: the host is refused, not unheard
    one, path = exported.device(target)
    target.initialize_connection(one, ONE)
    assert nvme_connect(nqn_of(one), ONE["nqn"])
    disk = namespace_disk(one.id)
    wait_until(disk.exists)
    writer = Writer(disk)
    wait_until(lambda: writer.count > 20)
    with target.paused(one.name, path):
        # Nobody has it open: it can be deactivated.
        lvm("lvchange", "-an", path)
        before = writer.count
        lvm("lvchange", "-ay", path)
        assert writer.count == before
    wait_until(lambda: writer.count > before + 20)
    writer.stop(path)


def refusals() -> int:
    """How often this kernel's hosts were told that they may not connect."""
    return run(["dmesg"]).text.count("failed to connect queue")


def test_a_pause_longer_than_the_reconnect_delay(target: Target, exported: Exported) -> None:
    exported.device(target)
    one, path = exported.device(target)
    target.initialize_connection(one, ONE)
    assert nvme_connect(nqn_of(one), ONE["nqn"])
    disk = namespace_disk(one.id)
    wait_until(disk.exists)
    writer = Writer(disk)
    wait_until(lambda: writer.count > 20)
    refused = refusals()
    with target.paused(one.name, path):
        wait_until(lambda: refusals() > refused)
        before = writer.count
    wait_until(lambda: writer.count > before + 20)
    writer.stop(path)


def test_a_port_of_others_is_left_alone(
    options: Options, target: Target, exported: Exported
) -> None:
    exported.device(target)
    ports = tree(nvmet_target.CONFIGFS / "ports")
    options.target_port = 4421
    other = create_target(options)
    with pytest.raises(TargetCreateFailed, match="nvmet_port_id"):
        other.create_export(volume(), "/dev/vdb")
    assert tree(nvmet_target.CONFIGFS / "ports") == ports
    options.nvmet_port_id = 7
    one, _ = exported.device(create_target(options))
    target.initialize_connection(one, ONE)
    assert nvme_connect(nqn_of(one), ONE["nqn"], port="4421")


def test_several_addresses(options: Options, exported: Exported) -> None:
    options.nvmet_port_id = 20
    options.target_port = 4430
    options.target_secondary_ip_addresses = ["127.0.0.2", "::1"]
    with pytest.raises(TargetError, match="nvmeof_conn_info_version"):
        create_target(options)
    options.nvmeof_conn_info_version = 2
    target = create_target(options)
    one, _ = exported.device(target)
    assert one.provider_location == f"127.0.0.1,127.0.0.2,::1:4430 tcp {nqn_of(one)} 10"
    data = target.initialize_connection(one, ONE)["data"]
    assert data == {
        "target_nqn": nqn_of(one),
        "vol_uuid": one.id,
        "portals": [(a, "4430", "tcp") for a in ("127.0.0.1", "127.0.0.2", "::1")],
        "ns_id": "10",
    }
    for address, port, _ in data["portals"]:
        assert nvme_connect(nqn_of(one), ONE["nqn"], address=address, port=port)
        nvme_disconnect(nqn_of(one))


def test_rdma(options: Options, exported: Exported, soft_rdma: str) -> None:
    options.target_protocol, options.target_ip_address = "nvmet_rdma", soft_rdma
    options.nvmet_port_id, options.nvmeof_conn_info_version = 30, 2
    target = create_target(options)
    target.check_for_setup_error()
    one, path = exported.device(target)
    data = target.initialize_connection(one, ONE)["data"]
    assert data["portals"] == [(soft_rdma, "4420", "RoCEv2")]
    assert not nvme_connect(nqn_of(one), TWO["nqn"], address=soft_rdma, transport="rdma")
    assert nvme_connect(nqn_of(one), ONE["nqn"], address=soft_rdma, transport="rdma")
    disk = namespace_disk(one.id)
    wait_until(disk.exists)
    write_directly(disk, 0, block(3))
    assert read_directly(path, 0, BLOCK) == block(3)
    target.terminate_connection(one, ONE)
    wait_until(lambda: states(nqn_of(one)) == ["connecting"])


def test_a_shared_subsystem_for_each_host(shared: NvmetShared, exported: Exported) -> None:
    one, path = exported.device(shared)
    assert one.provider_location == path
    nqn = "nqn.2010-10.org.openstack-one"
    with pytest.raises(InvalidConnector):
        shared.validate_connector({"nqn": ONE["nqn"]})
    data = shared.initialize_connection(one, ONE)["data"]
    assert (data["nqn"], data["ns_id"]) == (nqn, "10")
    assert nvme_connect(nqn, ONE["nqn"])
    assert not nvme_connect(nqn, TWO["nqn"])
    other, other_path = exported.device(shared)
    assert shared.initialize_connection(other, ONE)["data"]["ns_id"] == "11"
    for each in (one, other):
        wait_until(namespace_disk(each.id).exists)
    write_directly(namespace_disk(other.id), 0, block(2))
    assert read_directly(other_path, 0, BLOCK) == block(2)
    assert shared.initialize_connection(one, TWO)["data"]["nqn"].endswith("-two")
    # A number is not used again at once, and the host's other volumes stay.
    assert shared.terminate_connection(one, ONE, others=[TWO]) is True
    wait_until(lambda: not namespace_disk(one.id).exists())
    assert states(nqn) == ["live"]
    assert shared.initialize_connection(one, ONE)["data"]["ns_id"] == "12"
    wait_until(namespace_disk(one.id).exists)
    NvmetKernel(Configfs(nvmet_target.CONFIGFS)).withdraw(nqn)
    assert shared.restore() == 1
    assert shared.terminate_connection(one, None) is False
    shared.terminate_connection(other, ONE)
    assert not (nvmet_target.CONFIGFS / "subsystems" / nqn).exists()


def test_a_pause_in_a_shared_subsystem(shared: NvmetShared, exported: Exported) -> None:
    one, path = exported.device(shared)
    other, other_path = exported.device(shared)
    nqn = shared.initialize_connection(one, ONE)["data"]["nqn"]
    shared.initialize_connection(other, ONE)
    assert nvme_connect(nqn, ONE["nqn"])
    for each in (one, other):
        wait_until(namespace_disk(each.id).exists)
    writer = Writer(namespace_disk(other.id))
    wait_until(lambda: writer.count > 20)
    with shared.paused(one.name, path):
        lvm("lvchange", "-an", path)
        lvm("lvchange", "-ay", path)
        before = writer.count
    wait_until(lambda: writer.count > before + 20)
    writer.stop(other_path)
    lvm("lvextend", "-L", "96M", path)
    shared.extend_target(one, path)
    wait_until(lambda: size_of(namespace_disk(one.id)) == 96 * MIB)


@pytest.mark.parametrize("sharing", [False, True])
def test_many_at_once(options: Options, tmp_path: Path, sharing: bool) -> None:
    options.lvm_share_target = sharing
    target = create_target(options)
    volumes = [volume() for _ in range(20)]
    paths = [image_file(tmp_path, each.name, 1) for each in volumes]
    with ThreadPoolExecutor(20) as threads:
        models = threads.map(target.create_export, volumes, paths)
        made = [after(v, m) for v, m in zip(volumes, models, strict=True)]
        infos = list(threads.map(lambda v: target.initialize_connection(v, ONE), made))
        assert len({(i["data"]["nqn"], i["data"]["ns_id"]) for i in infos}) == 20
        assert target.restore() == 0
        list(threads.map(lambda v: target.terminate_connection(v, ONE), made))
        list(threads.map(target.remove_export, made))
    assert not list(Path(nvmet_target.CONFIGFS, "subsystems").iterdir())
    assert target.list_exports() == []


@pytest.mark.parametrize("sharing", [False, True])
def test_killed_between_any_two_changes(options: Options, tmp_path: Path, sharing: bool) -> None:
    options.lvm_share_target = sharing
    options.nvmet_port_id, options.target_port = 40 + sharing, 4440 + sharing
    made = create_target(options)
    made.check_for_setup_error()
    assert isinstance(made, nvmet_target.NvmetTarget)
    kernel = DyingConfigfs(nvmet_target.CONFIGFS)
    mortal = type(made)(made._settings, made._records, kernel)
    one = volume()
    path = image_file(tmp_path, one.name, 1)

    def state() -> dict[str, str]:
        found = tree(nvmet_target.CONFIGFS / "subsystems", nvmet_target.CONFIGFS / "ports")
        # Namespace ids go on in a shared subsystem.
        return {name.replace("/namespaces/1", "/namespaces/"): found[name] for name in found}

    def is_like(right: dict[str, str]) -> None:
        found = state()
        assert sorted(v for v in found.values()) == sorted(v for v in right.values())

    def create() -> None:
        mortal.create_export(one, path)

    def connect() -> None:
        mortal.initialize_connection(one, ONE)

    def disconnect() -> None:
        mortal.terminate_connection(one, ONE)

    def remove() -> None:
        mortal.remove_export(one)

    def come_back() -> None:
        create()
        connect()

    come_back()
    connected = state()
    disconnect()
    exported = state()
    assert killed_everywhere(kernel, connect, disconnect, lambda: is_like(connected)) >= 1
    connect()
    assert killed_everywhere(kernel, disconnect, connect, lambda: is_like(exported)) >= 3
    remove()
    removed = state()
    come_back()
    assert killed_everywhere(kernel, remove, come_back, lambda: is_like(removed)) >= 5
    remove()
    assert killed_everywhere(kernel, come_back, remove, lambda: is_like(connected)) >= 7
    remove()
