"""What to be in the middle of when the worker dies: one scenario or more for every kind.

``prepare`` makes what the operation needs, ``start`` asks for it, and the two outcomes say what
must be there in the end: after a death on the way forward the operation has succeeded, after a
failed step it is cleanly undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.crash.site import CONNECTOR, Site

from breezeblock.domain.errors import AttachmentNotFound, SnapshotNotFound, VolumeNotFound
from breezeblock.flows import kinds
from breezeblock.services.volumes import VolumeRequest

OLD, NEW = b"old data", b"new data"

Things = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to get into an operation of ``kind``, and out of it."""

    name: str
    kind: str
    prepare: Callable[[Site], Things]
    start: Callable[[Site, Things], None]
    succeeded: Callable[[Site, Things], None]
    failed: Callable[[Site, Things], None]


def _nothing(site: Site) -> Things:
    return {}


def _volume(site: Site) -> Things:
    volume = site.volume()
    site.fill(volume.name, OLD)
    return {"volume": volume}


def _snapshotted(site: Site) -> Things:
    things = _volume(site)
    things["snapshot"] = site.snapshot(things["volume"])
    site.fill(things["volume"].name, NEW)
    return things


def _status(site: Site, things: Things, key: str = "volume") -> str:
    if key == "snapshot":
        return site.services.snapshots.get(site.ctx, things[key].id).status
    return site.services.volumes.get(site.ctx, things[key].id).status


# ---- create ----------------------------------------------------------------------------------


def _create(site: Site, things: Things) -> None:
    things["new"] = site.services.volumes.create(site.ctx, VolumeRequest(size=2))


def _create_from_snapshot(site: Site, things: Things) -> None:
    request = VolumeRequest(size=2, snapshot_id=things["snapshot"].id)
    things["new"] = site.services.volumes.create(site.ctx, request)


def _clone(site: Site, things: Things) -> None:
    request = VolumeRequest(size=2, source_volid=things["volume"].id)
    things["new"] = site.services.volumes.create(site.ctx, request)


def _created(pattern: bytes | None) -> Callable[[Site, Things], None]:
    def check(site: Site, things: Things) -> None:
        assert _status(site, things, "new") == "available"
        path = site.path(things["new"].name)
        assert path.stat().st_size == 2 * 1024**3
        if pattern is not None:
            assert site.holds(things["new"].name, pattern, size=1)

    return check


def _create_failed(site: Site, things: Things) -> None:
    assert _status(site, things, "new") == "error"
    assert site.services.messages.list(site.ctx, _everything()).items


def _everything() -> Any:
    from breezeblock.domain.listing import ListQuery

    return ListQuery()


# ---- delete ----------------------------------------------------------------------------------


def _delete(site: Site, things: Things) -> None:
    site.services.volumes.delete(site.ctx, things["volume"])


def _delete_cascade(site: Site, things: Things) -> None:
    site.services.volumes.delete(site.ctx, things["volume"], cascade=True)


def _volume_gone(site: Site, things: Things) -> None:
    try:
        site.services.volumes.get(site.ctx, things["volume"].id)
    except VolumeNotFound:
        return
    raise AssertionError("the volume is still there")


def _delete_failed(site: Site, things: Things) -> None:
    """The step's effect came before its failure; deleting once more must do."""
    assert _status(site, things) == "error_deleting"
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    site.services.volumes.delete(site.ctx, volume, cascade=True)
    site.settle()
    _volume_gone(site, things)


# ---- extend and revert -----------------------------------------------------------------------


def _extend(site: Site, things: Things) -> None:
    site.services.volumes.extend(site.ctx, things["volume"], 3, in_use_allowed=True)


def _extended(site: Site, things: Things) -> None:
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    assert (volume.size, volume.status) == (3, things.get("status", "available"))
    assert site.path(volume.name).stat().st_size == 3 * 1024**3


def _extend_failed(site: Site, things: Things) -> None:
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    assert (volume.size, volume.status) == (1, "error_extending")


def _attached(site: Site) -> Things:
    things = _volume(site)
    things["attachment"] = site.services.attachments.create(
        site.ctx, things["volume"].id, instance_uuid=None, connector=CONNECTOR, mode="rw"
    )
    site.services.attachments.complete(site.ctx, things["attachment"])
    things["volume"] = site.services.volumes.get(site.ctx, things["volume"].id)
    return {**things, "status": "in-use"}


def _revert(site: Site, things: Things) -> None:
    site.services.volumes.revert(site.ctx, things["volume"], things["snapshot"].id)


def _reverted(site: Site, things: Things) -> None:
    assert _status(site, things) == "available"
    assert _status(site, things, "snapshot") == "available"
    assert site.holds(things["volume"].name, OLD)


def _revert_failed(site: Site, things: Things) -> None:
    assert _status(site, things) == "error"
    assert _status(site, things, "snapshot") == "available"
    # Its data is there, but which is not certain: the row keeps it out of use.
    site.services.volumes.reset_status(
        site.admin, things["volume"], status="available", attach_status=None, migration_status=None
    )


# ---- snapshots -------------------------------------------------------------------------------


def _take(site: Site, things: Things) -> None:
    things["snapshot"] = site.services.snapshots.create(
        site.ctx,
        things["volume"].id,
        name=None,
        description=None,
        metadata={},
        in_use_allowed=False,
    )


def _taken(site: Site, things: Things) -> None:
    assert _status(site, things, "snapshot") == "available"
    assert site.holds(things["snapshot"].name, OLD)


def _take_failed(site: Site, things: Things) -> None:
    assert _status(site, things, "snapshot") == "error"


def _drop(site: Site, things: Things) -> None:
    site.services.snapshots.delete(site.ctx, things["snapshot"])


def _dropped(site: Site, things: Things) -> None:
    try:
        site.services.snapshots.get(site.ctx, things["snapshot"].id)
    except SnapshotNotFound:
        return
    raise AssertionError("the snapshot is still there")


def _drop_failed(site: Site, things: Things) -> None:
    assert _status(site, things, "snapshot") == "error_deleting"
    snapshot = site.services.snapshots.get(site.ctx, things["snapshot"].id)
    site.services.snapshots.delete(site.ctx, snapshot)
    site.settle()
    _dropped(site, things)


# ---- connections -----------------------------------------------------------------------------


def _connect(site: Site, things: Things) -> None:
    things["attachment"] = site.services.attachments.create(
        site.ctx, things["volume"].id, instance_uuid=None, connector=None, mode="rw"
    )
    site.in_background(
        lambda: site.services.attachments.connect(site.ctx, things["attachment"], CONNECTOR)
    )


def _connected(site: Site, things: Things) -> None:
    attachment = site.services.attachments.get(site.ctx, things["attachment"].id)
    assert attachment.attach_status == "attaching"
    assert attachment.connection_info is not None
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    assert volume.status == "attaching"
    assert volume.provider_auth is not None
    assert volume.provider_auth.split()[2] == attachment.connection_info["data"]["auth_password"]


def _connect_failed(site: Site, things: Things) -> None:
    attachment = site.services.attachments.get(site.ctx, things["attachment"].id)
    assert attachment.attach_status == "error_attaching"
    assert attachment.connection_info is None
    assert site.services.volumes.get(site.ctx, things["volume"].id).provider_auth is None


def _disconnect(site: Site, things: Things) -> None:
    attachment = site.services.attachments.get(site.ctx, things["attachment"].id)
    site.in_background(lambda: site.services.attachments.delete(site.ctx, attachment))


def _disconnected(site: Site, things: Things) -> None:
    try:
        site.services.attachments.get(site.ctx, things["attachment"].id)
    except AttachmentNotFound:
        volume = site.services.volumes.get(site.ctx, things["volume"].id)
        assert (volume.status, volume.attach_status) == ("available", "detached")
        assert volume.provider_auth is None
        return
    raise AssertionError("the attachment is still there")


def _disconnect_failed(site: Site, things: Things) -> None:
    attachment = site.services.attachments.get(site.ctx, things["attachment"].id)
    assert attachment.attach_status == "error_detaching"
    site.services.attachments.delete(site.ctx, attachment)
    _disconnected(site, things)


def _reserved(site: Site) -> Things:
    things = _volume(site)
    site.services.connections.reserve(site.ctx, things["volume"])
    return things


def _initialize(site: Site, things: Things) -> None:
    site.in_background(
        lambda: site.services.connections.initialize(site.ctx, things["volume"], CONNECTOR)
    )


def _initialized(site: Site, things: Things) -> None:
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    assert (volume.status, bool(volume.provider_auth)) == ("attaching", True)


def _initialize_failed(site: Site, things: Things) -> None:
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    assert (volume.status, volume.provider_auth) == ("attaching", None)


def _legacy_attached(site: Site) -> Things:
    things = _reserved(site)
    site.services.connections.initialize(site.ctx, things["volume"], CONNECTOR)
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    site.services.connections.attach(
        site.ctx, volume, instance_uuid=None, host_name="crash", mountpoint="/dev/vdb", mode="rw"
    )
    volume = site.services.volumes.get(site.ctx, volume.id)
    return {**things, "volume": volume}


def _terminate(site: Site, things: Things) -> None:
    site.in_background(
        lambda: site.services.connections.terminate(site.ctx, things["volume"], CONNECTOR)
    )


def _still_in_use(site: Site, things: Things) -> None:
    assert _status(site, things) == "in-use"


def _detach(site: Site, things: Things) -> None:
    site.in_background(lambda: site.services.connections.detach(site.ctx, things["volume"], None))


def _detached(site: Site, things: Things) -> None:
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    assert (volume.status, volume.attach_status) == ("available", "detached")
    assert volume.provider_auth is None


def _detach_failed(site: Site, things: Things) -> None:
    volume = site.services.volumes.get(site.ctx, things["volume"].id)
    site.services.connections.detach(site.ctx, volume, None)
    _detached(site, things)


SCENARIOS = (
    Scenario("empty", kinds.CREATE_VOLUME, _nothing, _create, _created(None), _create_failed),
    Scenario(
        "from-snapshot",
        kinds.CREATE_VOLUME,
        _snapshotted,
        _create_from_snapshot,
        _created(OLD),
        _create_failed,
    ),
    Scenario("clone", kinds.CREATE_VOLUME, _volume, _clone, _created(OLD), _create_failed),
    Scenario("plain", kinds.DELETE_VOLUME, _volume, _delete, _volume_gone, _delete_failed),
    Scenario(
        "cascade", kinds.DELETE_VOLUME, _snapshotted, _delete_cascade, _volume_gone, _delete_failed
    ),
    Scenario("available", kinds.EXTEND_VOLUME, _volume, _extend, _extended, _extend_failed),
    Scenario("in-use", kinds.EXTEND_VOLUME, _attached, _extend, _extended, _extend_failed),
    Scenario("plain", kinds.REVERT_VOLUME, _snapshotted, _revert, _reverted, _revert_failed),
    Scenario("plain", kinds.CREATE_SNAPSHOT, _volume, _take, _taken, _take_failed),
    Scenario("plain", kinds.DELETE_SNAPSHOT, _snapshotted, _drop, _dropped, _drop_failed),
    Scenario("plain", kinds.CONNECT_ATTACHMENT, _volume, _connect, _connected, _connect_failed),
    Scenario(
        "plain",
        kinds.DISCONNECT_ATTACHMENT,
        _attached,
        _disconnect,
        _disconnected,
        _disconnect_failed,
    ),
    Scenario(
        "legacy",
        kinds.INITIALIZE_CONNECTION,
        _reserved,
        _initialize,
        _initialized,
        _initialize_failed,
    ),
    Scenario(
        "legacy",
        kinds.TERMINATE_CONNECTION,
        _legacy_attached,
        _terminate,
        _still_in_use,
        _still_in_use,
    ),
    Scenario("legacy", kinds.DETACH_VOLUME, _legacy_attached, _detach, _detached, _detach_failed),
)
