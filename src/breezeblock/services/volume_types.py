"""Volume types, their extra specs, and which projects may use the private ones."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import (
    DefaultTypeMisconfigured,
    ExtraSpecNotFound,
    InvalidVolumeType,
    TypeAccessExists,
    TypeAccessNotFound,
    VolumeTypeExists,
    VolumeTypeNotFound,
)
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import VolumeType
from breezeblock.services.deployment import Deployment, scope
from breezeblock.store import volume_types
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction


class VolumeTypes:
    """Requests about volume types."""

    def __init__(self, deployment: Deployment) -> None:
        self._database = deployment.database
        self._rules = deployment.rules

    def get(self, ctx: RequestContext, type_id: str) -> VolumeType:
        """By id; ``default`` is the default type.  Private types without access do not exist.

        Raises VolumeTypeNotFound.
        """
        with self._database.read() as connection:
            if type_id == "default":
                name = self._rules.default_volume_type
                return volume_types.get_by_name(connection, name)
            return volume_types.get(connection, type_id, scope(ctx))

    def list(self, ctx: RequestContext, query: ListQuery) -> Page[VolumeType]:
        """Visible types.  The filter ``is_public`` (None: both) only works for administrators."""
        if not ctx.is_admin:
            filters = {k: v for k, v in query.filters.items() if k != "is_public"}
            query = replace(query, filters=filters)
        with self._database.read() as connection:
            return volume_types.list_page(connection, query, scope(ctx))

    def create(
        self,
        ctx: RequestContext,
        *,
        name: str,
        description: str | None,
        is_public: bool,
        extra_specs: Mapping[str, str | None],
    ) -> VolumeType:
        """Raises VolumeTypeExists."""
        made = VolumeType(
            id=str(uuid.uuid4()),
            name=name,
            description=description,
            is_public=is_public,
            extra_specs=dict(extra_specs),
            created_at=now(),
        )

        def work(tx: Transaction) -> None:
            volume_types.insert(tx, made)
            if not is_public:
                volume_types.grant(tx, made.id, ctx.project_id)

        self._unique(name, work)
        return made

    def update(
        self, ctx: RequestContext, volume_type: VolumeType, *, changes: Mapping[str, Any]
    ) -> VolumeType:
        """``changes`` may hold name, description and is_public.  Raises VolumeTypeExists."""
        wanted = {k: v for k, v in changes.items() if v is not None or k == "description"}
        self._unique(
            str(wanted.get("name", volume_type.name)),
            lambda tx: volume_types.update(tx, volume_type.id, wanted),
        )
        with self._database.read() as connection:
            return volume_types.get(connection, volume_type.id)

    def _unique(self, name: str, work: Any) -> None:
        try:
            self._database.transact(work)
        except sa.exc.IntegrityError as error:
            raise VolumeTypeExists(id=name) from error

    def delete(self, ctx: RequestContext, volume_type: VolumeType) -> None:
        """Raises InvalidVolumeType while volumes have it, and for the default and the last type."""

        def work(tx: Transaction) -> None:
            if volume_type.name == self._rules.default_volume_type:
                raise InvalidVolumeType(reason="the default volume type cannot be deleted.")
            if volume_types.count(tx.connection) == 1:
                raise InvalidVolumeType(reason="the last volume type cannot be deleted.")
            if volume_types.in_use(tx.connection, volume_type.id):
                raise InvalidVolumeType(
                    reason=f"volumes of type {volume_type.name} exist; retype or delete them first."
                )
            volume_types.delete(tx, volume_type.id)

        self._database.transact(work)

    # ---- extra specs -------------------------------------------------------------------------

    def set_extra_specs(
        self,
        ctx: RequestContext,
        volume_type: VolumeType,
        extra_specs: Mapping[str, str | None],
    ) -> None:
        """Merge specs.  Raises InvalidVolumeType while volumes have the type."""

        def work(tx: Transaction) -> None:
            self._refuse_in_use(tx, volume_type)
            volume_types.EXTRA_SPECS.merge(tx, volume_type.id, extra_specs)

        self._database.transact(work)

    def delete_extra_spec(self, ctx: RequestContext, volume_type: VolumeType, key: str) -> None:
        """Raises ExtraSpecNotFound, and InvalidVolumeType while volumes have the type."""

        def work(tx: Transaction) -> None:
            self._refuse_in_use(tx, volume_type)
            if not volume_types.EXTRA_SPECS.delete(tx, volume_type.id, key):
                raise ExtraSpecNotFound(id=key)

        self._database.transact(work)

    @staticmethod
    def _refuse_in_use(tx: Transaction, volume_type: VolumeType) -> None:
        if volume_types.in_use(tx.connection, volume_type.id):
            raise InvalidVolumeType(
                reason=f"type {volume_type.name} is in use, so its extra specs cannot change."
            )

    # ---- access ------------------------------------------------------------------------------

    def projects_with_access(self, ctx: RequestContext, volume_type: VolumeType) -> Sequence[str]:
        """Raises VolumeTypeNotFound for a public type, to which every project has access."""
        if volume_type.is_public:
            raise VolumeTypeNotFound("Access lists exist for private volume types only.")
        with self._database.read() as connection:
            return volume_types.projects(connection, volume_type.id)

    def add_access(self, ctx: RequestContext, volume_type: VolumeType, project_id: str) -> None:
        """Raises TypeAccessExists, and InvalidVolumeType for a public type."""
        self._refuse_public(volume_type)
        try:
            self._database.transact(lambda tx: volume_types.grant(tx, volume_type.id, project_id))
        except sa.exc.IntegrityError as error:
            raise TypeAccessExists(id=project_id) from error

    def remove_access(self, ctx: RequestContext, volume_type: VolumeType, project_id: str) -> None:
        """Raises TypeAccessNotFound, and InvalidVolumeType for a public type."""
        self._refuse_public(volume_type)
        if not self._database.transact(
            lambda tx: volume_types.revoke(tx, volume_type.id, project_id)
        ):
            raise TypeAccessNotFound(id=project_id)

    @staticmethod
    def _refuse_public(volume_type: VolumeType) -> None:
        if volume_type.is_public:
            raise InvalidVolumeType(reason="a public type needs no access list.")


def resolve(connection: Connection, wanted: str, project_id: str | None) -> VolumeType:
    """A type by id or by name.  Raises VolumeTypeNotFound."""
    try:
        return volume_types.get(connection, wanted, project_id)
    except VolumeTypeNotFound:
        return volume_types.get_by_name(connection, wanted, project_id)


def default_type(connection: Connection, name: str) -> VolumeType:
    """The configured default.  Raises DefaultTypeMisconfigured."""
    try:
        return volume_types.get_by_name(connection, name)
    except VolumeTypeNotFound as error:
        raise DefaultTypeMisconfigured(name=name) from error
