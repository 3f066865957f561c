"""The names of all operations, shared by those who start them and those who run them."""

from __future__ import annotations

CREATE_VOLUME = "create_volume"
DELETE_VOLUME = "delete_volume"
EXTEND_VOLUME = "extend_volume"
REVERT_VOLUME = "revert_volume"
CREATE_SNAPSHOT = "create_snapshot"
DELETE_SNAPSHOT = "delete_snapshot"
CONNECT_ATTACHMENT = "connect_attachment"
DISCONNECT_ATTACHMENT = "disconnect_attachment"
INITIALIZE_CONNECTION = "initialize_connection"
TERMINATE_CONNECTION = "terminate_connection"
DETACH_VOLUME = "detach_volume"


def volume_lock(volume_id: str) -> str:
    """The lock key of a volume: changing it is exclusive, reading its data is shared."""
    return f"volume:{volume_id}"


def snapshot_lock(snapshot_id: str) -> str:
    """The lock key of a snapshot."""
    return f"snapshot:{snapshot_id}"
