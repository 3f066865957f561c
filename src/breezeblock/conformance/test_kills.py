"""Processes die.  A verb that was killed anywhere is done again, or given up without a trace."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from breezeblock.conformance.backend import Backend, provisioned_gb
from breezeblock.conformance.bench import Bench, broken
from breezeblock.conformance.kill_scenarios import EMPTY, SCENARIOS, Scenario
from breezeblock.conformance.killing import (
    Outcome,
    Verb,
    VerbFailed,
    interrupted,
    interrupted_after,
)
from breezeblock.conformance.support import require
from breezeblock.conformance.volume_data import VolumeData
from breezeblock.drivers.interface import VolumeDriver

#: How often a verb without any moment is killed at random.
_RANDOM_KILLS = 4

Killing = Callable[[Verb], Outcome]


@dataclass(frozen=True)
class Stage:
    """Where one verb is played again and again, killed somewhere else each time."""

    backend: Backend
    driver: VolumeDriver
    data: VolumeData
    kind: type[Scenario]
    points: int
    rehearsed: dict[type[Scenario], Outcome]

    @contextmanager
    def opened(self) -> Iterator[Scenario]:
        """The verb's scenario, prepared; what it made is deleted at the end."""
        bench = Bench(self.backend, self.driver)
        scenario = self.kind(bench, self.data)
        try:
            scenario.prepare()
            yield scenario
        except BaseException:
            _clear_quietly(bench)
            raise
        bench.clear()

    def killings(self) -> Iterator[Killing]:
        """All ways to kill the verb, after a rehearsal that counts its moments."""
        whole = self.rehearsed.get(self.kind) or self._rehearsal()
        self.rehearsed[self.kind] = whole
        if not whole.moments:
            for _ in range(_RANDOM_KILLS):
                instant = random.uniform(0, whole.seconds)  # noqa: S311 - no secret
                yield partial(interrupted_after, self.backend, seconds=instant)
        for moment in spread(whole.moments, self.points):
            yield partial(interrupted, self.backend, moment=moment)

    def _rehearsal(self) -> Outcome:
        """The verb in a process that lives."""
        with self.opened() as scenario:
            whole = self.killed(scenario, partial(interrupted, self.backend, moment=0))
            scenario.bench.driver = self.backend.started()
            with _told("in another process, without a kill"):
                scenario.expect_done()
                scenario.expect_intact()
        return whole

    def killed(self, scenario: Scenario, kill: Killing) -> Outcome:
        """Play the verb in a process that dies."""
        __tracebackhide__ = True
        try:
            return kill(scenario.act)
        except VerbFailed as failure:
            broken(f"{self.kind.__doc__} works in a fresh process", str(failure))


@pytest.fixture(scope="session")
def rehearsed() -> dict[type[Scenario], Outcome]:
    """The verbs that have been rehearsed."""
    return {}


@pytest.fixture(params=SCENARIOS, ids=lambda kind: kind.__name__)
def stage(
    request: pytest.FixtureRequest,
    backend: Backend,
    driver: VolumeDriver,
    data: VolumeData,
    rehearsed: dict[type[Scenario], Outcome],
) -> Stage:
    """The stage of each verb in turn."""
    require(driver, *request.param.NEEDS)
    points = request.config.getoption("--breezeblock-kill-points")
    return Stage(backend, driver, data, request.param, points, rehearsed)


def test_killed_and_done_again(stage: Stage) -> None:
    """The worker that takes the operation over calls the verb again."""
    for kill in stage.killings():
        with stage.opened() as scenario:
            outcome = stage.killed(scenario, kill)
            with _told(f"after a kill {outcome.at}"):
                scenario.bench.driver = stage.backend.started([scenario.subject.name])
                scenario.expect_intact()
                _done_again(scenario)
                scenario.expect_done()
                scenario.expect_intact()


def test_killed_and_given_up(stage: Stage) -> None:
    """The operation is undone: what it was about is deleted, and nothing of it remains."""
    for kill in stage.killings():
        with stage.opened() as scenario:
            outcome = stage.killed(scenario, kill)
            with _told(f"after a kill {outcome.at}"):
                scenario.bench.driver = stage.backend.started()
                scenario.expect_intact()
                _given_up(scenario)
                _expect_no_stale_bytes(scenario)


def test_killed_and_left_no_weight(stage: Stage) -> None:
    """Half-made objects that nobody can see would fill the backend in time."""
    before = provisioned_gb(stage.driver)
    if before is None:
        pytest.skip("the backend does not tell provisioned_capacity_gb")
    kills = list(stage.killings())
    # One near the end has made the most.
    with stage.opened() as scenario:
        outcome = stage.killed(scenario, kills[max(0, len(kills) - 2)])
        scenario.bench.driver = stage.backend.started()
    after = provisioned_gb(stage.backend.started())
    if after is None or abs(after - before) > 0.01:
        broken(
            "what an interrupted call left behind is removed",
            f"after a kill {outcome.at} and deleting all, {before} GiB provisioned became {after}",
        )


def _done_again(scenario: Scenario) -> None:
    __tracebackhide__ = True
    try:
        scenario.do()
    except Exception as failure:
        broken(f"{type(scenario).__doc__} can be called again after a crash", repr(failure))


def _given_up(scenario: Scenario) -> None:
    __tracebackhide__ = True
    subject = scenario.subject
    try:
        scenario.abandon()
        scenario.abandon()
    except Exception as failure:
        broken(f"what {type(scenario).__doc__} left half-made can be deleted", repr(failure))
    scenario.bench.expect_gone(subject, "what was given up and deleted is gone")


def _expect_no_stale_bytes(scenario: Scenario) -> None:
    __tracebackhide__ = True
    probe = scenario.bench.created()
    scenario.expect(probe, EMPTY, "a new volume shows nothing of one that was given up")


@contextmanager
def _told(when: str) -> Iterator[None]:
    """Add to a failure when it happened."""
    __tracebackhide__ = True
    try:
        yield
    except pytest.fail.Exception as failure:
        pytest.fail(f"{failure.msg}\n{when}")


def _clear_quietly(bench: Bench) -> None:
    """Clean up after a failure, which is what shall be shown."""
    try:
        bench.driver = bench.backend.started()
        bench.clear()
    except (Exception, pytest.fail.Exception):
        return


def spread(moments: int, points: int) -> list[int]:
    """All of 1 to ``moments``, or ``points`` of them evenly from the first to the last."""
    if not 0 < points < moments:
        return list(range(1, moments + 1))
    if points == 1:
        return [moments]
    return sorted({1 + round(i * (moments - 1) / (points - 1)) for i in range(points)})
