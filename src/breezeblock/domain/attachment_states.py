"""The life of an attachment: a consumer's hold on a volume."""

from __future__ import annotations

from breezeblock.domain.state_machine import Kind, State, StateMachine, transition

_CLIENT = "nothing: the client that holds it finishes or deletes it"

STATES = (
    State(
        "reserved", Kind.HELD, "the volume is promised to a consumer that is not known yet", _CLIENT
    ),
    State("attaching", Kind.HELD, "the consumer has its connection and is logging in", _CLIENT),
    State("attached", Kind.STABLE, "the consumer uses the volume"),
    State("detaching", Kind.PASSING, "it is being removed", "its operation goes on"),
    State("error_attaching", Kind.ERROR, "the volume could not be exported"),
    State("error_detaching", Kind.ERROR, "the export could not be taken back"),
)

ATTACHMENT = StateMachine(
    "attachment",
    STATES,
    (
        transition(
            "connected", "reserved attaching attached error_attaching", "attaching", "attached"
        ),
        transition("connect_failed", "reserved attaching error_attaching", "error_attaching"),
        transition("complete", "reserved attaching attached", "attached"),
        transition(
            "detach",
            "reserved attaching attached error_attaching error_detaching detaching",
            "detaching",
        ),
        transition("detached", "detaching", StateMachine.GONE),
        transition("detach_failed", "detaching", "error_detaching"),
    ),
)
