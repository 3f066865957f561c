"""The query parameters of the routes, as the OpenAPI document shows them."""

from __future__ import annotations

from breezeblock.api.filters import COUNT_SINCE
from breezeblock.api.literals import FALSE, TRUE
from breezeblock.api.paging import MAX_OFFSET
from breezeblock.api.route import Query

_BOOLEAN = {"type": "string", "enum": [*TRUE, *FALSE]}
_ID = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}

# `sort_key` and `sort_dir` are served too, but what is new should be written with `sort`.
PAGING = (
    Query("limit", {"type": "integer", "minimum": 0}),
    Query("offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET}),
    Query("marker", _ID),
    Query("sort", {"type": "string", "description": "key[:asc|:desc], comma-separated"}),
)
ALL_TENANTS = Query("all_tenants", _BOOLEAN)
# All lists but that of volumes read what is no boolean as false.
ALL_TENANTS_LENIENT = Query("all_tenants")
WITH_COUNT = Query("with_count", _BOOLEAN, since=COUNT_SINCE)


def filters_of(*names: str) -> tuple[Query, ...]:
    """Filters whose values are texts."""
    return tuple(Query(name) for name in names)


_COMPARISON = {"type": "string", "description": "op:time, comma-separated; op as gt, gte, eq..."}

VOLUME_FILTERS = (
    *filters_of("name", "status", "migration_status", "availability_zone", "size"),
    Query("metadata", {"type": "string", "description": "A dictionary: {'key': 'value'}"}),
    Query("bootable", _BOOLEAN),
    Query("group_id", since=10),
    Query("created_at", _COMPARISON, since=60),
    Query("updated_at", _COMPARISON, since=60),
    Query("consumes_quota", _BOOLEAN, since=65),
)
DELETE_FLAGS = (Query("cascade", _BOOLEAN), Query("force", _BOOLEAN, since=23))
IS_PUBLIC = Query("is_public", {"type": "string", "enum": ["none", *TRUE, *FALSE]})
LIMITS_PROJECT = (Query("project_id", since=39), Query("tenant_id", since=39))
POOL_DETAIL = (
    Query("detail", _BOOLEAN),
    Query("name", since=28),
    Query("volume_type", since=35),
)
FILTERS_OF_SERVICES = filters_of("host", "binary")
USAGE = Query("usage", _BOOLEAN)
