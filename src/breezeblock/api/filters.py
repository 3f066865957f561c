"""The filters of lists: what each list knows, and who may use what in which version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

from breezeblock.api import faults, literals
from breezeblock.domain.listing import Compare, Like

RESTRICTED_SINCE = 31  # filters of non-administrators are the operator's choice
LIKE_SINCE = 34
COUNT_SINCE = 45
OPERATORS = ("gt", "gte", "eq", "neq", "lt", "lte")

MAX_VALUES = 1000  # values of one filter; databases bound the parameters of a statement
MAX_LIKE = 1024  # characters of an inexact filter: no column is longer; databases bound patterns


# No table has a column of this name, so a filter under it matches nothing.
NO_COLUMN = "no such column: "


class Kind(Enum):
    """How the value of a column is read."""

    TEXT = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    TIME = auto()
    MAPPING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list can be filtered and ordered by.

    ``resource`` is its name in the operator's filter file.  ``columns`` are the stored columns a
    caller may know of.  ``renames`` lead from public to stored names; ``sort_renames`` likewise for
    sort keys, with the version from which each holds.  ``since`` names filters that are silently
    dropped below a version.  ``users`` are the filters of non-administrators where no file says
    otherwise; ``users_before`` those they had below 3.31 where these differ, and ``any_before``
    says that then they had every column.
    """

    resource: str
    columns: Mapping[str, Kind]
    users: tuple[str, ...]
    renames: Mapping[str, str] = field(default_factory=dict)
    sort_renames: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)
    users_before: tuple[str, ...] | None = None
    any_before: bool = False
    paged_since: int = 0
    like: bool = True
    counted: bool = False
    compared: frozenset[str] = frozenset()
    strict_since: Mapping[str, int] = field(default_factory=dict)
    strict_all_tenants: bool = False

    def sort_keys(self) -> frozenset[str]:
        """The stored columns that the list can be ordered by."""
        return frozenset(n for n, kind in self.columns.items() if kind is not Kind.MAPPING)

    def sort_names(self, version: int) -> dict[str, str]:
        """Public to stored names of sort keys at this version."""
        return {
            public: stored
            for public, (stored, since) in self.sort_renames.items()
            if version >= since
        }


def _columns(**kinds: str) -> dict[str, Kind]:
    return {name: Kind[kind.upper()] for kind, names in kinds.items() for name in names.split()}


VOLUMES = Listing(
    resource="volume",
    columns=_columns(
        text="id project_id user_id status attach_status migration_status display_name "
        "display_description host cluster_name service_uuid availability_zone volume_type_id "
        "snapshot_id source_volid replication_status group_id name_id previous_status "
        "encryption_key_id provider_id volume_type",
        integer="size",
        boolean="bootable multiattach consumes_quota shared_targets",
        time="created_at updated_at launched_at",
        mapping="metadata glance_metadata",
    ),
    users=(
        *("name", "status", "metadata", "bootable", "migration_status", "availability_zone"),
        *("group_id", "size", "created_at", "updated_at", "consumes_quota"),
    ),
    renames={"name": "display_name", "description": "display_description"},
    sort_renames={"name": ("display_name", 0)},
    since={
        "glance_metadata": 4,
        "group_id": 10,
        "created_at": 60,
        "updated_at": 60,
        "consumes_quota": 65,
    },
    compared=frozenset({"created_at", "updated_at"}),
    counted=True,
    strict_since={"bootable": 2},
    strict_all_tenants=True,
)

SNAPSHOTS = Listing(
    resource="snapshot",
    columns=_columns(
        text="id project_id user_id volume_id status progress display_name display_description "
        "volume_type_id host group_snapshot_id availability_zone encryption_key_id",
        integer="volume_size",
        boolean="consumes_quota",
        time="created_at updated_at",
        mapping="metadata",
    ),
    users=("name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"),
    users_before=("name", "status", "volume_id", "metadata"),
    renames={"name": "display_name", "description": "display_description"},
    sort_renames={"name": ("display_name", 30)},
    since={"metadata": 22, "consumes_quota": 65},
    counted=True,
)

ATTACHMENTS = Listing(
    resource="attachment",
    columns=_columns(
        text="id project_id volume_id attach_status instance_uuid attached_host mountpoint "
        "attach_mode",
        time="attach_time detach_time created_at updated_at",
    ),
    users=("volume_id", "status", "instance_id", "attach_status"),
    renames={"status": "attach_status", "instance_id": "instance_uuid"},
    sort_renames={"status": ("attach_status", 0), "instance_id": ("instance_uuid", 0)},
)

MESSAGES = Listing(
    resource="message",
    columns=_columns(
        text="id project_id request_id resource_type resource_uuid action_id detail_id event_id "
        "message_level",
        time="created_at expires_at",
    ),
    users=("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    renames={"guaranteed_until": "expires_at"},
    sort_renames={"guaranteed_until": ("expires_at", 0)},
    any_before=True,
    paged_since=5,
)

TYPES = Listing(
    resource="volume_type",
    columns=_columns(
        text="id name description",
        boolean="is_public",
        time="created_at updated_at",
        mapping="extra_specs",
    ),
    users=("is_public", "extra_specs"),
    like=False,
)

OPERATIONS = Listing(
    resource="operation",
    columns=_columns(
        text="id kind state resource_type resource_id project_id user_id request_id queue owner "
        "step",
        integer="progress attempts",
        time="created_at started_at updated_at finished_at",
    ),
    users=("kind", "state", "resource_type", "resource_id", "request_id"),
    any_before=True,
)

LISTINGS = (VOLUMES, SNAPSHOTS, ATTACHMENTS, MESSAGES, TYPES, OPERATIONS)
POOL_KEYS = ("name", "volume_type")


def builtin() -> dict[str, frozenset[str]]:
    """The filter table that holds where the operator wrote none."""
    table = {listing.resource: frozenset(listing.users) for listing in LISTINGS}
    table["pool"] = frozenset(POOL_KEYS)
    return table


@dataclass(frozen=True, slots=True)
class FilterTable:
    """The filters that non-administrators may use from 3.31 on, by resource."""

    allowed: Mapping[str, frozenset[str]] = field(default_factory=builtin)

    @classmethod
    def load(cls, path: Path | None) -> FilterTable:
        """Read the operator's file, ``{resource: [key, ...]}``; without one the built-in table.

        A resource that the file leaves out may be filtered by nothing.  Raises ValueError, with
        the file's name, when it cannot be read as such.
        """
        if path is None or not path.exists():
            return cls()
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            named = {str(name): frozenset(map(str, keys)) for name, keys in raw.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise ValueError(f"resource_query_filters_file {path}: {error}") from error
        # Operations are ours: no operator's file knows them, and they would vanish.
        ours = {"operation": frozenset(OPERATIONS.users)}
        return cls({**dict.fromkeys(builtin(), frozenset()), **ours, **named})

    def permits(self, resource: str, key: str) -> bool:
        """Whether the key is listed; listing ``key~`` lists ``key`` too."""
        keys = self.allowed.get(resource, frozenset())
        return key in keys or f"{key}~" in keys


def read(
    listing: Listing,
    given: Mapping[str, str],
    *,
    version: int,
    admin: bool,
    table: FilterTable,
) -> dict[str, Any]:
    """The filters of a `ListQuery` that query parameters (without paging) ask for."""
    filters: dict[str, Any] = {}
    for key, value in given.items():
        like = key.endswith("~")
        name = key[:-1] if like else key
        if version < listing.since.get(name, 0) or not _granted(
            listing, key, version=version, admin=admin, table=table
        ):
            continue
        stored = listing.renames.get(name, name)
        kind = listing.columns.get(stored)
        if kind is None:
            filters[NO_COLUMN + key] = value
        elif like:
            filters[stored] = _like(name, kind, value)
        else:
            filters[stored] = _value(listing, name, stored, kind, value, version)
    return filters


def _granted(listing: Listing, key: str, *, version: int, admin: bool, table: FilterTable) -> bool:
    """Whether the caller gets this filter; one dropped silently is False, one refused is 400."""
    like = key.endswith("~")
    if version < RESTRICTED_SINCE:
        if like:
            return admin
        before = listing.users if listing.users_before is None else listing.users_before
        return admin or listing.any_before or key in before
    known_here = not like or (version >= LIKE_SINCE and listing.like)
    if admin and known_here:
        return True
    if not known_here or not table.permits(listing.resource, key):
        raise faults.bad_request(f"Invalid filters {key[:64]} are found in query options.")
    return True


def _like(name: str, kind: Kind, value: str) -> Like:
    if kind is not Kind.TEXT:
        raise faults.bad_request(f"{name} cannot be compared inexactly.")
    if len(value) > MAX_LIKE:
        raise faults.bad_request(f"{name} must not be longer than {MAX_LIKE} characters.")
    return Like(value)


def _value(listing: Listing, name: str, stored: str, kind: Kind, value: str, version: int) -> Any:
    if kind is Kind.MAPPING:
        return literals.mapping(value, name)
    if stored in listing.compared:
        return comparisons(name, value)
    if kind is Kind.BOOLEAN:
        if version < listing.strict_since.get(name, 0):
            return _lenient(value)
        return literals.boolean(value, name)
    if kind is Kind.TIME:
        return literals.time(value, name)
    literal = literals.python(value)
    if isinstance(literal, (list, tuple, set)):
        if len(literal) > MAX_VALUES:
            raise faults.bad_request(f"{name} takes at most {MAX_VALUES} values.")
        return [None if item is None else literals.text(item, name) for item in literal]
    return None if literal is None else literals.text(literal, name)


def _lenient(value: str) -> bool:
    """Booleans before 3.2: three spellings of each are read, any other text counts as true."""
    return value not in ("False", "false", "FALSE", "")


def comparisons(name: str, value: str) -> list[Compare]:
    """``op:time[,op:time...]`` (3.60), all of which must hold."""
    result = []
    for element in value.split(","):
        operator, separator, moment = element.strip().partition(":")
        if not separator or operator not in OPERATORS:
            raise faults.bad_request(
                f"{name} must be one of {', '.join(OPERATORS)}, a colon and a time."
            )
        result.append(Compare(operator, literals.time(moment, name)))
    return result
