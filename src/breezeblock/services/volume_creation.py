"""Creating a volume: its source, type, zone, quota, place and operation."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Connection

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import (
    InvalidInput,
    InvalidSnapshot,
    InvalidVolume,
    NoValidBackend,
    PerVolumeSizeExceeded,
)
from breezeblock.domain.hosts import service_host
from breezeblock.domain.quota import UNLIMITED, per_type
from breezeblock.domain.resources import Snapshot, Volume, VolumeType
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.flows import kinds
from breezeblock.operations.journal import Request
from breezeblock.scheduling.request import PlacementRequest
from breezeblock.services import quotas
from breezeblock.services.backends import resolve_zone
from breezeblock.services.deployment import Deployment, Rules, scope
from breezeblock.services.volume_types import default_type, resolve
from breezeblock.store import messages, services, snapshots, volume_types, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRequest:
    """What a caller asks for; at most one source.  ``volume_type`` is a name or an id."""

    size: int | None = None
    name: str | None = None
    description: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    scheduler_hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the data comes from: a snapshot and its volume, a volume, or nothing."""

    snapshot: Snapshot | None = None
    volume: Volume | None = None

    @property
    def size(self) -> int | None:
        if self.snapshot is not None:
            return self.snapshot.volume_size
        return self.volume.size if self.volume is not None else None


class VolumeCreation:
    """One request to create a volume, carried out in one transaction by ``run``."""

    def __init__(self, deployment: Deployment, ctx: RequestContext, request: VolumeRequest) -> None:
        self._deployment = deployment
        self._rules: Rules = deployment.rules
        self._ctx = ctx
        self._request = request

    def run(self, tx: Transaction) -> Volume:
        """The new volume's record.

        Raises what the request deserves: InvalidInput and its kin, the NotFound family, OverQuota.
        """
        connection = tx.connection
        source = self._source(connection)
        size = self._size(source)
        volume_type = self._type(connection, source)
        _check_type_size(volume_type, size)
        zone = self._zone(connection, source)
        self._take_quota(tx, size, volume_type)
        volume = self._record(size, volume_type, zone, source)
        return self._place(tx, volume, volume_type, source)

    # ---- what is asked for -------------------------------------------------------------------

    def _source(self, connection: Connection) -> _Source:
        request, project = self._request, scope(self._ctx)
        if request.snapshot_id and request.source_volid:
            raise InvalidInput(reason="give one source: snapshot_id or source_volid.")
        if request.snapshot_id:
            snapshot = snapshots.get(connection, request.snapshot_id, project)
            if snapshot.status != "available":
                raise InvalidSnapshot(
                    reason=f"snapshot {snapshot.id} is {snapshot.status}; it must be available."
                )
            return _Source(snapshot, volumes.get(connection, snapshot.volume_id))
        if request.source_volid:
            volume = volumes.get(connection, request.source_volid, project)
            if volume.status not in ("available", "in-use"):
                raise InvalidVolume(
                    reason=f"source volume {volume.id} is {volume.status};"
                    " it must be available or in-use."
                )
            return _Source(None, volume)
        return _Source()

    def _size(self, source: _Source) -> int:
        size = self._request.size if self._request.size is not None else source.size
        if size is None or size <= 0:
            raise InvalidInput(reason="a size of at least 1 GiB, or a source, must be given.")
        if source.size is not None and size < source.size:
            raise InvalidInput(
                reason=f"size {size} GiB is smaller than its source's {source.size} GiB."
            )
        return size

    def _type(self, connection: Connection, source: _Source) -> VolumeType:
        if self._request.volume_type:
            wanted = resolve(connection, self._request.volume_type, scope(self._ctx))
            _check_type_of_source(connection, wanted, source)
            return wanted
        if source.volume is not None and source.volume.volume_type_id is not None:
            return volume_types.get(connection, source.volume.volume_type_id)
        return default_type(connection, self._rules.default_volume_type)

    def _zone(self, connection: Connection, source: _Source) -> str:
        wanted = self._request.availability_zone
        source_zone = source.volume.availability_zone if source.volume is not None else None
        if (
            source_zone is not None
            and wanted not in (None, source_zone)
            and self._rules.cloned_volume_same_az
        ):
            raise InvalidInput(
                reason=f"the volume must be in its source's zone, {source_zone}, not in {wanted}."
            )
        return resolve_zone(connection, self._rules, wanted, source_zone=source_zone)

    def _take_quota(self, tx: Transaction, size: int, volume_type: VolumeType) -> None:
        project = self._ctx.project_id
        limit = quotas.per_volume_limit(tx.connection, self._rules, project)
        if limit != UNLIMITED and size > limit:
            raise PerVolumeSizeExceeded(size=size, limit=limit)
        wanted = {
            "volumes": 1,
            "gigabytes": size,
            per_type("volumes", volume_type.name): 1,
            per_type("gigabytes", volume_type.name): size,
        }
        quotas.take(tx, self._rules, project, wanted)

    # ---- what is written ---------------------------------------------------------------------

    def _record(self, size: int, volume_type: VolumeType, zone: str, source: _Source) -> Volume:
        request = self._request
        return Volume(
            id=str(uuid.uuid4()),
            project_id=self._ctx.project_id,
            user_id=self._ctx.user_id,
            size=size,
            status="creating",
            display_name=request.name,
            display_description=request.description,
            availability_zone=zone,
            volume_type_id=volume_type.id,
            volume_type_name=volume_type.name,
            snapshot_id=request.snapshot_id,
            source_volid=request.source_volid,
            bootable=source.volume is not None and source.volume.bootable,
            image_metadata=source.volume.image_metadata if source.volume is not None else {},
            multiattach=volume_type.extra_specs.get("multiattach") == "<is> True",
            metadata=request.metadata,
            created_at=now(),
        )

    def _place(
        self, tx: Transaction, volume: Volume, volume_type: VolumeType, source: _Source
    ) -> Volume:
        bound = source.volume.host if source.volume is not None else None
        placement: dict[str, Any] = {
            "size": volume.size,
            "availability_zone": volume.availability_zone,
            "extra_specs": dict(volume_type.extra_specs),
            "hints": dict(self._request.scheduler_hints),
            "only_backend": bound,
            "tried": [],
        }
        try:
            pool = self._deployment.scheduler.place(tx, PlacementRequest(**placement))
        except NoValidBackend as error:
            return self._unplaced(tx, volume, error)
        volume = replace(volume, host=pool.name, availability_zone=pool.availability_zone)
        volumes.insert(tx, volume)
        self._deployment.start(tx, self._ctx, self._operation(volume, placement))
        return volume

    def _operation(self, volume: Volume, placement: Mapping[str, Any]) -> Request:
        shared = []
        if volume.snapshot_id:
            shared.append(kinds.snapshot_lock(volume.snapshot_id))
        if volume.source_volid:
            shared.append(kinds.volume_lock(volume.source_volid))
        return Request(
            kind=kinds.CREATE_VOLUME,
            queue=service_host(volume.host or ""),
            resource_type="volume",
            resource_id=volume.id,
            payload={
                "snapshot_id": volume.snapshot_id,
                "source_volid": volume.source_volid,
                # A copy of a source cannot move on to another backend.
                "placement": None if shared else placement,
            },
            exclusive=[kinds.volume_lock(volume.id)],
            shared=shared,
        )

    def _unplaced(self, tx: Transaction, volume: Volume, error: NoValidBackend) -> Volume:
        """The request was right but there is no room: the volume says so, and why."""
        LOG.warning("Volume %s could not be placed: %s", volume.id, error)
        volume = replace(volume, status="error")
        volumes.insert(tx, volume)
        messages.insert(
            tx,
            project_id=volume.project_id,
            request_id=self._ctx.request_id,
            resource_type="VOLUME",
            resource_id=volume.id,
            action=Action.SCHEDULE,
            detail=Detail.NO_BACKEND,
            cause=error.message if self._ctx.is_admin else None,
        )
        # The row says error at once; the answer says creating, as for every accepted request.
        return replace(volume, status="creating")


def _check_type_of_source(connection: Connection, wanted: VolumeType, source: _Source) -> None:
    """A copy stays on its source's backend, so its type must allow that backend."""
    if source.volume is None or source.volume.volume_type_id in (None, wanted.id):
        return
    own = volume_types.get(connection, str(source.volume.volume_type_id))
    backends = [s for s in services.all_of(connection) if s.binary == "cinder-volume"]
    name = "volume_backend_name"
    if len(backends) > 1 and own.extra_specs.get(name) != wanted.extra_specs.get(name):
        raise InvalidInput(
            reason=f"type {wanted.name} is for another backend than the source's type, {own.name}."
        )


def _check_type_size(volume_type: VolumeType, size: int) -> None:
    for spec, fits, words in (
        ("provisioning:min_vol_size", int.__ge__, "at least"),
        ("provisioning:max_vol_size", int.__le__, "at most"),
    ):
        bound = volume_type.extra_specs.get(spec)
        if bound is not None and bound.isdigit() and not fits(size, int(bound)):
            raise InvalidInput(
                reason=f"volumes of type {volume_type.name} must have {words} {bound} GiB."
            )


def check_type_size(connection: Connection, volume: Volume, size: int) -> None:
    """Whether a volume's type allows it to have ``size`` GiB.  Raises InvalidInput."""
    if volume.volume_type_id is not None:
        _check_type_size(volume_types.get(connection, volume.volume_type_id), size)
