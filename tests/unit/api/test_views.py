"""What clients see: the odd fields, version by version and caller by caller."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from breezeblock.api import policies
from breezeblock.api.views import attachments, messages, services, snapshots, volume_types, volumes
from breezeblock.domain.resources import (
    Attachment,
    Message,
    Service,
    Snapshot,
    Volume,
    VolumeType,
)
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.services.backends import ServiceState

NOON = datetime(2026, 1, 2, 12)
PREFIX = ("http://h/v3/p/volumes/", "http://h/p/volumes/")
KEY = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


def everything(_: str) -> bool:
    return True


def nothing(_: str) -> bool:
    return False


def volume(**fields: Any) -> Volume:
    return Volume(
        **{
            "id": "v",
            "project_id": "p",
            "user_id": "u",
            "size": 1,
            "status": "available",
            "created_at": NOON,
            **fields,
        }
    )


def shown(
    record: Volume,
    version: int = 71,
    allows: Callable[[str], bool] = everything,
    **scene: Any,
) -> dict[str, Any]:
    given = volumes.Scene(prefix=PREFIX, version=version, **scene)
    return volumes.DETAIL.one(record, given, version=version, allows=allows)


def test_summary_of_a_volume() -> None:
    scene = volumes.Scene(prefix=PREFIX, version=71)
    view = volumes.SUMMARY.one(volume(display_name="x"), scene, version=71, allows=nothing)
    assert view == {
        "id": "v",
        "name": "x",
        "links": [
            {"rel": "self", "href": "http://h/v3/p/volumes/v"},
            {"rel": "bookmark", "href": "http://h/p/volumes/v"},
        ],
    }


def test_fields_of_the_first_version_for_a_user() -> None:
    assert set(shown(volume(), 0, nothing)) == {
        *("id", "status", "size", "availability_zone", "created_at", "updated_at", "name"),
        *("description", "volume_type", "snapshot_id", "source_volid", "metadata", "links"),
        *("user_id", "bootable", "encrypted", "replication_status", "consistencygroup_id"),
        *("multiattach", "attachments"),
    }


@pytest.mark.parametrize(
    ("field", "since", "admin"),
    [
        ("group_id", 13, False),
        ("provider_id", 21, True),
        ("shared_targets", 48, False),
        ("service_uuid", 48, False),
        ("cluster_name", 61, True),
        ("volume_type_id", 63, False),
        ("encryption_key_id", 64, False),
        ("consumes_quota", 65, False),
        ("migration_status", 0, True),
        ("os-vol-host-attr:host", 0, True),
        ("os-vol-mig-status-attr:migstat", 0, True),
        ("os-vol-mig-status-attr:name_id", 0, True),
    ],
)
def test_fields_appear_with_their_version_and_policy(field: str, since: int, admin: bool) -> None:
    record = volume(encryption_key_id=KEY)
    assert field in shown(record, since)
    assert field not in shown(record, since - 1)
    assert (field in shown(record, since, nothing)) != admin


def test_oddities_of_a_volume() -> None:
    view = shown(
        volume(
            bootable=True,
            status="error_managing",
            metadata={"a": "b"},
            admin_metadata={"readonly": "True", "secret": "x"},
            volume_type_id="t",
        )
    )
    assert view["bootable"] == "true"
    assert view["status"] == "error"
    assert view["metadata"] == {"a": "b", "readonly": "True"}
    assert view["created_at"] == "2026-01-02T12:00:00.000000"
    assert view["updated_at"] is None
    assert view["volume_type"] is None
    assert shown(volume(volume_type_id="t"), 62)["volume_type"] == "t"


def test_shared_targets_is_a_tristate_from_3_69() -> None:
    assert shown(volume(), 69)["shared_targets"] is None
    assert shown(volume(), 68)["shared_targets"] is True
    assert shown(volume(shared_targets=False), 48)["shared_targets"] is False


def test_the_fixed_key_is_no_key_to_show() -> None:
    view = shown(volume(encryption_key_id=volumes.FIXED_KEY))
    assert "encryption_key_id" not in view
    assert view["encrypted"] is True
    assert "encryption_key_id" not in shown(volume())


def test_image_metadata_only_where_there_is_some() -> None:
    assert "volume_image_metadata" not in shown(volume())
    assert shown(volume(image_metadata={"a": "b"}))["volume_image_metadata"] == {"a": "b"}


def test_attachments_of_a_volume() -> None:
    attachment = Attachment(
        id="a",
        volume_id="v",
        project_id="p",
        attach_status="attached",
        instance_uuid="i",
        attached_host="h1",
        mountpoint="/dev/vdb",
        attach_time=NOON,
    )
    for names, host in ((True, "h1"), (False, None)):
        view = shown(volume(), attachments={"v": [attachment]}, host_names=names)
        assert view["attachments"] == [
            {
                "id": "v",
                "attachment_id": "a",
                "volume_id": "v",
                "server_id": "i",
                "host_name": host,
                "device": "/dev/vdb",
                "attached_at": "2026-01-02T12:00:00.000000",
            }
        ]


def test_replies_to_writes_show_less() -> None:
    scene = volumes.Scene(prefix=PREFIX, version=71)
    record = volume(image_metadata={"a": "b"})
    view = volumes.WRITTEN.one(record, scene, version=71, allows=everything)
    assert set(shown(record)) - set(view) == {
        "volume_image_metadata",
        "os-vol-host-attr:host",
        "os-vol-tenant-attr:tenant_id",
        "os-vol-mig-status-attr:migstat",
        "os-vol-mig-status-attr:name_id",
    }


def test_snapshots() -> None:
    record = Snapshot(
        id="s", volume_id="v", project_id="p", user_id="u", volume_size=3, status="available"
    )
    summary = snapshots.SUMMARY.one(record, None, version=71, allows=everything)
    assert summary["size"] == 3
    detail = snapshots.DETAIL.one(record, None, version=71, allows=everything)
    assert set(detail) - set(summary) == {
        "group_snapshot_id",
        "user_id",
        "consumes_quota",
        "os-extended-snapshot-attributes:project_id",
        "os-extended-snapshot-attributes:progress",
    }
    assert "user_id" not in snapshots.DETAIL.one(record, None, version=40, allows=everything)


def test_attachments() -> None:
    record = Attachment(id="a", volume_id="v", project_id="p", attach_status="reserved")
    view = attachments.DETAIL.one(record, None, version=71, allows=everything)
    assert view == {
        "id": "a",
        "status": "reserved",
        "instance": None,
        "volume_id": "v",
        "attached_at": "",
        "detached_at": "",
        "attach_mode": "null",
        "connection_info": {},
    }


def test_connection_info_is_flat() -> None:
    record = Attachment(
        id="a",
        volume_id="v",
        project_id="p",
        attach_status="attaching",
        connector={"initiator": "iqn", "enforce_multipath": True},
        connection_info={"driver_volume_type": "iscsi", "data": {"target_lun": 1}},
    )
    assert attachments.connection_info(record) == {
        "driver_volume_type": "iscsi",
        "target_lun": 1,
        "attachment_id": "a",
        "enforce_multipath": True,
    }


def test_volume_types() -> None:
    record = VolumeType(
        id="t", name="gold", extra_specs={"secret": "1", "multiattach": "<is> True"}
    )

    def view(all_specs: bool, allows: Callable[[str], bool]) -> dict[str, Any]:
        scene = volume_types.Scene(all_specs)
        return volume_types.SHOWN.one(record, scene, version=71, allows=allows)

    assert view(True, everything)["extra_specs"] == record.extra_specs
    assert view(False, everything)["extra_specs"] == {"multiattach": "<is> True"}
    assert set(view(False, nothing)) == {"id", "name", "is_public", "description"}


def test_messages_say_what_and_why() -> None:
    record = Message(
        id="m",
        project_id="p",
        request_id="r",
        resource_type="VOLUME",
        resource_uuid=None,
        action_id=Action.EXTEND.id,
        detail_id=Detail.QUOTA.id,
        event_id="e",
        message_level="ERROR",
        cause=None,
        created_at=NOON,
        expires_at=NOON + timedelta(days=30),
    )
    view = messages.MESSAGE.one(record, PREFIX, version=71, allows=nothing)
    assert view["user_message"] == f"{Action.EXTEND.text}:{Detail.QUOTA.text}"
    assert "resource_uuid" not in view
    assert view["guaranteed_until"] == "2026-02-01T12:00:00.000000"


@pytest.mark.parametrize("version", [6, 7, 48, 49])
def test_services(version: int) -> None:
    def view(binary: str) -> dict[str, Any]:
        record = Service(
            id=1, uuid="s", host="h@b", binary=binary, topic="t", availability_zone="z"
        )
        state = ServiceState(service=record, up=True, backend_up=False)
        return services.SERVICE.one(state, None, version=version, allows=nothing)

    volume_service, scheduler = view("cinder-volume"), view("cinder-scheduler")
    assert volume_service["state"] == "up"
    assert volume_service["status"] == "enabled"
    assert ("cluster" in scheduler) == (version >= 7)
    assert ("backend_state" in volume_service) == (version >= 49)
    assert "frozen" in volume_service
    assert not {"frozen", "replication_status", "active_backend_id", "backend_state"} & set(
        scheduler
    )


def test_views_ask_known_policies() -> None:
    known = {name for name, _, _ in policies.BASE + policies.TABLE}
    for view in (volumes.DETAIL, snapshots.DETAIL, volume_types.SHOWN):
        assert set(view.policies) <= known
