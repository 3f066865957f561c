"""A worker killed at every command and in the middle of every copy; then it is done again."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NoReturn

import pytest
from tests.vm.drivers import lvm_lab
from tests.vm.drivers.lvm_lab import (
    GIB,
    MIB,
    Options,
    read,
    size,
    snapshot_of,
    started,
    volume,
    write,
)

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers import progress
from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.execution.command import Completed, SecretFile, run

OLD, NEW = b"old!" * 1000, b"new!" * 1000
AT = 700 * MIB


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class DyingExecute:
    """Dies at the n-th command that changes something: before it, or just after its start.

    A program that was started goes on without us.
    """

    def __init__(self, at: int, *, started: bool) -> None:
        self._left = at
        self._started = started

    def __call__(
        self,
        command: Sequence[str | SecretFile],
        *,
        timeout: float = 60.0,
        stdin: bytes | None = None,
        accept: Collection[int] = (0,),
        environment: Mapping[str, str] | None = None,
        max_output: int = 16 * MIB,
    ) -> Completed:
        if command[0] not in lvm_lab.LOOKING:
            self._left -= 1
            if self._left == 0:
                if self._started:
                    words = [str(part) for part in command]
                    subprocess.Popen(
                        words,
                        start_new_session=True,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        env={**os.environ, **(environment or {}), "LC_ALL": "C"},
                    )
                die()
        return run(command, timeout=timeout, accept=accept, environment=environment)


class DyingProgress:
    """Dies when bytes were moved and more are to come."""

    def __init__(self) -> None:
        self._moved = False

    def report(self, bytes_done: int, bytes_total: int) -> None:
        self._moved = 0 < bytes_done < bytes_total

    def checkpoint(self) -> None:
        if self._moved:
            die()


@dataclasses.dataclass
class Story:
    """One verb: what is there before, the verb, and what has to be true afterwards.

    ``name`` is the resource whose operation goes on.
    """

    name: str
    verb: Callable[[LVMVolumeDriver], object]
    check: Callable[[LVMVolumeDriver], None]


#: Each tells its story several times, in a guest that is slow.
pytestmark = pytest.mark.timeout(900)

Plot = Callable[[LVMVolumeDriver], Story]


def sources(driver: LVMVolumeDriver) -> tuple[Volume, Snapshot]:
    """A volume that differs from its snapshot."""
    one = volume()
    driver.create_volume(one)
    write(driver, one, OLD, AT)
    snapshot = snapshot_of(one)
    driver.create_snapshot(snapshot)
    write(driver, one, NEW, AT)
    return one, snapshot


def creation(driver: LVMVolumeDriver) -> Story:
    one = volume()

    def check(driver: LVMVolumeDriver) -> None:
        assert size(driver, one) == GIB
        assert lvm_lab.is_zero(driver.local_path(one))

    return Story(one.name, lambda d: d.create_volume(one), check)


def snapshot_taken(driver: LVMVolumeDriver) -> Story:
    one = volume()
    driver.create_volume(one)
    write(driver, one, OLD, AT)
    snapshot = snapshot_of(one)

    def check(driver: LVMVolumeDriver) -> None:
        assert driver.list_snapshot_names() == {snapshot.name}
        driver.vg.activate(f"_{snapshot.name}")
        assert lvm_lab.read_path(driver.vg.path(f"_{snapshot.name}"), 4000, AT) == OLD

    return Story(snapshot.name, lambda d: d.create_snapshot(snapshot), check)


def clone(driver: LVMVolumeDriver) -> Story:
    one = volume()
    driver.create_volume(one)
    write(driver, one, OLD, AT)
    copy = volume(2)

    def check(driver: LVMVolumeDriver) -> None:
        assert size(driver, copy) == 2 * GIB
        assert read(driver, copy, 4000, AT) == OLD
        assert not any(read(driver, copy, MIB, AT + MIB))
        assert not any(read(driver, copy, MIB, GIB))
        assert lvm_lab.logical_volumes(driver.vg.name) == {one.name, copy.name}

    return Story(copy.name, lambda d: d.create_cloned_volume(copy, one), check)


def from_snapshot(driver: LVMVolumeDriver) -> Story:
    one, snapshot = sources(driver)
    copy = volume()

    def check(driver: LVMVolumeDriver) -> None:
        assert read(driver, copy, 4000, AT) == OLD
        assert not any(read(driver, copy, MIB, AT + MIB))
        assert read(driver, one, 4000, AT) == NEW

    return Story(copy.name, lambda d: d.create_volume_from_snapshot(copy, snapshot), check)


def extension(driver: LVMVolumeDriver) -> Story:
    one, _ = sources(driver)

    def check(driver: LVMVolumeDriver) -> None:
        assert size(driver, one) == 2 * GIB
        assert read(driver, one, 4000, AT) == NEW
        assert not any(read(driver, one, MIB, GIB))
        assert not any(read(driver, one, MIB, 2 * GIB - MIB))

    return Story(one.name, lambda d: d.extend_volume(one, 2), check)


def revert(driver: LVMVolumeDriver) -> Story:
    one, snapshot = sources(driver)

    def check(driver: LVMVolumeDriver) -> None:
        assert read(driver, one, 4000, AT) == OLD
        assert driver.list_snapshot_names() == {snapshot.name}
        assert driver.list_volume_names() == {one.name}
        assert lvm_lab.logical_volumes(driver.vg.name) == {one.name, f"_{snapshot.name}"}
        write(driver, one, NEW, AT)
        driver.vg.activate(f"_{snapshot.name}")
        assert lvm_lab.read_path(driver.vg.path(f"_{snapshot.name}"), 4000, AT) == OLD

    return Story(one.name, lambda d: d.revert_to_snapshot(None, one, snapshot), check)


def deletion(driver: LVMVolumeDriver) -> Story:
    one = volume()
    driver.create_volume(one)

    def check(driver: LVMVolumeDriver) -> None:
        assert lvm_lab.logical_volumes(driver.vg.name) == set()

    return Story(one.name, lambda d: d.delete_volume(one), check)


def dies(options: Options, story: Story, execute: DyingExecute, *, in_bytes: bool) -> bool:
    """Whether a worker of its own that does the verb is killed by itself."""
    child = os.fork()
    if child == 0:
        try:
            driver = LVMVolumeDriver(execute, configuration=options, host="here@lvm")
            driver._thin = options.lvm_type == "thin"
            listener = DyingProgress() if in_bytes else progress.NoProgress()
            with progress.using(listener):
                story.verb(driver)
            os._exit(0)
        except BaseException as failure:
            os.write(2, f"{failure!r}\n".encode())
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def settled(driver: LVMVolumeDriver, story: Story) -> None:
    """Nothing is left of the accident, in LVM, in the kernel and in the journal."""
    story.check(driver)
    assert driver._site.journal.entries() == []
    known = lvm_lab.logical_volumes(driver.vg.name)
    prefix = f"{driver.vg.name.replace('-', '--')}-"
    columns = ["-c", "--noheadings", "-o", "name,suspended"]
    for line in run(["dmsetup", "info", *columns]).text.splitlines():
        name, _, suspended = line.strip().partition(":")
        if name.startswith(prefix) and "pool" not in name:
            lv = name.removeprefix(prefix).replace("--", "\0").partition("-")[0]
            assert lv.replace("\0", "-") in known
            assert suspended == "Active"


def empty(group: str) -> None:
    found = lvm_lab.logical_volumes(group)
    if found:
        run(["lvremove", "-y", *(f"{group}/{name}" for name in found)])


def tell(options: Options, plot: Plot, *, in_bytes: bool) -> int:
    """Kill at every point; return at how many."""
    driver = started(options)
    for number in range(1, 20):
        story = plot(driver)
        # Every other time the operation was given up: what is left of it is cleared first.
        unfinished = (story.name,) if number % 2 else ()
        # Once before the first command; then each is begun and goes on by itself.
        execute = DyingExecute(max(1, number - 1), started=number > 1)
        if in_bytes:
            execute = DyingExecute(1000, started=False)
        died = dies(options, story, execute, in_bytes=in_bytes)
        again = LVMVolumeDriver(run, configuration=options, host="here@lvm")
        again._thin = options.lvm_type == "thin"
        if died:
            again.recover(unfinished)
        story.verb(again)
        settled(again, story)
        empty(options.volume_group)
        if in_bytes:
            assert died
            return 1
        if not died:
            return number - 1
    raise AssertionError("it never gets through")


@pytest.fixture
def thin(volume_group: str) -> Iterator[Options]:
    with lvm_lab.options(volume_group, lvm_type="thin") as made:
        yield made
        lvm_lab.clean(volume_group)


@pytest.fixture
def thick(volume_group: str) -> Iterator[Options]:
    with lvm_lab.options(volume_group, lvm_type="default", volume_clear_size=64) as made:
        lvm_lab.soil(volume_group)
        yield made
        lvm_lab.clean(volume_group)


@pytest.mark.parametrize(
    ("plot", "points"),
    [
        (creation, 2),
        (clone, 3),
        (revert, 5),
        (deletion, 2),
    ],
)
def test_thin(thin: Options, plot: Plot, points: int) -> None:
    assert tell(thin, plot, in_bytes=False) == points


@pytest.mark.parametrize(
    ("plot", "points"),
    [
        (creation, 2),
        (snapshot_taken, 2),
        (clone, 4),
        (extension, 4),
        (revert, 5),
        (deletion, 2),
    ],
)
def test_thick(thick: Options, plot: Plot, points: int) -> None:
    assert tell(thick, plot, in_bytes=False) == points


@pytest.mark.parametrize("plot", [creation, clone, from_snapshot, extension])
def test_thick_bytes(thick: Options, plot: Plot) -> None:
    tell(thick, plot, in_bytes=True)
