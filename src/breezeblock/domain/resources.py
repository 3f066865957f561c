"""The resources of the service as plain records.

A record is a snapshot of one row: frozen, without behaviour beyond names derived from its own
fields.  The store makes them, drivers and views read them.  Sizes are GiB unless a name says
otherwise; times are naive UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

_EMPTY: Mapping[str, str] = MappingProxyType({})


def _no_metadata() -> Mapping[str, str]:
    return _EMPTY


class Record:
    """A row with its fields as attributes and, as the field's drivers write, as items."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        """``volume["size"]``.  Raises ``KeyError``."""
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def get(self, name: str, default: Any = None) -> Any:
        """``volume.get("size")``: ``default`` for a field the record has not."""
        return getattr(self, name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Record):
    """One volume.

    ``host`` is the pool it lives in, as ``host@backend#pool``; None while it is unplaced.
    ``provider_location`` and ``provider_auth`` are what its driver or target asked to remember
    (for iSCSI ``"<ip>:<port>,<tid> <iqn> <lun>"`` and ``"CHAP <user> <secret>"``).
    """

    id: str
    project_id: str
    user_id: str
    size: int
    status: str
    attach_status: str = "detached"
    previous_status: str | None = None
    migration_status: str | None = None
    display_name: str | None = None
    display_description: str | None = None
    name_id: str | None = None
    host: str | None = None
    cluster_name: str | None = None
    service_uuid: str | None = None
    availability_zone: str | None = None
    volume_type_id: str | None = None
    volume_type_name: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    bootable: bool = False
    multiattach: bool = False
    consumes_quota: bool = True
    shared_targets: bool | None = None
    encryption_key_id: str | None = None
    replication_status: str | None = None
    group_id: str | None = None
    provider_id: str | None = None
    provider_location: str | None = None
    provider_auth: str | None = field(default=None, repr=False)
    provider_geometry: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    launched_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=_no_metadata)
    admin_metadata: Mapping[str, str] = field(default_factory=_no_metadata)
    image_metadata: Mapping[str, str] = field(default_factory=_no_metadata)

    @property
    def name(self) -> str:
        """The volume's name on its backend, ``volume-<id>``."""
        return f"volume-{self.name_id or self.id}"

    @property
    def encrypted(self) -> bool:
        return self.encryption_key_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Record):
    """One snapshot of a volume; ``volume_size`` is the volume's size in GiB when it was taken."""

    id: str
    volume_id: str
    project_id: str
    user_id: str
    volume_size: int
    status: str
    progress: str = "0%"
    display_name: str | None = None
    display_description: str | None = None
    volume_type_id: str | None = None
    volume_name_id: str | None = None
    host: str | None = None
    consumes_quota: bool = True
    encryption_key_id: str | None = None
    group_snapshot_id: str | None = None
    provider_id: str | None = None
    provider_location: str | None = None
    provider_auth: str | None = field(default=None, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=_no_metadata)

    @property
    def name(self) -> str:
        """The snapshot's name on its backend, ``snapshot-<id>``."""
        return f"snapshot-{self.id}"

    @property
    def volume_name(self) -> str:
        """The backend name of the volume it was taken of."""
        return f"volume-{self.volume_name_id or self.volume_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment(Record):
    """One consumer's hold on a volume.

    ``connector`` describes the consumer (initiator name, address, ...), ``connection_info`` is
    what it was told to reach the volume: ``{"driver_volume_type": ..., "data": {...}}``.
    """

    id: str
    volume_id: str
    project_id: str
    attach_status: str
    instance_uuid: str | None = None
    attached_host: str | None = None
    mountpoint: str | None = None
    attach_mode: str | None = None
    attach_time: datetime | None = None
    detach_time: datetime | None = None
    connector: Mapping[str, Any] | None = None
    connection_info: Mapping[str, Any] | None = field(default=None, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeType:
    """A volume type; ``extra_specs`` steer placement and drivers."""

    id: str
    name: str
    description: str | None = None
    is_public: bool = True
    qos_specs_id: str | None = None
    extra_specs: Mapping[str, str | None] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running part of the service, for example ``cinder-volume`` on ``host@backend``."""

    id: int
    uuid: str
    host: str
    binary: str
    topic: str
    availability_zone: str
    disabled: bool = False
    disabled_reason: str | None = None
    cluster_name: str | None = None
    frozen: bool = False
    active_backend_id: str | None = None
    replication_status: str | None = None
    heartbeat_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A backend's pool as last reported.

    ``capabilities`` is the driver's pool dictionary (``total_capacity_gb``, ``free_capacity_gb``,
    ``provisioned_capacity_gb``, ``thin_provisioning_support``, ...).  ``allocated_gb`` is the sum
    of the sizes of its volumes at the report, ``consumed_gb`` what has been placed since and is
    not in the report yet.
    """

    name: str
    service_host: str
    availability_zone: str
    capabilities: Mapping[str, Any]
    allocated_gb: int = 0
    consumed_gb: int = 0
    reported_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A user message: why something a user asked for did not happen, and what to do about it."""

    id: str
    project_id: str
    request_id: str | None
    resource_type: str
    resource_uuid: str | None
    action_id: str
    detail_id: str
    event_id: str
    message_level: str
    cause: str | None
    created_at: datetime
    expires_at: datetime
