"""What the operator has: services, pools, capabilities, availability zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Connection

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import AvailabilityZoneUnknown, NotFound
from breezeblock.domain.hosts import backend_name
from breezeblock.domain.resources import Pool, Service
from breezeblock.services.deployment import Deployment, Rules
from breezeblock.store import pools, services
from breezeblock.store.clock import now


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service and whether it is up; ``backend_up`` is None for services without a backend."""

    service: Service
    up: bool
    backend_up: bool | None


class Backends:
    """Requests about services, pools and zones."""

    def __init__(self, deployment: Deployment) -> None:
        self._database = deployment.database
        self._rules = deployment.rules

    def services(
        self, ctx: RequestContext, *, host: str | None = None, binary: str | None = None
    ) -> Sequence[ServiceState]:
        """All services; ``host`` matches ``host`` and ``host@backend``."""
        with self._database.read() as connection:
            known = services.all_of(connection)
            states = [self._state(connection, service) for service in known]
        return [
            state
            for state in states
            if (host is None or host in (state.service.host, state.service.host.split("@")[0]))
            and binary in (None, state.service.binary)
        ]

    def _state(self, connection: Connection, service: Service) -> ServiceState:
        oldest = now() - timedelta(seconds=self._rules.service_down_time)
        up = service.heartbeat_at is not None and service.heartbeat_at >= oldest
        if backend_name(service.host) is None:
            return ServiceState(service, up, None)
        reported = pools.of_service(connection, service.host)
        backend_up = all(p.capabilities.get("backend_state", "up") == "up" for p in reported)
        return ServiceState(service, up, backend_up if reported else None)

    def set_disabled(
        self,
        ctx: RequestContext,
        *,
        host: str,
        binary: str,
        disabled: bool,
        reason: str | None = None,
    ) -> Service:
        """Take a backend out of placement, or put it back.  Raises ServiceNotFound."""
        return self._database.transact(
            lambda tx: services.change(
                tx, host, binary, disabled=disabled, disabled_reason=reason if disabled else None
            )
        )

    def pools(
        self, ctx: RequestContext, *, filters: Mapping[str, Any] | None = None
    ) -> Sequence[Pool]:
        """Pools of enabled, live services, with allocated and free capacity as of now.

        ``filters`` are pool ``name`` and capabilities by name, compared as text.
        """
        alive_since = now() - timedelta(seconds=self._rules.service_down_time)
        with self._database.read() as connection:
            known = [_current(p) for p in pools.of_live_services(connection, alive_since)]
        return [pool for pool in known if _matches(pool, filters or {})]

    def capabilities(self, ctx: RequestContext, host: str) -> Mapping[str, Any]:
        """The capabilities document of ``host@backend``.  Raises NotFound."""
        with self._database.read() as connection:
            document = services.capabilities(connection, host)
        if not document:
            raise NotFound(id=host)
        return document

    def availability_zones(self, ctx: RequestContext) -> Mapping[str, bool]:
        """Zone name to whether any volume service in it is enabled."""
        with self._database.read() as connection:
            return zones(connection)


def _current(pool: Pool) -> Pool:
    capabilities = dict(pool.capabilities)
    capabilities["allocated_capacity_gb"] = pool.allocated_gb + pool.consumed_gb
    for name, change in (("free_capacity_gb", -1), ("provisioned_capacity_gb", 1)):
        if isinstance(capabilities.get(name), (int, float)):
            capabilities[name] = capabilities[name] + change * pool.consumed_gb
    capabilities["timestamp"] = pool.reported_at.isoformat() if pool.reported_at else None
    return replace(pool, capabilities=capabilities)


def _matches(pool: Pool, filters: Mapping[str, Any]) -> bool:
    return all(
        pool.name == value if name == "name" else str(pool.capabilities.get(name)) == str(value)
        for name, value in filters.items()
    )


def zones(connection: Connection) -> dict[str, bool]:
    """Availability zones of the volume services: whether any service of it is enabled."""
    found: dict[str, bool] = {}
    for service in services.all_of(connection):
        if service.binary == "cinder-volume":
            zone = service.availability_zone
            found[zone] = found.get(zone, False) or not service.disabled
    return found


def resolve_zone(
    connection: Connection, rules: Rules, wanted: str | None, *, source_zone: str | None = None
) -> str:
    """The zone of a new volume.

    What is asked for, else the source's, else the default.  Raises AvailabilityZoneUnknown.
    """
    default = rules.default_availability_zone or rules.storage_availability_zone
    zone = wanted or source_zone or default
    if zone in (default, source_zone) or zone in zones(connection):
        return zone
    if rules.allow_availability_zone_fallback:
        return default
    raise AvailabilityZoneUnknown(zone=zone)
