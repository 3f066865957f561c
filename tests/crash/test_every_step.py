"""The worker is killed at every moment of every step of every operation.

The moments come from the real tables of steps, so a step that is added is killed too.  Forward:
before the step, between its effect and its record, and after its record.  Backward: a step fails
after its effect, and the worker dies before, within and after each step that is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.application import eventually
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.site import Site
from tests.crash.worker_process import Trap

from breezeblock.flows.definitions import DEFINITIONS
from breezeblock.operations.runner import Point, points

FORWARD = (Point.BEFORE, Point.EFFECT, Point.RECORDED)
BACKWARD = (Point.UNDO_BEFORE, Point.UNDO_EFFECT, Point.UNDO_RECORDED)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def _deaths_forward() -> Iterator[pytest.ParameterSet]:
    for scenario in SCENARIOS:
        for step, point in points(DEFINITIONS[scenario.kind]):
            if point in FORWARD:
                trap = Trap(scenario.kind, step, point)
                yield pytest.param(scenario, trap, id=f"{scenario.name}-{trap}")


def _deaths_backward() -> Iterator[pytest.ParameterSet]:
    for scenario in SCENARIOS:
        steps = DEFINITIONS[scenario.kind].steps
        for reached, failing in enumerate(steps):
            for undone in steps[: reached + 1]:
                if undone.undo is None:
                    continue
                for point in BACKWARD:
                    trap = Trap(scenario.kind, undone.name, point, failing=failing.name)
                    yield pytest.param(scenario, trap, id=f"{scenario.name}-{trap}")


def _failures() -> Iterator[pytest.ParameterSet]:
    for scenario in SCENARIOS:
        for step in DEFINITIONS[scenario.kind].steps:
            # The trap's own point is never reached: the step has failed before.
            trap = Trap(scenario.kind, step.name, Point.RECORDED, failing=step.name)
            yield pytest.param(scenario, trap, id=f"{scenario.name}-{scenario.kind}-{step.name}")


def test_every_kind_has_a_scenario() -> None:
    assert {definition.kind for definition in DEFINITIONS} == {s.kind for s in SCENARIOS}


def _crash(site: Site, scenario: Scenario, trap: Trap) -> dict[str, object]:
    worker = site.start_worker(trap)
    things = scenario.prepare(site)
    site.arm()
    scenario.start(site, things)
    assert worker.ended(20), "the worker never came to the point at which it is to die"
    assert site.trap_sprang
    site.disarm()
    site.start_worker()
    site.settle()
    return things


@pytest.mark.parametrize(("scenario", "trap"), [*_deaths_forward()])
def test_death_on_the_way_forward(site: Site, scenario: Scenario, trap: Trap) -> None:
    things = _crash(site, scenario, trap)
    scenario.succeeded(site, things)
    site.check()


@pytest.mark.parametrize(("scenario", "trap"), [*_deaths_backward()])
def test_death_on_the_way_back(site: Site, scenario: Scenario, trap: Trap) -> None:
    things = _crash(site, scenario, trap)
    scenario.failed(site, things)
    site.check()


@pytest.mark.parametrize(("scenario", "trap"), [*_failures()])
def test_failure_of_every_step(site: Site, scenario: Scenario, trap: Trap) -> None:
    site.start_worker(trap)
    things = scenario.prepare(site)
    site.arm()
    scenario.start(site, things)
    eventually(lambda: site.failed_operations(trap.kind), "the operation's failure")
    site.disarm()
    site.settle()
    scenario.failed(site, things)
    site.check()
