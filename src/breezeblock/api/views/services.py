"""What clients see of the services."""

from __future__ import annotations

from breezeblock.api.views.view import (
    ABSENT,
    BOOLEAN,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    Field,
    View,
    time,
)
from breezeblock.services.backends import ServiceState

VOLUME_BINARY = "cinder-volume"

_F = Field[ServiceState, None]


def _of_volume(s: ServiceState, value: object) -> object:
    """``value`` for services that serve volumes; the others lack the field."""
    return value if s.service.binary == VOLUME_BINARY else ABSENT


def _up(state: bool | None) -> str | None:
    return None if state is None else "up" if state else "down"


SERVICE = View[ServiceState, None](
    (
        _F("binary", lambda s, _: s.service.binary, TEXT),
        _F("host", lambda s, _: s.service.host, TEXT),
        _F("zone", lambda s, _: s.service.availability_zone, TEXT),
        _F("status", lambda s, _: "disabled" if s.service.disabled else "enabled", TEXT),
        _F("state", lambda s, _: _up(s.up), TEXT),
        _F(
            "updated_at",
            lambda s, _: time(s.service.heartbeat_at or s.service.updated_at),
            TIME_OR_NULL,
        ),
        _F("disabled_reason", lambda s, _: s.service.disabled_reason, TEXT_OR_NULL),
        _F(
            "replication_status",
            lambda s, _: _of_volume(s, s.service.replication_status),
            TEXT_OR_NULL,
            optional=True,
        ),
        _F(
            "active_backend_id",
            lambda s, _: _of_volume(s, s.service.active_backend_id),
            TEXT_OR_NULL,
            optional=True,
        ),
        _F("frozen", lambda s, _: _of_volume(s, s.service.frozen), BOOLEAN, optional=True),
        _F("cluster", lambda s, _: s.service.cluster_name, TEXT_OR_NULL, since=7),
        _F(
            "backend_state",
            lambda s, _: _of_volume(s, _up(s.backend_up)),
            TEXT_OR_NULL,
            since=49,
            optional=True,
        ),
    )
)
