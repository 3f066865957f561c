"""LIO as it is: the kernel's target, a real initiator, real logins, real data."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
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
    disk,
    image_file,
    initiator_name,
    iqn_of,
    iscsi_node,
    log_in,
    log_out,
    logical_volume,
    lvm,
    read_directly,
    session_state,
    size_of,
    volume,
    write_directly,
)
from tests.vm.targets.dying import DyingConfigfs, killed_everywhere, tree
from tests.vm_lab.polling import wait_until

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution.command import run
from breezeblock.targets import lio
from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetCreateFailed, TargetError
from breezeblock.targets.interface import Target
from breezeblock.targets.lio_iscsi import IscsiTargets
from breezeblock.targets.registry import create_target

STRANGER = {"initiator": "iqn.1993-08.org.example:somebody"}


@pytest.fixture
def options(tmp_path: Path, iscsid: None) -> Options:
    return Options(volumes_dir=str(tmp_path / "volumes"))


@pytest.fixture
def target(options: Options) -> Target:
    made = create_target(options)
    made.check_for_setup_error()
    return made


@pytest.fixture
def connector() -> dict[str, str]:
    return {"initiator": initiator_name(), "ip": "127.0.0.1", "host": "vm"}


class Exported:
    """Volumes and their data; all are taken back at the end."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._all: list[tuple[Target, Volume, str]] = []

    def device(self, target: Target) -> tuple[Volume, str]:
        fresh = volume()
        return self._export(target, fresh, logical_volume(self._group, fresh.name))

    def file(self, target: Target, directory: Path) -> tuple[Volume, str]:
        fresh = volume()
        return self._export(target, fresh, image_file(directory, fresh.name))

    def _export(self, target: Target, fresh: Volume, path: str) -> tuple[Volume, str]:
        exported = after(fresh, target.create_export(fresh, path))
        self._all.append((target, exported, path))
        return exported, path

    def take_back(self) -> None:
        for target, exported, path in self._all:
            log_out(exported)
            target.remove_export(exported)
            if path.startswith("/dev/"):
                lvm("lvremove", path, accept=(0, 5))


@pytest.fixture
def exported(volume_group: str) -> Iterator[Exported]:
    made = Exported(volume_group)
    yield made
    made.take_back()


def forget(target: Target, gone: Volume) -> None:
    """What a reboot does: the kernel knows nothing of it, the record stays."""
    IscsiTargets(Configfs(lio.CONFIGFS)).withdraw(iqn_of(gone), gone.name)


def test_only_initiators_with_the_secret_and_an_attachment_get_in(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, path = exported.device(target)
    assert log_in(one) == 24
    target.initialize_connection(one, STRANGER)
    assert log_in(one) == 24
    info = target.initialize_connection(one, connector)
    assert info["data"]["auth_method"] == "CHAP"
    assert one.provider_auth
    user = one.provider_auth.split()[1]
    assert log_in(one, auth=f"CHAP {user} wrongwrongwrong1") == 24
    assert log_in(one, auth="CHAP nobody wrongwrongwrong1") == 24
    assert log_in(one, auth="") == 24
    assert log_in(one) == 0
    wait_until(disk(one).exists)
    write_directly(disk(one), 0, block(1))
    assert read_directly(path, 0, BLOCK) == block(1)
    # The unit's name in the world is made of the volume's id.
    digits = one.id.replace("-", "")[:25]
    assert list(Path("/dev/disk/by-id").glob(f"*6001405{digits}*"))


def test_discovery_shows_nothing_to_strangers(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, _ = exported.device(target)
    discover = ["iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", "127.0.0.1:3260"]
    assert iqn_of(one) not in run(discover, accept=(0, 21)).text
    target.initialize_connection(one, connector)
    assert iqn_of(one) in run(discover).text


def test_everything_may_be_done_twice(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, path = exported.device(target)
    assert target.list_exports() == [one.name]
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    bare = dataclasses.replace(one, provider_auth=None, provider_location=None)
    assert after(bare, target.create_export(bare, path)) == one
    assert after(bare, target.ensure_export(bare, path)) == one
    target.initialize_connection(one, connector)
    assert session_state(one) == "LOGGED_IN"
    for _ in range(2):
        assert target.terminate_connection(one, connector) is False
    for _ in range(2):
        target.remove_export(one)
        assert not target.is_exported(one.name)
    assert not list(Path(lio.CONFIGFS, "core").glob(f"*/{one.name}"))
    assert not Path(lio.CONFIGFS, "iscsi", iqn_of(one)).exists()


def test_termination_ends_the_session_of_that_initiator_alone(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, _ = exported.device(target)
    target.initialize_connection(one, STRANGER)
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    assert target.terminate_connection(one, STRANGER, others=[connector]) is True
    assert session_state(one) == "LOGGED_IN"
    # Another attachment of the same host still needs it.
    assert target.terminate_connection(one, connector, others=[connector]) is True
    assert session_state(one) == "LOGGED_IN"
    assert target.terminate_connection(one, connector) is False
    wait_until(lambda: session_state(one) != "LOGGED_IN")
    log_out(one)
    assert log_in(one) == 24
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    assert target.terminate_connection(one, None) is False
    wait_until(lambda: session_state(one) != "LOGGED_IN")


def test_an_export_is_removed_under_a_session(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, path = exported.device(target)
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    target.remove_export(one)
    lvm("lvchange", "-an", path)
    assert session_state(one) != "LOGGED_IN"


def test_restore_after_a_reboot(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, _ = exported.device(target)
    target.initialize_connection(one, connector)
    other, gone = exported.device(target)
    for each in (one, other):
        forget(target, each)
    lvm("lvchange", "-an", gone)
    assert target.restore() == 1  # the other's device is not there yet
    lvm("lvchange", "-ay", gone)
    assert target.restore() == 1
    assert target.restore() == 0
    assert log_in(one) == 0
    wait_until(disk(one).exists)
    assert log_in(other) == 24


@pytest.mark.parametrize("kind", ["device", "file"])
def test_growth_is_seen_by_a_rescan(
    target: Target, exported: Exported, connector: dict[str, str], tmp_path: Path, kind: str
) -> None:
    if kind == "device":
        one, path = exported.device(target)
    else:
        one, path = exported.file(target, tmp_path)
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    wait_until(disk(one).exists)
    if kind == "device":
        lvm("lvextend", "-L", "96M", path)
    else:
        with open(path, "r+b") as file:
            file.truncate(96 * MIB)
    target.extend_target(one, path)
    iscsi_node(one, "--rescan")
    wait_until(lambda: size_of(disk(one)) == 96 * MIB)
    write_directly(disk(one), 90 * MIB, block(7))
    assert read_directly(disk(one), 90 * MIB, BLOCK) == block(7)


def test_writers_notice_no_more_than_a_delay_of_a_pause(
    target: Target, exported: Exported, connector: dict[str, str]
) -> None:
    one, path = exported.device(target)
    target.initialize_connection(one, connector)
    assert log_in(one, patience=120) == 0
    wait_until(disk(one).exists)
    writer = Writer(disk(one))
    wait_until(lambda: writer.count > 20)
    with target.paused(one.name, path):
        # Nobody has it open: it can be deactivated.
        lvm("lvchange", "-an", path)
        lvm("lvextend", "-L", "96M", path)
        before = writer.count
        lvm("lvchange", "-ay", path)
        assert writer.count == before
    wait_until(lambda: writer.count > before + 20)
    writer.stop(path)
    assert session_state(one) == "LOGGED_IN"
    with pytest.raises(RuntimeError), target.paused(one.name, path):
        raise RuntimeError
    wait_until(lambda: session_state(one) == "LOGGED_IN")


def test_a_pause_of_what_is_not_exported(target: Target) -> None:
    with target.paused("volume-unknown", "/dev/null"):
        assert not target.is_exported("volume-unknown")
    target.extend_target(volume(), "/dev/null")


def test_targets_of_others_stay(target: Target, exported: Exported) -> None:
    kernel = Configfs(lio.CONFIGFS)
    others = lio.CONFIGFS / "iscsi" / "iqn.2001-04.com.example:theirs"
    kernel.make(others)
    kernel.make(others / "tpgt_1")
    theirs = tree(others)
    one, _ = exported.device(target)
    target.restore()
    target.remove_export(one)
    assert tree(others) == theirs
    kernel.remove(others / "tpgt_1")
    kernel.remove(others)


def test_several_portals(options: Options, exported: Exported, connector: dict[str, str]) -> None:
    options.target_secondary_ip_addresses = ["127.0.0.2", "::1"]
    target = create_target(options)
    one, _ = exported.device(target)
    data = target.initialize_connection(one, connector)["data"]
    assert data["target_portals"] == ["127.0.0.1:3260", "127.0.0.2:3260", "[::1]:3260"]
    for portal in data["target_portals"]:
        assert log_in(one, portal=portal) == 0
        log_out(one)
    options.target_secondary_ip_addresses = []
    create_target(options).create_export(one, exported_path(target, one))
    assert log_in(one, portal="127.0.0.2:3260") != 0
    assert log_in(one) == 0


def exported_path(target: Target, one: Volume) -> str:
    assert isinstance(target, lio.LioAdm)
    return target._export(one.name).path


def test_credentials_of_the_operator(
    options: Options, exported: Exported, connector: dict[str, str]
) -> None:
    options.chap_username, options.chap_password = "operator", "operatorssecret1"
    target = create_target(options)
    one, path = exported.device(target)
    assert one.provider_auth == "CHAP operator operatorssecret1"
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    log_out(one)
    changed = dataclasses.replace(one, provider_auth="CHAP someone sixteencharacter")
    target.create_export(changed, path)
    assert log_in(one) == 24
    assert log_in(changed) == 0


def test_errors_say_what_to_do(target: Target, tmp_path: Path) -> None:
    one = volume()
    with pytest.raises(TargetCreateFailed, match="No such file"):
        target.create_export(one, str(tmp_path / "missing"))
    target.remove_export(one)
    with pytest.raises(InvalidConnector):
        target.initialize_connection(one, {"host": "vm"})
    with pytest.raises(TargetError, match="not exported"):
        target.initialize_connection(one, STRANGER)


def test_discard_goes_through(
    options: Options, exported: Exported, connector: dict[str, str], tmp_path: Path
) -> None:
    options.report_discard_supported = True
    target = create_target(options)
    one, path = exported.file(target, tmp_path)
    target.initialize_connection(one, connector)
    assert log_in(one) == 0
    wait_until(disk(one).exists)
    write_directly(disk(one), 0, block(1) * 16)
    used = Path(path).stat().st_blocks
    run(["blkdiscard", str(disk(one))])
    assert Path(path).stat().st_blocks < used


def test_many_at_once(target: Target, tmp_path: Path) -> None:
    volumes = [volume() for _ in range(20)]
    paths = [image_file(tmp_path, each.name, 1) for each in volumes]
    before = tree(lio.CONFIGFS / "iscsi")
    with ThreadPoolExecutor(20) as threads:
        models = list(threads.map(target.create_export, volumes, paths))
        assert len({str(model) for model in models}) == 20
        made = [after(v, m) for v, m in zip(volumes, models, strict=True)]
        list(threads.map(lambda v: target.initialize_connection(v, STRANGER), made))
        assert target.restore() == 0
        assert len(target.list_exports()) == 20
        list(threads.map(target.remove_export, made))
    assert tree(lio.CONFIGFS / "iscsi") == before
    assert target.list_exports() == []


def test_killed_between_any_two_changes(
    options: Options, target: Target, connector: dict[str, str], tmp_path: Path
) -> None:
    kernel = DyingConfigfs(lio.CONFIGFS)
    assert isinstance(target, lio.LioAdm)
    mortal = lio.LioAdm(target._settings, target._records, kernel)
    one = dataclasses.replace(volume(), id=str(uuid.uuid4()))
    path = image_file(tmp_path, one.name, 1)
    made = after(one, mortal.create_export(one, path))
    places = (lio.CONFIGFS / "iscsi" / iqn_of(made), *lio.CONFIGFS.glob(f"core/*/{one.name}/.."))

    def is_like(right: dict[str, str]) -> None:
        assert tree(*places) == right

    def create() -> None:
        mortal.create_export(made, path)

    def connect() -> None:
        mortal.initialize_connection(made, connector)

    def disconnect() -> None:
        mortal.terminate_connection(made, connector)

    def remove() -> None:
        mortal.remove_export(made)

    exported = tree(*places)
    connect()
    connected = tree(*places)
    assert connected != exported
    disconnect()
    is_like(exported)
    assert killed_everywhere(kernel, connect, disconnect, lambda: is_like(connected)) >= 5
    connect()
    assert killed_everywhere(kernel, disconnect, connect, lambda: is_like(exported)) >= 3

    def come_back() -> None:
        create()
        connect()

    assert killed_everywhere(kernel, remove, come_back, lambda: is_like({})) >= 10
    remove()
    assert killed_everywhere(kernel, create, remove, lambda: is_like(exported)) >= 10
    remove()
