"""The state machines: every table is closed, and nothing in it is a dead end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import breezeblock
from breezeblock.domain.attachment_states import ATTACHMENT
from breezeblock.domain.resources import Attachment
from breezeblock.domain.snapshot_states import RESET_TARGETS as SNAPSHOT_RESET_TARGETS
from breezeblock.domain.snapshot_states import SNAPSHOT
from breezeblock.domain.state_machine import IllegalTarget, Kind, StateMachine
from breezeblock.domain.volume_states import (
    ATTACH_STATUSES,
    RESET_TARGETS,
    VOLUME,
    status_by_attachments,
)
from breezeblock.operations.states import OPEN, OPERATION

MACHINES = (VOLUME, SNAPSHOT, ATTACHMENT, OPERATION)
STATES = [
    pytest.param(machine, name, id=f"{machine.name}-{name}")
    for machine in MACHINES
    for name in machine.states
]
EVENTS = [
    pytest.param(machine, event, id=f"{machine.name}-{event}")
    for machine in MACHINES
    for event in machine.transitions
]
FIRST = {"volume": "creating", "snapshot": "creating", "attachment": "reserved"}
# Without a failure of its own: when reverting its volume fails, a snapshot is as whole as before.
CANNOT_FAIL = {("snapshot", "restoring")}


def is_used(machine: StateMachine, name: str) -> bool:
    """Whether any row gets into this status: at its start or by an event."""
    entered = {target for t in machine.transitions.values() for target in t.targets}
    return name in entered or FIRST.get(machine.name) == name


def ways_out(machine: StateMachine, name: str) -> set[str]:
    """What the row can end in without a human: passing states are gone through."""
    seen, ends, open_ends = {name}, set(), [name]
    while open_ends:
        current = open_ends.pop()
        for transition in machine.transitions.values():
            if current not in transition.sources or transition.event == "force_delete":
                continue
            for target in transition.targets:
                passing = target in machine.states and (machine.states[target].kind is Kind.PASSING)
                if not passing:
                    ends.add(target)
                elif target not in seen:
                    seen.add(target)
                    open_ends.append(target)
    return ends


@pytest.mark.parametrize(("machine", "event"), EVENTS)
def test_sources_and_targets_exist(machine: StateMachine, event: str) -> None:
    transition = machine.transitions[event]
    assert transition.sources
    assert transition.targets
    assert transition.sources <= machine.states.keys()
    assert set(transition.targets) <= machine.states.keys() | {StateMachine.GONE}


@pytest.mark.parametrize(("machine", "name"), STATES)
def test_a_state_says_what_it_means(machine: StateMachine, name: str) -> None:
    state = machine.states[name]
    assert state.name == name
    assert state.meaning
    if state.kind in (Kind.PASSING, Kind.HELD):
        assert state.on_restart != "nothing"
    else:
        assert state.on_restart == "nothing"


@pytest.mark.parametrize(("machine", "name"), STATES)
def test_a_passing_state_ends_well_or_badly(machine: StateMachine, name: str) -> None:
    if machine.states[name].kind is not Kind.PASSING or not is_used(machine, name):
        return
    ends = ways_out(machine, name)
    good = {machine.GONE, *machine.of_kind(Kind.STABLE)}
    assert ends & good
    if (machine.name, name) not in CANNOT_FAIL:
        assert ends & machine.of_kind(Kind.ERROR)


@pytest.mark.parametrize(("machine", "name"), STATES)
def test_a_held_or_error_state_can_be_left(machine: StateMachine, name: str) -> None:
    if machine.states[name].kind is Kind.STABLE or machine is OPERATION:
        return
    events = [t.event for t in machine.transitions.values() if name in t.sources]
    assert events


def test_events_that_the_code_names_exist() -> None:
    """`volumes.transition(tx, id, "event")` and its kin, wherever they stand."""
    machines = {"volumes": VOLUME, "snapshots": SNAPSHOT, "attachments": ATTACHMENT}
    call = re.compile(
        r"\b(volumes|snapshots|attachments)\.transition\(\s*tx,\s*[^()]+?,\s*\"(\w+)\"", re.DOTALL
    )
    found: dict[str, set[str]] = {name: set() for name in machines}
    for path in Path(breezeblock.__file__).parent.rglob("*.py"):
        for room, event in call.findall(path.read_text(encoding="utf-8")):
            assert event in machines[room].transitions, f"{path}: {event}"
            found[room].add(event)
    assert found["volumes"] >= {"created", "create_failed", "deleted", "extended", "reverted"}
    assert found["snapshots"] >= {"created", "create_failed", "deleted", "restored"}
    assert found["attachments"] >= {"connected", "connect_failed", "detached", "complete"}


def test_every_event_is_used_somewhere() -> None:
    package = Path(breezeblock.__file__).parent
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for room in ("store", "services", "flows", "operations")
        for path in (package / room).rglob("*.py")
    )
    for machine in (VOLUME, SNAPSHOT, ATTACHMENT):
        for event in machine.transitions:
            # A hypervisor's reports are found by the status they follow.
            assert f'"{event}"' in text or event.startswith("report_"), event


def test_hypervisor_reports_start_from_the_status_they_are_named_after() -> None:
    for event, transition in SNAPSHOT.transitions.items():
        if event.startswith("report_"):
            assert transition.sources == {event.removeprefix("report_")}


def test_the_target_is_the_only_one_or_the_chosen_one() -> None:
    assert VOLUME.target("created") == "available"
    assert VOLUME.target("extended", "in-use") == "in-use"
    assert VOLUME.target("deleted") == StateMachine.GONE
    with pytest.raises(IllegalTarget):
        VOLUME.target("extended")
    with pytest.raises(IllegalTarget):
        VOLUME.target("extended", "error")
    with pytest.raises(IllegalTarget):
        VOLUME.target("created", "in-use")
    with pytest.raises(KeyError):
        VOLUME.target("no such event")


def test_open_operations_are_the_passing_ones() -> None:
    assert set(OPEN) == OPERATION.of_kind(Kind.PASSING)


def test_reset_targets_are_states() -> None:
    assert set(VOLUME.states) > RESET_TARGETS
    assert set(SNAPSHOT.states) == SNAPSHOT_RESET_TARGETS


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([], ("available", "detached")),
        (["reserved"], ("reserved", "reserved")),
        (["reserved", "detaching"], ("detaching", "detaching")),
        (["detaching", "attaching"], ("attaching", "attaching")),
        (["reserved", "attaching", "attached", "detaching"], ("in-use", "attached")),
        (["error_attaching"], ("available", "detached")),
    ],
)
def test_the_strongest_hold_decides(held: list[str], expected: tuple[str, str]) -> None:
    attachments = [
        Attachment(id=str(i), volume_id="v", project_id="p", attach_status=status)
        for i, status in enumerate(held)
    ]
    assert status_by_attachments(attachments) == expected
    assert expected[0] in VOLUME.states
    assert expected[1] in ATTACH_STATUSES


def test_what_attachments_give_is_a_target_of_the_events_that_follow_them() -> None:
    for status in ("available", "reserved", "attaching", "in-use", "detaching"):
        assert VOLUME.target("detached", status) == status
