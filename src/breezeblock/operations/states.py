"""The life of an operation."""

from __future__ import annotations

from breezeblock.domain.state_machine import Kind, State, StateMachine, transition

QUEUED = "queued"
RUNNING = "running"
UNDOING = "undoing"
DONE = "done"
FAILED = "failed"

OPERATION = StateMachine(
    "operation",
    (
        State(QUEUED, Kind.PASSING, "it waits for a worker, or for its next try", "it is claimed"),
        State(
            RUNNING,
            Kind.PASSING,
            "a worker carries out its steps",
            "it is claimed again and goes on after its last finished step",
        ),
        State(
            UNDOING,
            Kind.PASSING,
            "a step failed for good; a worker takes the earlier ones back",
            "it is claimed again and goes on with what is not taken back yet",
        ),
        State(DONE, Kind.STABLE, "all steps are finished"),
        State(FAILED, Kind.ERROR, "it was taken back; `error` says why"),
    ),
    (
        transition("claim", {QUEUED, RUNNING}, RUNNING),
        transition("claim_undo", {UNDOING}, UNDOING),
        transition("hand_over", {RUNNING}, QUEUED),
        transition("retry", {RUNNING}, QUEUED),
        transition("give_up", {RUNNING}, UNDOING),
        transition("finish", {RUNNING}, DONE),
        transition("undone", {UNDOING}, FAILED),
        transition("requeue", {UNDOING}, QUEUED),
    ),
)

OPEN = (QUEUED, RUNNING, UNDOING)
"""The states of operations that are not finished."""
