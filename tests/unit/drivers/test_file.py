"""The file driver on real files, and in use over real iSCSI."""

from __future__ import annotations

import dataclasses
import os
import resource
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import tgtd
from tests.tgtd import GIB, MIB, Options, Writer

from breezeblock.domain.resources import Volume
from breezeblock.drivers import extents, progress
from breezeblock.drivers.errors import (
    BackendMisconfigured,
    VolumeBackendError,
    VolumeIsBusy,
    VolumeIsMissing,
)
from breezeblock.drivers.file import FileDriver
from breezeblock.drivers.interface import ExtendInUse, ListsOwnObjects, RevertToSnapshot

CONNECTOR = {"initiator": "iqn.1994-05.com.example:one"}


@pytest.fixture
def options() -> Iterator[Options]:
    with tgtd.options() as made:
        yield made


@pytest.fixture
def driver(options: Options) -> FileDriver:
    """Without exports."""
    options.target_helper = "fake"
    return started(options)


def started(options: Options) -> FileDriver:
    driver = FileDriver(configuration=options, host="here@files")
    driver.do_setup(None)
    driver.check_for_setup_error()
    driver.recover()
    driver.set_initialized()
    return driver


def path(driver: FileDriver, volume: Volume) -> Path:
    return Path(driver.local_path(volume))


def write(driver: FileDriver, volume: Volume, data: bytes, offset: int = 0) -> None:
    with path(driver, volume).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def read(file: Path, length: int, offset: int = 0) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(length)


def attached(driver: FileDriver, volume: Volume) -> Volume:
    model = driver.create_export(None, volume, CONNECTOR)
    assert model
    return dataclasses.replace(volume, **model)  # type: ignore[arg-type]


def test_abilities(driver: FileDriver) -> None:
    assert isinstance(driver, RevertToSnapshot)
    assert isinstance(driver, ExtendInUse)
    assert isinstance(driver, ListsOwnObjects)


def test_create_and_delete(driver: FileDriver, options: Options) -> None:
    volume = tgtd.volume(3)
    for _ in range(2):
        driver.create_volume(volume)
        found = path(driver, volume).stat()
        assert found.st_size == 3 * GIB
        assert found.st_blocks == 0
        assert stat.S_IMODE(found.st_mode) == 0o600
    assert driver.list_volume_names() == {volume.name}
    for directory in Path(options.file_volumes_directory).iterdir():
        if directory.is_dir():
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for _ in range(2):
        driver.delete_volume(volume)
        assert driver.list_volume_names() == set()


def test_a_second_creation_keeps_the_data(driver: FileDriver) -> None:
    volume = tgtd.volume()
    driver.create_volume(volume)
    write(driver, volume, b"mine")
    driver.create_volume(volume)
    assert read(path(driver, volume), 4) == b"mine"


def test_snapshot_clone_revert(driver: FileDriver) -> None:
    volume = tgtd.volume()
    driver.create_volume(volume)
    write(driver, volume, b"old" * 1000, 5 * MIB)
    snapshot = tgtd.snapshot_of(volume)
    driver.create_snapshot(snapshot)
    write(driver, volume, b"new" * 1000, 5 * MIB)
    driver.create_snapshot(snapshot)
    assert driver.list_snapshot_names() == {snapshot.name}

    larger = tgtd.volume(2)
    driver.create_volume_from_snapshot(larger, snapshot)
    assert path(driver, larger).stat().st_size == 2 * GIB
    assert read(path(driver, larger), 3000, 5 * MIB) == b"old" * 1000
    assert path(driver, larger).stat().st_blocks < 100

    clone = tgtd.volume()
    driver.create_cloned_volume(clone, volume)
    assert read(path(driver, clone), 3000, 5 * MIB) == b"new" * 1000

    driver.extend_volume(volume, 2)
    grown = dataclasses.replace(volume, size=2)
    for _ in range(2):
        driver.revert_to_snapshot(None, grown, snapshot)
        assert path(driver, volume).stat().st_size == 2 * GIB
        assert read(path(driver, volume), 3000, 5 * MIB) == b"old" * 1000
    driver.delete_snapshot(snapshot)
    driver.delete_snapshot(snapshot)
    assert driver.list_snapshot_names() == set()
    assert read(path(driver, larger), 3000, 5 * MIB) == b"old" * 1000


def test_growth_never_shrinks(driver: FileDriver) -> None:
    volume = tgtd.volume()
    driver.create_volume(volume)
    driver.extend_volume(volume, 4)
    driver.extend_volume(volume, 4)
    driver.extend_volume(volume, 2)
    assert path(driver, volume).stat().st_size == 4 * GIB


def test_missing_sources_are_named(driver: FileDriver) -> None:
    volume, other = tgtd.volume(), tgtd.volume()
    snapshot = tgtd.snapshot_of(volume)
    with pytest.raises(VolumeIsMissing, match=volume.name):
        driver.create_snapshot(snapshot)
    with pytest.raises(VolumeIsMissing, match=snapshot.name):
        driver.create_volume_from_snapshot(other, snapshot)
    with pytest.raises(VolumeIsMissing):
        driver.create_export(None, volume, CONNECTOR)
    assert driver.list_volume_names() == set()


@pytest.mark.parametrize("name_id", ["../../etc/passwd", "x/y", "x\0y", "x\ny"])
def test_names_stay_inside(driver: FileDriver, name_id: str) -> None:
    volume = dataclasses.replace(tgtd.volume(), id=name_id)
    with pytest.raises(VolumeBackendError):
        driver.create_volume(volume)
    with pytest.raises(VolumeBackendError):
        driver.delete_volume(volume)


def test_removed_data_is_gone_for_who_has_it_open(driver: FileDriver, options: Options) -> None:
    for clear, size, expected in (("zero", 0, b""), ("zero", 1, b"\0"), ("none", 0, b"s")):
        options.volume_clear, options.volume_clear_size = clear, size
        volume = tgtd.volume()
        driver.create_volume(volume)
        write(driver, volume, b"secret")
        with path(driver, volume).open("rb") as still_open:
            driver.delete_volume(volume)
            assert still_open.read(1) == expected


def test_stats(driver: FileDriver) -> None:
    empty = driver.get_volume_stats(refresh=True)["pools"][0]
    assert empty["provisioned_capacity_gb"] == 0
    assert empty["total_capacity_gb"] > empty["free_capacity_gb"] > 0
    volume = tgtd.volume(5)
    driver.create_volume(volume)
    assert driver.get_volume_stats()["pools"][0]["provisioned_capacity_gb"] == 0
    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    assert (pool["provisioned_capacity_gb"], pool["total_volumes"]) == (5, 1)
    driver.extend_volume(volume, 7)
    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    assert pool["provisioned_capacity_gb"] == 7
    assert pool["pool_name"] == driver.get_pool(volume) == "files"
    assert pool["thin_provisioning_support"] is pool["multiattach"] is True
    assert driver.init_capabilities()["properties"]["qos"]["type"] == "boolean"


def test_another_layout_is_refused(options: Options) -> None:
    directory = Path(options.file_volumes_directory)
    directory.mkdir()
    (directory / "layout.json").write_text('{"version": 1, "format": "qcow2"}')
    with pytest.raises(BackendMisconfigured, match="qcow2"):
        started(options)


def test_what_the_file_system_refuses_is_told_in_words(driver: FileDriver) -> None:
    volume = tgtd.volume(2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (GIB, hard))
    try:
        with pytest.raises(VolumeBackendError, match="file system"):
            driver.create_volume(volume)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert driver.list_volume_names() == set()


class Interrupted(Exception):
    pass


class Meter:
    """Counts what is reported; stops the work at the given checkpoint."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.reports: list[tuple[int, int]] = []
        self.checkpoints = 0
        self._stop_at = stop_at

    def report(self, bytes_done: int, bytes_total: int) -> None:
        self.reports.append((bytes_done, bytes_total))

    def checkpoint(self) -> None:
        self.checkpoints += 1
        if self.checkpoints >= self._stop_at:
            raise Interrupted


def test_a_lost_lease_stops_a_copy_and_the_next_worker_resumes(
    driver: FileDriver, options: Options
) -> None:
    volume = tgtd.volume()
    driver.create_volume(volume)
    for part in range(4):
        write(driver, volume, bytes([part + 1]) * (100 * MIB), part * 200 * MIB)
    time.sleep(0.2)
    snapshot = tgtd.snapshot_of(volume)
    partial = Path(options.file_volumes_directory, "partial")
    with progress.using(Meter(stop_at=5)), pytest.raises(Interrupted):
        driver.create_snapshot(snapshot)
    assert driver.list_snapshot_names() == set()
    # What a worker that was killed at a checkpoint leaves, with rubbish behind it.
    left = os.open(partial / snapshot.name, os.O_RDWR)
    extents.Checkpoint(
        source=volume.name,
        inode=path(driver, volume).stat().st_ino,
        size=GIB,
        offset=264 * MIB,
    ).save(partial / f"{snapshot.name}.checkpoint")
    os.pwrite(left, b"rubbish", 300 * MIB)
    os.pwrite(left, b"rubbish", 900 * MIB)
    os.close(left)
    fresh = started_with(options, {snapshot.name})
    meter = Meter()
    with progress.using(meter):
        fresh.create_snapshot(snapshot)
    assert meter.reports[0][0] == 164 * MIB
    assert meter.reports[-1] == (400 * MIB, 400 * MIB)
    final = Path(options.file_volumes_directory, "snapshots", snapshot.name)
    assert same(path(driver, volume), final)
    assert list(partial.iterdir()) == []


def started_with(options: Options, unfinished: set[str]) -> FileDriver:
    driver = FileDriver(configuration=options, host="here@files")
    driver.recover(unfinished)
    return driver


def same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            a, b = first.read(MIB), second.read(MIB)
            if a != b:
                return False
            if not a:
                return True


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_a_worker_killed_while_it_copies(
    driver: FileDriver, options: Options, moment: float
) -> None:
    volume = tgtd.volume()
    driver.create_volume(volume)
    write(driver, volume, os.urandom(MIB) * 150, 100 * MIB)
    snapshot = tgtd.snapshot_of(volume)
    child = os.fork()
    if child == 0:
        driver.create_snapshot(snapshot)
        os._exit(0)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    fresh = started_with(options, {snapshot.name})
    fresh.create_snapshot(snapshot)
    final = Path(options.file_volumes_directory, "snapshots", snapshot.name)
    assert same(path(driver, volume), final)
    assert list(Path(options.file_volumes_directory, "partial").iterdir()) == []


def test_leftovers_nobody_finishes_are_removed(driver: FileDriver, options: Options) -> None:
    partial = Path(options.file_volumes_directory, "partial")
    gone, going_on = tgtd.volume(), tgtd.volume()
    for name in (gone.name, going_on.name):
        for suffix in ("", ".checkpoint", ".new"):
            (partial / f"{name}{suffix}").touch()
        (partial / f".{name}.checkpoint.new").touch()
    driver.recover({going_on.name})
    left = {entry.name.lstrip(".").partition(".")[0] for entry in partial.iterdir()}
    assert left == {going_on.name}


def test_snapshots_and_clones_of_a_volume_in_use(options: Options) -> None:
    """Every copy is the volume at one instant; the initiator never sees an error."""
    driver = started(options)
    volume = tgtd.volume()
    driver.create_volume(volume)
    volume = attached(driver, volume)
    writer = Writer(tgtd.url(volume), blocks=512)
    copies: list[tuple[Path, int, int]] = []
    for number in range(3):
        writer.wait_for(300)
        begun = writer.acknowledged
        if number % 2:
            clone = tgtd.volume()
            driver.create_cloned_volume(clone, volume)
            copy = path(driver, clone)
        else:
            snapshot = tgtd.snapshot_of(volume)
            driver.create_snapshot(snapshot)
            copy = Path(options.file_volumes_directory, "snapshots", snapshot.name)
        copies.append((copy, begun, len(writer.log)))
    writer.wait_for(100)
    state = writer.stop()
    assert tgtd.blocks_of(path(driver, volume), 512) == state
    for copy, begun, ended in copies:
        image = tgtd.blocks_of(copy, 512)
        assert any(writer.state_after(n) == image for n in range(begun, ended + 1))


def test_a_copy_that_would_hold_consumers_too_long_is_refused(options: Options) -> None:
    options.file_snapshot_pause_limit = 0
    driver = started(options)
    volume = tgtd.volume()
    driver.create_volume(volume)
    volume = attached(driver, volume)
    writer = Writer(tgtd.url(volume), blocks=64)
    writer.wait_for(20)
    with pytest.raises(VolumeIsBusy, match="XFS"):
        driver.create_snapshot(tgtd.snapshot_of(volume))
    assert driver.list_snapshot_names() == set()
    writer.wait_for(20)
    assert writer.stop() == tgtd.blocks_of(path(driver, volume), 64)


def test_growth_of_a_volume_in_use(options: Options) -> None:
    driver = started(options)
    volume = tgtd.volume()
    driver.create_volume(volume)
    volume = attached(driver, volume)
    writer = Writer(tgtd.url(volume), blocks=64, depth=4)
    writer.wait_for(50)
    driver.extend_volume(volume, 2)
    writer.wait_for(50)
    assert writer.stop() == tgtd.blocks_of(path(driver, volume), 64)
    assert "2 GiB" in tgtd.qemu_io(tgtd.url(volume), "length")
    driver.remove_export(None, volume)
    driver.delete_volume(volume)


def test_an_idle_volume_in_use_is_copied_without_a_pause(options: Options) -> None:
    driver = started(options)
    volume = tgtd.volume()
    driver.create_volume(volume)
    volume = attached(driver, volume)
    tgtd.qemu_io(tgtd.url(volume), f"write -q -P 9 0 {MIB}")
    options.file_snapshot_pause_limit = 0
    time.sleep(0.2)
    snapshot = tgtd.snapshot_of(volume)
    driver.create_snapshot(snapshot)
    copy = Path(options.file_volumes_directory, "snapshots", snapshot.name)
    assert same(copy, path(driver, volume))
