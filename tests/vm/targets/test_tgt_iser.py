"""iSER by tgt, over RDMA in software: a real tgtd, the kernel's initiator, and os-brick."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests import tgtd
from tests.tgtd import Options
from tests.vm.targets.consumers import (
    BLOCK,
    MIB,
    Writer,
    after,
    block,
    initiator_name,
    iqn_of,
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
from tests.vm_lab.polling import wait_until

from breezeblock.domain.resources import Volume
from breezeblock.drivers.initiator import Initiator
from breezeblock.execution.command import run
from breezeblock.targets.errors import TargetPauseFailed, TargetRemoveFailed
from breezeblock.targets.interface import Target

#: What iscsiadm ends with: not authorised, and refused for another reason.
NOT_AUTHORISED, REFUSED = 24, 19


@pytest.fixture(scope="module")
def options(
    iscsid: None, soft_rdma: str, modules: Callable[..., None], tmp_path_factory: Any
) -> Iterator[Options]:
    modules("ib_iser", "rdma_ucm")
    directory = tmp_path_factory.mktemp("tgt")
    made = Options(
        state_path=str(directory),
        volumes_dir=str(directory / "volumes"),
        file_volumes_directory=str(directory / "data"),
        target_protocol="iser",
        target_ip_address=soft_rdma,
        target_port=3260,
    )
    yield made
    tgtd.daemon_of(made).stop()


@pytest.fixture
def target(options: Options) -> Target:
    return tgtd.target_of(options)


@pytest.fixture
def exported(target: Target, volume_group: str) -> Iterator[tuple[Volume, str]]:
    fresh = volume()
    path = logical_volume(volume_group, fresh.name)
    one = after(fresh, target.create_export(fresh, path))
    yield one, path
    log_out(one)
    target.remove_export(one)
    lvm("lvremove", path)


def disk(exported: Volume, portal: str) -> Path:
    return Path(f"/dev/disk/by-path/ip-{portal}-iscsi-{iqn_of(exported)}-lun-1")


def attach(target: Target, one: Volume) -> Path:
    """Log in by the connection info, with a session that outlives pauses."""
    info = target.initialize_connection(one, {"initiator": initiator_name()})
    portal = info["data"]["target_portal"]
    assert log_in(one, portal=portal, transport="iser", patience=60) == 0
    wait_until(disk(one, portal).exists)
    # Nobody but the test reads from it.
    run(["udevadm", "settle"])
    return disk(one, portal)


def open_files(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.path.realpath(descriptor))
    return found


def grows(device: Path, one: Volume, size: int) -> None:
    """The initiator sees the size once its session is back and it looks again."""

    def seen() -> bool:
        if session_state(one) == "LOGGED_IN":
            run(["iscsiadm", "-m", "session", "--rescan"], accept=(0, 21))
        return size_of(device) == size

    wait_until(seen, 60)


def test_who_gets_in(target: Target, exported: tuple[Volume, str], options: Options) -> None:
    one, path = exported
    assert target.storage_protocol == "iSER"
    portal = f"{options.target_ip_address}:3260"
    assert log_in(one, portal=portal, transport="iser") == REFUSED
    info = target.initialize_connection(one, {"initiator": initiator_name()})
    assert info["driver_volume_type"] == "iser"
    assert info["data"]["target_portal"] == portal
    assert info["data"]["target_lun"] == 1
    user, secret = str(one.provider_auth).split()[1:]
    for auth in ("", f"CHAP {user} wrongwrongwrong1", f"CHAP wrong {secret}"):
        assert log_in(one, portal=portal, transport="iser", auth=auth) == NOT_AUTHORISED
    # Found over TCP, and entered over RDMA only.
    found = run(["iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", portal]).text
    assert f"{portal},1 {iqn_of(one)}" in found
    assert log_in(one, portal=portal) == REFUSED
    device = attach(target, one)
    assert "Iface Transport: iser" in run(["iscsiadm", "-m", "session", "-P", "1"]).text
    write_directly(device, 0, block(1))
    assert read_directly(path, 0, BLOCK) == block(1)
    assert read_directly(device, 0, BLOCK) == block(1)
    # Made right, not anew.
    assert after(one, target.create_export(one, path)) == one
    assert session_state(one) == "LOGGED_IN"
    here = {"initiator": initiator_name()}
    assert target.terminate_connection(one, here, others=[here]) is True
    assert session_state(one) == "LOGGED_IN"
    target.terminate_connection(one, here, force=True)
    wait_until(lambda: session_state(one) != "LOGGED_IN")
    log_out(one)
    assert log_in(one, portal=portal, transport="iser") == REFUSED


def test_growth_pause_and_a_dead_daemon_under_a_writer(
    target: Target, exported: tuple[Volume, str], options: Options
) -> None:
    one, path = exported
    device = attach(target, one)
    writer = Writer(device)
    wait_until(lambda: writer.count > 20)
    lvm("lvextend", "-L", "96M", path)
    target.extend_target(one, path)
    grows(device, one, 96 * MIB)
    wait_until(lambda: session_state(one) == "LOGGED_IN", 60)
    before = writer.count
    wait_until(lambda: writer.count > before + 20, 60)
    pid = tgtd.daemon_of(options).pid()
    assert pid
    assert os.path.realpath(path) in open_files(pid)
    with target.paused(one.name, path):
        assert os.path.realpath(path) not in open_files(pid)
        first = read_directly(path, 0, MIB)
        run(["sleep", "1"])
        assert read_directly(path, 0, MIB) == first
    before = writer.count
    wait_until(lambda: writer.count > before + 20, 60)
    assert tgtd.daemon_of(options).pid() == pid, "tgtd must survive it"
    os.kill(pid, signal.SIGKILL)
    assert target.restore() == 1
    before = writer.count
    wait_until(lambda: writer.count > before + 20, 60)
    writer.stop(path)


def test_removal_under_a_consumer(
    target: Target, exported: tuple[Volume, str], options: Options
) -> None:
    one, _ = exported
    attach(target, one)
    client = tgtd.daemon_of(options).client
    pid = tgtd.daemon_of(options).pid()
    for _ in range(2):
        target.remove_export(one)
        assert client.target_names() == {}
        assert target.list_exports() == []
    assert tgtd.daemon_of(options).pid() == pid, "tgtd must survive it"
    log_out(one)


def test_slow_storage_is_left_alone(
    target: Target, exported: tuple[Volume, str], options: Options
) -> None:
    """tgtd dies when a request outlasts its RDMA connection."""
    one, path = exported
    device = attach(target, one)
    daemon = tgtd.daemon_of(options)
    (tid,) = daemon.client.target_names()
    pid = daemon.pid()
    run(["dmsetup", "suspend", "--nolockfs", "--noflush", path])
    reader = threading.Thread(target=read_directly, args=(device, 32 * MIB, BLOCK))
    try:
        reader.start()
        wait_until(lambda: any(a > b for a, b in daemon.client.requests(tid).values()))
        with pytest.raises(TargetPauseFailed), target.paused(one.name, path):
            pytest.fail("the block must not run")
        with pytest.raises(TargetRemoveFailed) as refused:
            target.remove_export(one)
        assert refused.value.transient
        assert session_state(one) == "LOGGED_IN"
    finally:
        run(["dmsetup", "resume", path])
    reader.join(60)
    with target.paused(one.name, path):
        pass
    assert daemon.pid() == pid, "tgtd must survive it"
    wait_until(lambda: session_state(one) == "LOGGED_IN")


def test_os_brick_attaches(
    target: Target, exported: tuple[Volume, str], options: Options, tmp_path: Path
) -> None:
    one, path = exported
    initiator = Initiator(tmp_path, address=options.target_ip_address)
    connector = initiator.properties()
    attached = initiator.connect(target.initialize_connection(one, connector))
    write_directly(attached.path, BLOCK, block(2))
    assert read_directly(path, BLOCK, BLOCK) == block(2)
    initiator.disconnect(attached)
    assert target.terminate_connection(one, connector) is False
    assert session_state(one) == ""
