"""tgt as it is: a real daemon, real logins, real data."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import tgtd
from tests.application import eventually
from tests.tgtd import BLOCK, GIB, MIB, Options, Writer

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.targets import tgt_export
from breezeblock.targets.errors import TargetError, TargetUnavailable
from breezeblock.targets.interface import Target
from breezeblock.targets.registry import create_target
from breezeblock.targets.tgt_protocol import is_initiator_name

CONNECTOR = {"initiator": "iqn.1994-05.com.example:one", "ip": "127.0.0.1", "host": "one"}


@pytest.fixture
def options() -> Iterator[Options]:
    with tgtd.options() as made:
        yield made


@pytest.fixture
def target(options: Options) -> Target:
    return tgtd.target_of(options)


def exported(target: Target, options: Options, size: int = GIB) -> tuple[Volume, Path]:
    volume = tgtd.volume()
    path = Path(options.state_path) / f"{volume.name}.img"
    with path.open("wb") as file:
        file.truncate(size)
    model = target.create_export(volume, str(path))
    assert model is not None
    return dataclasses.replace(volume, **model), path  # type: ignore[arg-type]


def test_login_needs_the_secret(target: Target, options: Options) -> None:
    volume, _ = exported(target, options)
    assert tgtd.inquire(tgtd.url(volume)).returncode == 0
    user, secret = tgtd.url(volume).split("//")[1].partition("@")[0].split("%")
    assert len(user) == 20
    assert len(secret) == 16
    for auth in ("", f"{user}%wrongwrongwrong1", f"wrong%{secret}"):
        refused = tgtd.inquire(tgtd.url(volume, auth))
        assert refused.returncode != 0
        assert "uthentication failure" in refused.stderr


def test_a_secret_of_another_volume_opens_nothing(target: Target, options: Options) -> None:
    one, _ = exported(target, options)
    other, _ = exported(target, options)
    auth = tgtd.url(other).split("//")[1].partition("@")[0]
    assert tgtd.inquire(tgtd.url(one, auth)).returncode != 0


def test_no_secret_on_a_command_line_or_in_a_log(
    target: Target, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    volume, _ = exported(target, options)
    assert volume.provider_auth
    secret = volume.provider_auth.split()[2]
    assert tgtd.inquire(tgtd.url(volume, f"{'x' * 20}%nonsense")).returncode != 0
    pid = tgtd.daemon_of(options).pid()
    assert secret not in Path(f"/proc/{pid}/cmdline").read_text()
    assert secret not in Path(options.state_path, "tgtd", "log").read_text()
    assert secret not in caplog.text
    assert secret not in repr(volume)
    file = Path(options.volumes_dir, volume.name)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret in file.read_text()


def test_everything_may_be_done_twice(target: Target, options: Options) -> None:
    volume, path = exported(target, options)
    bare = dataclasses.replace(volume, provider_auth=None, provider_location=None)
    again = target.create_export(bare, str(path))
    assert again == {
        "provider_location": volume.provider_location,
        "provider_auth": volume.provider_auth,
    }
    assert target.list_exports() == [volume.name]
    for _ in range(2):
        target.remove_export(volume)
        assert target.list_exports() == []
        assert tgtd.daemon_of(options).client.targets() == []
    assert tgtd.inquire(tgtd.url(volume)).returncode != 0


def test_recorded_credentials_win(target: Target, options: Options) -> None:
    volume, path = exported(target, options)
    changed = dataclasses.replace(volume, provider_auth="CHAP someone sixteencharacter")
    target.create_export(changed, str(path))
    assert tgtd.inquire(tgtd.url(volume)).returncode != 0
    assert tgtd.inquire(tgtd.url(changed)).returncode == 0


def test_an_account_of_the_operator(options: Options) -> None:
    options.chap_username, options.chap_password = "operator", "operatorssecret1"
    target = tgtd.target_of(options)
    (one, path), (other, _) = exported(target, options), exported(target, options)
    assert one.provider_auth == other.provider_auth == "CHAP operator operatorssecret1"
    assert tgtd.inquire(tgtd.url(one)).returncode == 0
    # Neither an end nor a mending of one takes the account from the other.
    client = tgtd.daemon_of(options).client
    client.delete_lun(next(s.tid for s in client.targets() if s.name.endswith(one.name)), 1)
    target.create_export(one, str(path))
    assert tgtd.inquire(tgtd.url(one)).returncode == 0
    # The option is gone, the exports with the account are still there.
    options.chap_username = options.chap_password = ""
    tgtd.target_of(options).remove_export(one)
    assert tgtd.inquire(tgtd.url(other)).returncode == 0
    assert tgtd.inquire(tgtd.url(other, "")).returncode != 0
    renamed = dataclasses.replace(other, provider_auth=None)
    again = tgtd.target_of(options).create_export(renamed, str(path))
    assert again is not None
    assert again["provider_auth"] == other.provider_auth


def test_connection_info(target: Target, options: Options) -> None:
    volume, _ = exported(target, options)
    info = target.initialize_connection(volume, CONNECTOR)
    assert info["driver_volume_type"] == "iscsi"
    data = info["data"]
    assert data["target_portal"] == f"127.0.0.1:{options.target_port}"
    assert data["target_iqn"] == f"iqn.2010-10.org.openstack:{volume.name}"
    assert (data["target_lun"], data["target_discovered"]) == (1, False)
    assert (data["volume_id"], data["auth_method"]) == (volume.id, "CHAP")
    assert "target_portals" not in data
    several = target.initialize_connection(volume, {**CONNECTOR, "multipath": True})["data"]
    assert several["target_portals"] == [data["target_portal"]]
    assert several["target_luns"] == [1]
    with pytest.raises(InvalidConnector):
        target.initialize_connection(volume, {"host": "one"})
    assert target.terminate_connection(volume, CONNECTOR, others=[CONNECTOR]) is True
    assert target.terminate_connection(volume, CONNECTOR) is False


def test_all_portals_listen_and_are_told(options: Options) -> None:
    options.target_secondary_ip_addresses = ["127.0.0.2"]
    target = tgtd.target_of(options)
    volume, _ = exported(target, options)
    portals = [f"127.0.0.1:{options.target_port}", f"127.0.0.2:{options.target_port}"]
    assert sorted(tgtd.daemon_of(options).client.portals()) == portals
    data = target.initialize_connection(volume, CONNECTOR)["data"]
    assert data["target_portal"] == portals[0]
    assert data["target_portals"] == portals
    assert data["target_iqns"] == [data["target_iqn"]] * 2
    assert data["target_luns"] == [1, 1]
    for portal in portals:
        assert tgtd.inquire(tgtd.url(volume).replace(";".join(portals), portal)).returncode == 0


def test_a_running_daemon_listens_on_what_is_added(options: Options) -> None:
    volume, _ = exported(tgtd.target_of(options), options)
    pid = tgtd.daemon_of(options).pid()
    options.target_secondary_ip_addresses = ["127.0.0.2"]
    for _ in range(2):
        tgtd.target_of(options)
    assert tgtd.daemon_of(options).pid() == pid
    address = tgtd.url(volume).replace("127.0.0.1", "127.0.0.2")
    assert tgtd.inquire(address).returncode == 0
    with socket.socket() as other:
        other.bind(("127.0.0.3", options.target_port))
        other.listen()
        options.target_secondary_ip_addresses = ["127.0.0.3"]
        with pytest.raises(TargetUnavailable, match=r"127\.0\.0\.3"):
            tgtd.target_of(options)
    assert tgtd.inquire(address).returncode == 0


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [({"target_port": 3333}, "3260"), ({"target_ip_address": "::1"}, "IPv4")],
)
def test_where_iser_cannot_be(options: Options, changes: dict[str, Any], remedy: str) -> None:
    wrong = dataclasses.replace(
        options, **{"target_protocol": "iser", "target_port": 3260, **changes}
    )
    target = create_target(wrong)
    assert target.storage_protocol == "iSER"
    with pytest.raises(TargetError, match=remedy):
        target.check_for_setup_error()
    assert tgtd.daemon_of(options).pid() is None


def without_rdma() -> bool:
    devices = Path("/sys/class/infiniband")
    return not devices.is_dir() or not any(devices.iterdir())


@pytest.mark.skipif(not without_rdma(), reason="asks what happens without an RDMA device")
def test_iser_without_an_rdma_device(options: Options) -> None:
    volume, _ = exported(tgtd.target_of(options), options)
    iser = dataclasses.replace(
        options, target_protocol="iser", target_port=3260, target_ip_address="127.0.0.77"
    )
    with pytest.raises(TargetUnavailable, match="no RDMA device"):
        tgtd.target_of(iser)
    # A daemon that has exports goes on; an idle one gives way to one that may find the device.
    assert tgtd.inquire(tgtd.url(volume)).returncode == 0
    tgtd.target_of(options).remove_export(volume)
    with pytest.raises(TargetUnavailable, match="modprobe rdma_ucm"):
        tgtd.target_of(iser)
    eventually(lambda: tgtd.daemon_of(options).pid() is None, "its end")


def test_an_export_keeps_its_protocol(target: Target, options: Options) -> None:
    volume, path = exported(target, options)
    iser = create_target(dataclasses.replace(options, target_protocol="iser"))
    assert iser.create_export(volume, str(path)) == {
        "provider_location": volume.provider_location,
        "provider_auth": volume.provider_auth,
    }
    assert tgtd.inquire(tgtd.url(volume)).returncode == 0
    assert iser.initialize_connection(volume, CONNECTOR)["driver_volume_type"] == "iscsi"


def test_records_of_iser_exports(tmp_path: Path) -> None:
    export = tgt_export.Export(
        name="volume-x",
        iqn="iqn.x:volume-x",
        path="/x",
        user="u",
        secret="s",
        driver="iser",
        initiators=("iqn.1994-05.com.example:one", "iqn.1994-05.com.example:two"),
    )
    tgt_export.write(tmp_path, export)
    assert tgt_export.read(tmp_path, "volume-x") == export
    text = (tmp_path / "volume-x").read_text()
    assert "    driver iser\n" in text
    assert "    initiator-name iqn.1994-05.com.example:two\n" in text


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("iqn.1994-05.com.example:one", True),
        ("eui.02004567A425678D", True),
        ("naa.52004567BA64678D", True),
        ("ALL", False),
        ("10.0.0.1", False),
        ("iqn.a,initiator-address=ALL", False),
        ("iqn.a\n", False),
        ("iqn." + "x" * 220, False),
    ],
)
def test_names_of_initiators(name: str, is_one: bool) -> None:
    assert is_initiator_name(name) is is_one


def test_requests_are_counted(target: Target, options: Options) -> None:
    volume, _ = exported(target, options)
    client = tgtd.daemon_of(options).client
    (tid,) = client.target_names()
    assert client.requests(tid) == {}
    writer = Writer(tgtd.url(volume), blocks=16)
    writer.wait_for(20)
    begun, done = client.requests(tid)[(tgt_export.LUN, 1)]
    assert begun >= done >= 20
    writer.stop()


def test_removal_while_an_initiator_writes(target: Target, options: Options) -> None:
    volume, _ = exported(target, options)
    writer = Writer(tgtd.url(volume), blocks=64, depth=8)
    writer.wait_for(50)
    pid = tgtd.daemon_of(options).pid()
    target.remove_export(volume)
    assert tgtd.daemon_of(options).client.target_names() == {}
    assert tgtd.daemon_of(options).pid() == pid, "tgtd must survive it"
    # Offered again: the same initiator finds its way back by itself and goes on.
    path = Path(options.state_path) / f"{volume.name}.img"
    target.create_export(volume, str(path))
    writer.wait_for(50)
    assert writer.stop() == tgtd.blocks_of(path, 64)


def test_growth_under_load_loses_nothing(target: Target, options: Options) -> None:
    volume, path = exported(target, options)
    writer = Writer(tgtd.url(volume), blocks=512, depth=8)
    for size in (2, 3, 4):
        writer.wait_for(200)
        os.truncate(path, size * GIB)
        target.extend_target(volume, str(path))
    writer.wait_for(200)
    state = writer.stop()
    assert tgtd.blocks_of(path, 512) == state
    address = tgtd.url(volume)
    assert "4 GiB" in tgtd.qemu_io(address, "length")
    tgtd.qemu_io(address, f"write -q -P 7 {4 * GIB - MIB} {MIB}")
    last = bytearray(BLOCK)
    with path.open("rb") as file:
        file.seek(4 * GIB - BLOCK)
        last[:] = file.read()
    assert last == b"\x07" * BLOCK
    # What the initiator reads is what the file holds.
    wanted = [f"read -P {byte} {n * BLOCK} {BLOCK}" for n, byte in enumerate(state[:64])]
    assert "verification failed" not in tgtd.qemu_io(address, *wanted)


def test_nobody_has_the_file_open_in_a_pause(target: Target, options: Options) -> None:
    volume, path = exported(target, options)
    writer = Writer(tgtd.url(volume), blocks=64)
    writer.wait_for(20)
    pid = tgtd.daemon_of(options).pid()
    with target.paused(volume.name, str(path)):
        open_files = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        assert str(path) not in open_files
        image = tgtd.blocks_of(path, 64)
        time.sleep(0.5)
        assert tgtd.blocks_of(path, 64) == image
        assert image in (
            writer.state_after(writer.acknowledged),
            writer.state_after(len(writer.log)),
        )
    writer.wait_for(20)
    writer.stop()


def test_a_worker_killed_within_a_pause(target: Target, options: Options) -> None:
    """The child pauses and is killed; the next look at the exports lets the consumers go on."""
    volume, path = exported(target, options)
    writer = Writer(tgtd.url(volume), blocks=64)
    writer.wait_for(20)
    child = os.fork()
    if child == 0:
        with target.paused(volume.name, str(path)):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert not tgtd.daemon_of(options).client.targets()[0].ready
    fresh = tgtd.target_of(options)
    assert fresh.restore() == 1
    writer.wait_for(20)
    assert writer.stop() == tgtd.blocks_of(path, 64)


def test_peers_that_died_before_they_asked_are_shaken_off(target: Target, options: Options) -> None:
    """tgtd would keep their descriptors, and spin on them, for good."""
    volume, _ = exported(target, options)
    daemon = tgtd.daemon_of(options)
    descriptors = Path(f"/proc/{daemon.pid()}/fd")
    # An initiator's session leaves behind what makes tgtd overlook the end of the others.
    writer = Writer(tgtd.url(volume), blocks=16)
    writer.wait_for(20)
    writer.stop()
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(daemon.client.socket_path)
    # Answered after those before it were looked at.
    daemon.client.ping()
    assert len(list(descriptors.iterdir())) > before

    tgtd.target_of(options).restore()

    eventually(lambda: len(list(descriptors.iterdir())) <= before, "their end")
    (name,) = daemon.client.target_names().values()
    assert name.endswith(volume.name)


def test_exports_come_back_with_the_daemon(target: Target, options: Options) -> None:
    volume, path = exported(target, options)
    exported(target, options)
    target.restore()
    writer = Writer(tgtd.url(volume), blocks=64)
    writer.wait_for(20)
    assert target.restore() == 0
    assert target.ensure_export(volume, str(path)) == {
        "provider_location": volume.provider_location,
        "provider_auth": volume.provider_auth,
    }
    daemon = tgtd.daemon_of(options)
    pid = daemon.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert target.restore() == 2
    assert daemon.pid() not in (None, pid)
    writer.wait_for(20)
    assert writer.stop() == tgtd.blocks_of(path, 64)


def test_a_dead_daemon_is_brought_back_by_the_next_export(target: Target, options: Options) -> None:
    first, _ = exported(target, options)
    tgtd.daemon_of(options).stop()
    second, _ = exported(target, options)
    assert tgtd.inquire(tgtd.url(first)).returncode == 0
    assert tgtd.inquire(tgtd.url(second)).returncode == 0


def test_the_daemon_outlives_its_starter_and_is_found_again(options: Options) -> None:
    child = os.fork()
    if child == 0:
        tgtd.target_of(options)
        os._exit(0)
    os.waitpid(child, 0)
    daemon = tgtd.daemon_of(options)
    pid = daemon.pid()
    assert pid
    assert os.getsid(pid) == pid
    assert daemon.ensure_running() is False
    assert daemon.pid() == pid
    assert daemon.stop() is True
    assert daemon.stop() is False
    assert not Path(f"/proc/{pid}").exists() or daemon.pid() is None


def test_a_taken_port_is_named(options: Options) -> None:
    tgtd.target_of(options)
    with tgtd.options() as other:
        other.target_port = options.target_port
        with pytest.raises(TargetUnavailable, match="target_port"):
            tgtd.target_of(other)
        assert tgtd.daemon_of(other).pid() is None


def test_a_long_state_path_gets_a_short_socket(options: Options) -> None:
    options.state_path += "/" + "x" * 120
    target = tgtd.target_of(options)
    volume, _ = exported(target, options)
    assert tgtd.inquire(tgtd.url(volume)).returncode == 0
    daemon = tgtd.daemon_of(options)
    assert len(daemon.socket_path) < 100
    daemon.stop()
    assert not Path(daemon.socket_path).parent.exists()


def test_many_workers_share_a_daemon(options: Options) -> None:
    targets = [tgtd.target_of(options) for _ in range(4)]
    made: list[Volume] = []
    failures: list[BaseException] = []

    def work(target: Target) -> None:
        try:
            for _ in range(10):
                volume, _ = exported(target, options, MIB)
                made.append(volume)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(t,)) for t in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    names = tgtd.daemon_of(options).client.target_names()
    assert sorted(names.values()) == sorted(f"{options.target_prefix}{v.name}" for v in made)
    for volume in made:
        targets[0].remove_export(volume)
    assert tgtd.daemon_of(options).client.target_names() == {}
    assert list(Path(options.volumes_dir, ".locks").iterdir()) == []


def test_one_bad_target_file_does_not_keep_the_others_down(
    target: Target, options: Options
) -> None:
    volume, _ = exported(target, options)
    lost, lost_path = exported(target, options)
    lost_path.unlink()
    Path(options.volumes_dir, "volume-nonsense").write_text("nonsense\n")
    tgtd.daemon_of(options).stop()
    target.restore()
    assert tgtd.inquire(tgtd.url(volume)).returncode == 0
    assert tgtd.inquire(tgtd.url(lost)).returncode != 0
    target.remove_export(lost)


def test_two_names_of_one_target_id() -> None:
    export = tgt_export.Export(name="volume-x", iqn="iqn.x", path="/x", user="u", secret="s")
    tids = export.tids()
    assert len(set(tids)) == len(tids)
    assert all(0 < tid < 2**28 for tid in tids)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a\nb"])
def test_names_that_are_none(target: Target, options: Options, name: str) -> None:
    with pytest.raises(TargetError):
        tgt_export.read(Path(options.volumes_dir), name)
