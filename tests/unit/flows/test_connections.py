"""Attaching and detaching, both ways, well and badly."""

from __future__ import annotations

from typing import Any

import pytest
from tests.application import Application, Start

from breezeblock.domain.errors import AttachmentNotFound, OperationFailed
from breezeblock.domain.listing import ListQuery
from breezeblock.domain.resources import Attachment, Volume
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import volumes as rows

CONNECTOR = {
    "initiator": "iqn.1993-08.org.debian:01:abc",
    "host": "consumer",
    "ip": "127.0.0.1",
    "multipath": False,
    "mountpoint": "/dev/vdb",
}
SERVER = "6d1e5c0b-2f43-4d0a-8f6b-9b1f0a7d3c21"


def volume(application: Application) -> Volume:
    made = application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    return again(application, made)


def again(application: Application, made: Volume) -> Volume:
    with application.database.read() as connection:
        return rows.get(connection, made.id)


def attach(application: Application, made: Volume, **fields: Any) -> Attachment:
    wanted = {"instance_uuid": SERVER, "connector": CONNECTOR, "mode": None} | fields
    return application.services.attachments.create(application.ctx(), made.id, **wanted)


def state(application: Application, made: Volume) -> tuple[str, str]:
    found = again(application, made)
    return found.status, found.attach_status


def test_a_life_of_an_attachment(application: Application) -> None:
    services, ctx = application.services, application.ctx()
    made = volume(application)
    held = attach(application, made, connector=None)
    assert (held.attach_status, held.connection_info) == ("reserved", None)
    assert state(application, made) == ("reserved", "reserved")
    held = services.attachments.connect(ctx, held, CONNECTOR)
    assert held.attach_status == "attaching"
    assert held.connection_info is not None
    assert held.connection_info["driver_volume_type"] == "iscsi"
    assert held.connection_info["data"]["access_mode"] == "rw"
    assert held.connection_info["data"]["auth_password"]
    assert (held.attached_host, held.mountpoint) == ("consumer", "/dev/vdb")
    assert state(application, made) == ("attaching", "attaching")
    services.attachments.complete(ctx, held)
    assert state(application, made) == ("in-use", "attached")
    held = services.attachments.get(ctx, held.id)
    assert held.attach_time is not None
    assert services.attachments.delete(ctx, held) == []
    assert state(application, made) == ("available", "detached")
    with pytest.raises(AttachmentNotFound):
        services.attachments.get(ctx, held.id)
    assert again(application, made).provider_location is None
    # No credentials stay in the journal.
    assert all("auth_password" not in str(op.results) for op in application.operations())


def test_what_cannot_be_exported_is_told_and_let_go(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "create_export"}})
    made = volume(application)
    with pytest.raises(OperationFailed, match="create_export fails"):
        attach(application, made)
    (held,) = application.services.attachments.list(application.ctx(), ListQuery()).items
    assert held.attach_status == "error_attaching"
    (message,) = application.messages()
    assert (message.action_id, message.detail_id) == ("004", "021")
    application.services.attachments.delete(application.ctx(), held)
    assert state(application, made) == ("available", "detached")


def test_a_connection_that_fails_takes_the_export_back(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "initialize_connection"}})
    made = volume(application)
    with pytest.raises(OperationFailed):
        attach(application, made)
    assert again(application, made).provider_location is None


def test_what_cannot_be_taken_back_can_be_tried_again(start: Start) -> None:
    application = start(backends={"one": {"fake_failures": "terminate_connection"}})
    made = volume(application)
    held = attach(application, made)
    application.services.attachments.complete(application.ctx(), held)
    for _ in range(2):
        with pytest.raises(OperationFailed):
            application.services.attachments.delete(application.ctx(), held)
        held = application.services.attachments.get(application.ctx(), held.id)
        assert held.attach_status == "error_detaching"
    assert {message.detail_id for message in application.messages()} == {"022"}
    assert len(application.messages()) == 2


def test_the_older_way(application: Application) -> None:
    services, ctx = application.services, application.ctx()
    made = volume(application)
    services.connections.reserve(ctx, made)
    assert again(application, made).status == "attaching"
    info = services.connections.initialize(ctx, again(application, made), CONNECTOR)
    assert info["driver_volume_type"] == "iscsi"
    services.connections.attach(
        ctx,
        again(application, made),
        instance_uuid=SERVER,
        host_name=None,
        mountpoint="/dev/vdb",
        mode="rw",
    )
    assert state(application, made) == ("in-use", "attached")
    assert again(application, made).admin_metadata["attached_mode"] == "rw"
    services.connections.begin_detaching(ctx, again(application, made))
    assert again(application, made).status == "detaching"
    services.connections.roll_detaching(ctx, again(application, made))
    assert again(application, made).status == "in-use"
    services.connections.begin_detaching(ctx, again(application, made))
    services.connections.terminate(ctx, again(application, made), CONNECTOR)
    services.connections.detach(ctx, again(application, made), None)
    assert state(application, made) == ("available", "detached")
    assert "attached_mode" not in again(application, made).admin_metadata
    assert all("auth_password" not in str(op.results) for op in application.operations())


def test_force_detach_from_anything(application: Application) -> None:
    services, ctx = application.services, application.ctx()
    made = volume(application)
    held = attach(application, made)
    services.attachments.complete(ctx, held)
    services.connections.force_detach(ctx, again(application, made), held.id, None)
    assert state(application, made) == ("available", "detached")


def test_unreserve_gives_back(application: Application) -> None:
    services, ctx = application.services, application.ctx()
    made = volume(application)
    services.connections.reserve(ctx, made)
    services.connections.unreserve(ctx, made)
    assert again(application, made).status == "available"


def test_a_volume_grows_while_it_is_used(application: Application) -> None:
    services, ctx = application.services, application.ctx()
    made = volume(application)
    held = attach(application, made)
    services.attachments.complete(ctx, held)
    services.volumes.extend(ctx, again(application, made), 3, in_use_allowed=True)
    application.settle()
    found = again(application, made)
    assert (found.status, found.size) == ("in-use", 3)
