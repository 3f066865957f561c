"""Workers are stopped or killed before every call that changes anything; nothing is left behind.

The conformance kit does it with single volumes, this with chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.ceph.drivers.scenarios import SCENARIOS, Scenario
from tests.ceph.drivers.workbench import HOST, Interrupted, StopAt, Workbench
from tests.ceph.forgetful import forgetful
from tests.ceph_lab.cluster import Cluster

from breezeblock.config.settings import load
from breezeblock.conformance.backend import Backend
from breezeblock.conformance.killing import interrupted
from breezeblock.drivers import progress
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.drivers.rbd import RBDDriver

#: No verb has more moments.
_MANY = 60

End = Callable[[Scenario, RBDDriver], None]


def _done_again(scenario: Scenario, driver: RBDDriver) -> None:
    """The operation goes on: the verb is called again."""
    driver.recover([scenario.subject.name])
    scenario.act(driver)
    scenario.expect_done()
    scenario.act(driver)
    scenario.expect_done()


def _given_up(scenario: Scenario, driver: RBDDriver) -> None:
    """Nobody goes on."""
    driver.recover()


ENDS = pytest.mark.parametrize("end", [_done_again, _given_up])
KINDS = pytest.mark.parametrize("kind", SCENARIOS)


@KINDS
@ENDS
def test_stopped_anywhere(bench: Workbench, kind: type[Scenario], end: End) -> None:
    """The worker loses its lease: it hears of it, and changes nothing any more."""
    for allowed in range(_MANY):
        scenario = kind(bench, bench.driver(**kind.OPTIONS))
        scenario.prepare()
        whole = _is_whole(scenario, allowed)
        end(scenario, bench.driver(**kind.OPTIONS))
        scenario.clear()
        bench.expect_nothing_left(scenario.driver)
        if whole:
            assert allowed > 1
            return
    pytest.fail("it never ends")


def _is_whole(scenario: Scenario, allowed: int) -> bool:
    """Do the verb with a worker that may act so many times; whether that was enough."""
    try:
        with progress.using(StopAt(allowed)):
            scenario.act(scenario.driver)
    except Interrupted:
        return False
    scenario.expect_done()
    return True


# ---- killed ----------------------------------------------------------------------------------


@pytest.fixture
def forgetting(bench: Workbench, tmp_path: Path) -> Iterator[Path]:
    """The configuration of clients that are forgotten soon after they were killed."""
    with forgetful(bench.ceph, tmp_path) as conf:
        yield conf


@pytest.fixture
def of_processes(forgetting: Path, bench: Workbench) -> Callable[[type[Scenario]], Backend]:
    """Makes the backend of a scenario for processes that are killed."""

    def backend(kind: type[Scenario]) -> Backend:
        options = {
            "volume_driver": "rbd",
            "rbd_pool": "volumes",
            "rbd_user": "cinder",
            "rbd_ceph_conf": forgetting,
            **kind.OPTIONS,
        }
        host, _, name = HOST.partition("@")
        lines = [f"[DEFAULT]\nhost = {host}\nenabled_backends = {name}"]
        lines += [f"state_path = {bench.state_path}", f"[{name}]"]
        lines += [f"{key} = {value}" for key, value in options.items()]
        file = bench.state_path / "breezeblock.conf"
        file.write_text("\n".join(lines) + "\n")
        return Backend(load([file]), name)

    return backend


@pytest.mark.slow
@pytest.mark.timeout(600)
@KINDS
@ENDS
def test_killed_anywhere(
    bench: Workbench,
    forgetting: Path,
    of_processes: Callable[[type[Scenario]], Backend],
    kind: type[Scenario],
    end: End,
) -> None:
    """The process dies, with images open and locks held."""
    options = {**kind.OPTIONS, "rbd_ceph_conf": forgetting}
    for moment in range(1, _MANY):
        scenario = kind(bench, bench.driver(**options))
        scenario.prepare()
        killed = interrupted(of_processes(kind), _verb(scenario), moment).killed
        end(scenario, bench.driver(**options))
        scenario.clear()
        bench.expect_nothing_left(scenario.driver)
        if not killed:
            assert moment > 2
            return
    pytest.fail("it never ends")


def _verb(scenario: Scenario) -> Callable[[VolumeDriver], None]:
    def verb(driver: VolumeDriver) -> None:
        assert isinstance(driver, RBDDriver)
        scenario.act(driver)

    return verb


def test_another_hosts_work_goes_on(bench: Workbench, driver: RBDDriver, ceph: Cluster) -> None:
    """A start settles what this host has begun, and nothing of others."""
    source, clone = bench.volume(), bench.volume()
    driver.create_volume(source)
    with pytest.raises(Interrupted), progress.using(StopAt(3)):
        driver.create_cloned_volume(clone, source)
    assert bench.snapshots(source.name) == [f"{clone.name}.clone_snap"]
    other = RBDDriver(configuration=bench.options(), host="other@quick")
    other.recover()
    assert bench.snapshots(source.name) == [f"{clone.name}.clone_snap"]
    driver.recover([clone.name])
    assert bench.snapshots(source.name) == [f"{clone.name}.clone_snap"]
    driver.recover()
    assert bench.snapshots(source.name) == []
    driver.delete_volume(source)


def test_work_taken_over_by_another_host(bench: Workbench, driver: RBDDriver) -> None:
    """The first host starts again meanwhile, and leaves it alone."""
    source, clone = bench.volume(), bench.volume()
    driver.create_volume(source)
    other = RBDDriver(configuration=bench.options(), host="other@quick")
    for worker, allowed in ((driver, 1), (other, 3)):
        with pytest.raises(Interrupted), progress.using(StopAt(allowed)):
            worker.create_cloned_volume(clone, source)
    assert bench.snapshots(source.name) == [f"{clone.name}.clone_snap"]
    driver.recover()
    assert bench.snapshots(source.name) == [f"{clone.name}.clone_snap"]
    other.create_cloned_volume(clone, source)
    assert bench.parent(clone.name) == f"{source.name}@{clone.name}.clone_snap"
    driver.delete_volume(clone)
    driver.delete_volume(source)
