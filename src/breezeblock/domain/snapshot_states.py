"""The life of a snapshot (reference: Block Storage API v3, snapshot statuses)."""

from __future__ import annotations

from breezeblock.domain.state_machine import Kind, State, StateMachine, transition

_GOES_ON = "its operation goes on from the last finished step"

STATES = (
    State("creating", Kind.PASSING, "it is being taken", _GOES_ON),
    State("available", Kind.STABLE, "ready to be cloned, reverted to, backed up"),
    State("deleting", Kind.PASSING, "it is being removed", _GOES_ON),
    State("deleted", Kind.STABLE, "removed; only a hypervisor's report shows this"),
    State("restoring", Kind.PASSING, "its volume is being reverted to it", _GOES_ON),
    State("backing-up", Kind.PASSING, "a backup is being made of it", _GOES_ON),
    State("updating", Kind.PASSING, "it is being changed", _GOES_ON),
    State("unmanaging", Kind.PASSING, "it is being forgotten, its data kept", _GOES_ON),
    State("error", Kind.ERROR, "it could not be taken"),
    State("error_deleting", Kind.ERROR, "it could not be removed"),
)

_ALL = frozenset(state.name for state in STATES)

SNAPSHOT = StateMachine(
    "snapshot",
    STATES,
    (
        transition("created", "creating", "available"),
        transition("create_failed", "creating", "error"),
        transition("delete", "available error error_deleting", "deleting"),
        transition("force_delete", _ALL - {"deleting"}, "deleting"),
        transition("deleted", "deleting", StateMachine.GONE),
        transition("delete_refused", "deleting", "available"),
        transition("delete_failed", "deleting", "error_deleting"),
        transition("restore", "available", "restoring"),
        transition("restored", "restoring", "available"),
        transition("report_creating", "creating", "creating", "available", "error"),
        transition("report_deleting", "deleting", "deleting", "error_deleting"),
    ),
)

RESET_TARGETS = _ALL
