"""Actions on volumes: the value of the action is the call's body."""

from __future__ import annotations

from typing import Any

from breezeblock.api import faults, literals
from breezeblock.api.call import Call
from breezeblock.domain.errors import SnapshotNotFound
from breezeblock.domain.resources import Volume

EXTEND_IN_USE_SINCE = 42


def attach(call: Call[Volume]) -> None:
    body = call.body
    instance = body.get("instance_uuid")
    call.services.connections.attach(
        call.ctx,
        call.target,
        instance_uuid=instance,
        host_name=None if instance else body.get("host_name"),
        mountpoint=body["mountpoint"],
        mode=body.get("mode", "rw"),
    )


def detach(call: Call[Volume]) -> None:
    attachment_id = (call.body or {}).get("attachment_id")
    call.services.connections.detach(call.ctx, call.target, attachment_id)


def reserve(call: Call[Volume]) -> None:
    call.services.connections.reserve(call.ctx, call.target)


def unreserve(call: Call[Volume]) -> None:
    call.services.connections.unreserve(call.ctx, call.target)


def begin_detaching(call: Call[Volume]) -> None:
    call.services.connections.begin_detaching(call.ctx, call.target)


def roll_detaching(call: Call[Volume]) -> None:
    call.services.connections.roll_detaching(call.ctx, call.target)


def initialize_connection(call: Call[Volume]) -> dict[str, Any]:
    connector = _connector(call.body["connector"])
    if connector is None:
        raise faults.bad_request("The connector must be an object.")
    info = call.services.connections.initialize(call.ctx, call.target, connector)
    return {"connection_info": info}


def terminate_connection(call: Call[Volume]) -> None:
    connector = _connector(call.body["connector"])
    call.services.connections.terminate(call.ctx, call.target, connector)


def force_detach(call: Call[Volume]) -> None:
    body = call.body
    call.services.connections.force_detach(
        call.ctx,
        call.target,
        body.get("attachment_id"),
        _connector(body.get("connector")),
    )


def _connector(value: Any) -> dict[str, Any] | None:
    """The connector as an object.  Texts pass the schema, as the reference has it, but no backend
    could do anything with one."""
    if value is None or isinstance(value, dict):
        return value
    raise faults.bad_request("The connector must be an object, not a text.")


def extend(call: Call[Volume]) -> None:
    volume = call.target
    in_use_allowed = call.version >= EXTEND_IN_USE_SINCE
    if in_use_allowed and volume.status == "in-use":
        call.require("volume:extend_attached_volume", volume.project_id, volume.user_id)
    call.services.volumes.extend(
        call.ctx, volume, int(call.body["new_size"]), in_use_allowed=in_use_allowed
    )


def revert(call: Call[Volume]) -> None:
    snapshot_id = call.body["snapshot_id"]
    if snapshot_id is None:
        raise faults.bad_request("snapshot_id must name the volume's latest snapshot.")
    if not literals.is_uuid(snapshot_id):
        raise SnapshotNotFound(id=snapshot_id[:64])
    call.services.volumes.revert(call.ctx, call.target, literals.canonical_uuid(snapshot_id))


def set_bootable(call: Call[Volume]) -> None:
    bootable = literals.boolean(call.body["bootable"], "bootable")
    call.services.volumes.set_bootable(call.ctx, call.target, bootable)


def update_readonly_flag(call: Call[Volume]) -> None:
    readonly = literals.boolean(call.body["readonly"], "readonly")
    call.services.volumes.set_readonly(call.ctx, call.target, readonly)


def reset_status(call: Call[Volume]) -> None:
    given = {name: value.lower() for name, value in call.body.items() if value is not None}
    if not given:
        raise faults.bad_request("Give at least one of status, attach_status and migration_status.")
    call.services.volumes.reset_status(
        call.ctx,
        call.target,
        status=given.get("status"),
        attach_status=given.get("attach_status"),
        migration_status=given.get("migration_status"),
    )


def force_delete(call: Call[Volume]) -> None:
    call.require("volume:delete", call.target.project_id, call.target.user_id)
    call.services.volumes.delete(call.ctx, call.target, force=True)
