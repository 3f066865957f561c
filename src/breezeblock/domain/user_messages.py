"""What users are told when something they asked for did not happen.

One table of actions, one of details.  Numbers and event ids are those of the field (Block Storage
API v3, user messages); the sentences are ours, and each says what can be done.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A numbered sentence."""

    id: str
    text: str


class Action:
    """What was attempted."""

    SCHEDULE = Text("001", "schedule allocate volume")
    ATTACH = Text("002", "attach volume")
    COPY_TO_IMAGE = Text("003", "copy volume to image")
    UPDATE_ATTACHMENT = Text("004", "update attachment")
    COPY_FROM_IMAGE = Text("005", "copy image to volume")
    UNMANAGE = Text("006", "unmanage volume")
    EXTEND = Text("007", "extend volume")
    CREATE = Text("008", "create volume from backend storage")
    SNAPSHOT_CREATE = Text("009", "create snapshot")
    SNAPSHOT_DELETE = Text("010", "delete snapshot")
    SNAPSHOT_UPDATE = Text("011", "update snapshot")
    SNAPSHOT_METADATA = Text("012", "update snapshot metadata")
    BACKUP_CREATE = Text("013", "create backup")
    BACKUP_DELETE = Text("014", "delete backup")
    BACKUP_RESTORE = Text("015", "restore backup")
    REIMAGE = Text("016", "reimage volume")
    # The field stops at 016; these are ours, far away from its numbers.
    DELETE = Text("101", "delete volume")
    REVERT = Text("102", "revert volume to snapshot")
    DETACH = Text("103", "detach volume")


class Detail:
    """Why it did not happen, and what to do about it."""

    UNKNOWN = Text(
        "001", "An unknown error occurred. Try again; if it stays, ask your administrator."
    )
    NOT_INITIALIZED = Text("002", "The storage backend is not ready. Try again when it is up.")
    NO_BACKEND = Text(
        "003",
        "No storage could be allocated for this request. Ask for a smaller size, another"
        " volume type or"
        " another availability zone, or try again later.",
    )
    ATTACH_MODE = Text(
        "005", "The volume cannot be attached in this mode. Choose ro, or change its flag."
    )
    QUOTA = Text(
        "006", "A quota would be exceeded. Delete what is not needed or ask for a larger quota."
    )
    DRIVER_EXTEND = Text(
        "010",
        "The storage backend could not extend the volume. Its data is whole; try a smaller"
        " size or later.",
    )
    DRIVER_CREATE = Text(
        "012",
        "The storage backend could not create the volume. Delete it and try again, or"
        " choose another type.",
    )
    SNAPSHOT_CREATE = Text(
        "013", "The storage backend could not take the snapshot. Delete it and try again later."
    )
    SNAPSHOT_BUSY = Text(
        "015",
        "The snapshot is in use. Delete the volumes made from it, or wait until they are"
        " independent of it.",
    )
    SNAPSHOT_DELETE = Text(
        "016", "The storage backend could not delete the snapshot. Delete it again later."
    )
    ATTACH = Text("021", "The volume could not be attached. Check the connector and try again.")
    DETACH = Text("022", "The volume could not be detached. Delete the attachment again.")
    # Ours.
    VOLUME_BUSY = Text(
        "101",
        "The volume is still in use on its backend. Log out its initiators and delete it again.",
    )
    DRIVER_DELETE = Text(
        "102", "The storage backend could not delete the volume. Delete it again later."
    )
    DRIVER_REVERT = Text(
        "103",
        "The storage backend could not revert the volume. Its data may be mixed: revert it again.",
    )


ACTIONS = {t.id: t for t in vars(Action).values() if isinstance(t, Text)}
DETAILS = {t.id: t for t in vars(Detail).values() if isinstance(t, Text)}


def event_id(resource_type: str, action: Text, detail: Text) -> str:
    """The field's event id, ``VOLUME_<type>_<action>_<detail>``."""
    return f"VOLUME_{resource_type}_{action.id}_{detail.id}"
