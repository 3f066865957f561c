"""Requests about what the operator has: services, pools, capabilities, availability zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breezeblock.api import faults, literals
from breezeblock.api.call import Call
from breezeblock.api.views.services import SERVICE
from breezeblock.domain.resources import Pool, Service

POOL_FILTERS_SINCE = 28
POOL_TYPE_SINCE = 35


def services(call: Call[None]) -> dict[str, Any]:
    states = call.services.backends.services(
        call.ctx, host=call.query.get("host"), binary=call.query.get("binary")
    )
    shown = SERVICE.show(states, None, version=call.version, allows=call.allows)
    return {"services": shown}


def enable(call: Call[None]) -> dict[str, Any]:
    return _switched(_set_disabled(call, disabled=False))


def disable(call: Call[None]) -> dict[str, Any]:
    return _switched(_set_disabled(call, disabled=True))


def disable_with_reason(call: Call[None]) -> dict[str, Any]:
    reason = call.body["disabled_reason"]
    service = _set_disabled(call, disabled=True, reason=reason)
    return {**_switched(service), "disabled_reason": reason}


def _set_disabled(call: Call[None], *, disabled: bool, reason: str | None = None) -> Service:
    body = call.body
    return call.services.backends.set_disabled(
        call.ctx,
        host=body["host"],
        binary=body.get("binary") or body["service"],
        disabled=disabled,
        reason=reason,
    )


def _switched(service: Service) -> dict[str, Any]:
    return {
        "host": service.host,
        "service": service.binary,
        "binary": service.binary,
        "status": "disabled" if service.disabled else "enabled",
        "disabled": service.disabled,
    }


def pools(call: Call[None]) -> dict[str, Any]:
    detail = literals.boolean(call.query.get("detail", False), "detail")
    found = call.services.backends.pools(call.ctx, filters=_pool_filters(call))
    return {"pools": [_pool(pool, detail) for pool in found]}


def _pool_filters(call: Call[None]) -> Mapping[str, str]:
    """Before 3.28 there are no filters; then the operator's file rules, for administrators too."""
    if call.version < POOL_FILTERS_SINCE:
        return {}
    given = {name: value for name, value in call.query.items() if name != "detail"}
    if call.version < POOL_TYPE_SINCE:
        given.pop("volume_type", None)
    for name in given:
        if not call.tools.filters.permits("pool", name):
            raise faults.bad_request(f"Invalid filters {name[:64]} are found in query options.")
    return given


def _pool(pool: Pool, detail: bool) -> dict[str, Any]:
    if not detail:
        return {"name": pool.name}
    capabilities = dict(pool.capabilities)
    protocol = capabilities.get("storage_protocol")
    if isinstance(protocol, (list, tuple)) and protocol:
        # Drivers name a protocol by all its spellings; the first is the one to show.
        capabilities["storage_protocol"] = protocol[0]
    return {"name": pool.name, "capabilities": capabilities}


def capabilities(call: Call[None]) -> dict[str, Any]:
    host = call.params["id"]
    if len(host) > 255 or not host.isprintable():
        raise faults.Fault(404, "No such backend.")
    return dict(call.services.backends.capabilities(call.ctx, host))


def availability_zones(call: Call[None]) -> dict[str, Any]:
    zones = call.services.backends.availability_zones(call.ctx)
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": available}}
            for name, available in zones.items()
        ]
    }
