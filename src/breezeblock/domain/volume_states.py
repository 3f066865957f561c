"""The life of a volume (reference: Block Storage API v3, volume statuses)."""

from __future__ import annotations

from collections.abc import Iterable

from breezeblock.domain.resources import Attachment
from breezeblock.domain.state_machine import Kind, State, StateMachine, transition

_GOES_ON = "its operation goes on from the last finished step"
_CLIENT = "nothing: the client that holds it finishes or gives it back"

STATES = (
    State(
        "creating", Kind.PASSING, "storage is being allocated or filled from its source", _GOES_ON
    ),
    State("available", Kind.STABLE, "ready to be attached"),
    State("reserved", Kind.HELD, "an attachment without a connector holds it", _CLIENT),
    State("attaching", Kind.HELD, "a client is connecting to it", _CLIENT),
    State("in-use", Kind.STABLE, "at least one attachment is complete"),
    State("detaching", Kind.HELD, "a client is disconnecting from it", _CLIENT),
    State("extending", Kind.PASSING, "it is being grown", _GOES_ON),
    State("reverting", Kind.PASSING, "its data is being replaced by a snapshot's", _GOES_ON),
    State("deleting", Kind.PASSING, "it is being removed", _GOES_ON),
    State("maintenance", Kind.HELD, "locked while it moves to another backend", _CLIENT),
    State("awaiting-transfer", Kind.STABLE, "offered to another project"),
    State("downloading", Kind.PASSING, "an image is being copied to it", _GOES_ON),
    State("uploading", Kind.PASSING, "it is being copied to an image", _GOES_ON),
    State("retyping", Kind.PASSING, "its type is being changed", _GOES_ON),
    State("backing-up", Kind.PASSING, "a backup is being made of it", _GOES_ON),
    State("restoring-backup", Kind.PASSING, "a backup is being written to it", _GOES_ON),
    State("managing", Kind.PASSING, "an existing volume is being adopted", _GOES_ON),
    State("unmanaging", Kind.PASSING, "it is being forgotten, its data kept", _GOES_ON),
    State("error", Kind.ERROR, "it could not be made, or its data is not what it should be"),
    State("error_deleting", Kind.ERROR, "it could not be removed"),
    State("error_extending", Kind.ERROR, "it could not be grown; its data is whole"),
    State("error_restoring", Kind.ERROR, "a backup could not be written to it"),
    State("error_backing-up", Kind.ERROR, "a backup of it failed"),
    State("error_managing", Kind.ERROR, "it could not be adopted"),
    State("error_managing_deleting", Kind.ERROR, "what could not be adopted is being forgotten"),
    State("error_unmanaging", Kind.ERROR, "it could not be forgotten"),
)

_ALL = frozenset(state.name for state in STATES)
DELETABLE = "available error error_deleting error_restoring error_extending error_managing"
"""The field's list and ``error_deleting``: what could not be removed may be removed again."""

VOLUME = StateMachine(
    "volume",
    STATES,
    (
        transition("created", "creating", "available"),
        transition("create_failed", "creating", "error"),
        transition("delete", DELETABLE, "deleting"),
        transition("force_delete", _ALL - {"deleting"}, "deleting"),
        transition("deleted", "deleting", StateMachine.GONE),
        transition("delete_refused", "deleting", "available"),
        transition("delete_failed", "deleting", "error_deleting"),
        transition("extend", "available", "extending"),
        transition("extend_in_use", "available in-use", "extending"),
        transition("extended", "extending", "available", "in-use"),
        transition("extend_failed", "extending", "error_extending"),
        transition("revert", "available", "reverting"),
        transition("reverted", "reverting", "available"),
        transition("revert_failed", "reverting", "error"),
        transition("reserve", "available", "attaching"),
        transition("reserve_multiattach", "available in-use", "attaching"),
        transition("unreserve", "attaching", "available", "in-use"),
        transition("attach", "available attaching", "in-use"),
        transition("attach_multiattach", "available attaching in-use", "in-use"),
        transition("begin_detaching", "in-use", "detaching"),
        transition("roll_detaching", "detaching", "in-use"),
        transition(
            "reserve_attachment",
            "available downloading reserved attaching detaching in-use",
            *("reserved", "attaching", "detaching", "in-use"),
        ),
        transition(
            "connect_attachment", "available reserved attaching in-use", "attaching", "in-use"
        ),
        transition("complete_attachment", "available reserved attaching in-use", "in-use"),
        transition(
            "detached",
            "available reserved attaching in-use detaching",
            *("available", "reserved", "attaching", "in-use", "detaching"),
        ),
    ),
)

ATTACH_STATUSES = (
    "attached",
    "attaching",
    "detached",
    "reserved",
    "error_attaching",
    "error_detaching",
    "detaching",
    "deleted",
)

RESET_TARGETS = _ALL - {
    "deleting",
    "detaching",
    "error_deleting",
    "error_managing_deleting",
    "error_unmanaging",
    "reverting",
    "unmanaging",
}
"""What an administrator may reset a volume to: any documented status but those on the way out."""


def status_by_attachments(attachments: Iterable[Attachment]) -> tuple[str, str]:
    """(status, attach status) of a volume that is held by these attachments and nothing else.

    The strongest hold decides: attached, then attaching, detaching, reserved; none leaves it
    available.
    """
    held = {attachment.attach_status for attachment in attachments}
    for attach_status, status in (
        ("attached", "in-use"),
        ("attaching", "attaching"),
        ("detaching", "detaching"),
        ("reserved", "reserved"),
    ):
        if attach_status in held:
            return status, attach_status
    return "available", "detached"
