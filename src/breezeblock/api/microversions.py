"""The microversions served, what each one adds, and which one a request gets.

Every version is 3.N, so inside the API a version is its minor number alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAJOR = 3
HEADER = "OpenStack-API-Version"
SERVICE = "volume"

_NUMBER = re.compile(r"([1-9][0-9]*)\.(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Microversion:
    """One version: its minor number and what a client gains by asking for it."""

    minor: int
    adds: str


VERSIONS: tuple[Microversion, ...] = tuple(
    Microversion(minor, adds)
    for minor, adds in enumerate(
        (
            "The core interface.",
            "Visibility and protection of images made from volumes.",
            "The `bootable` filter of volume lists takes booleans only.",
            "User messages.",
            "The `glance_metadata` filter of volume lists.",
            "Paging, order and filters of message lists.",
            "Consistency groups may be given an empty name or description.",
            "Clusters; the `cluster` of a service.",
            "Lists of volumes and snapshots that could be managed.",
            "Backups can be renamed and described anew.",
            "The `group_id` filter of volume lists.",
            "Group types.",
            "Totals of volumes.",
            "Volume groups; `group_id` of a volume.",
            "Group snapshots; `group_snapshot_id` of a snapshot.",
            "Etag of volume metadata, and If-Match on its writes.",
            "A cluster as the destination of migrations and managed volumes.",
            "A cluster in lists of what could be managed.",
            "The project of a backup, for administrators.",
            "Forcing the status of group snapshots.",
            "Forcing the status of groups.",
            "`provider_id` of a volume, for administrators.",
            "The `metadata` filter of snapshot lists.",
            "The `force` flag of volume deletion.",
            "Cleaning up after dead services.",
            "The volumes of a group in group views.",
            "Failover of backends and clusters; replication fields of clusters.",
            "Attachments.",
            "Filters of pool lists.",
            "Paging, order and filters of group snapshot lists.",
            "Snapshots ordered by name.",
            "Filters of non-administrators are those the operator allows.",
            "Log levels of services.",
            "The configured filters can be read.",
            "Inexact filters, `key~=value`.",
            "The `volume_type` filter of pool lists.",
            "Metadata in totals of volumes.",
            "Backups ordered by name.",
            "Replication of groups.",
            "Limits of a project, for administrators.",
            "Reverting a volume to its latest snapshot.",
            "`user_id` of a snapshot.",
            "Extending volumes in use.",
            "Metadata of backups.",
            "Completion of attachments.",
            "The number of matches in lists of volumes, snapshots and backups.",
            "Volumes from images that are snapshots of servers.",
            "Volumes from backups.",
            "`shared_targets` and `service_uuid` of a volume.",
            "`backend_state` of a service.",
            "Marks that volumes can be attached more than once.",
            "Availability zone of a new backup.",
            "The `extra_specs` filter of type lists; types bound to zones.",
            "Unknown keys are refused when a volume is created or updated.",
            "`mode` of a new attachment.",
            "Transfers take a volume's snapshots along, or not.",
            "`user_id` of a backup, for administrators.",
            "History of transfers.",
            "Projects of groups and group snapshots, for administrators.",
            "Paging and order of transfer lists.",
            "Time comparisons in filters of volume lists.",
            "`cluster_name` of a volume, for administrators.",
            "Default volume types of projects.",
            "`volume_type_id` of a volume.",
            "`encryption_key_id` of volumes and backups.",
            "`consumes_quota` of volumes and snapshots.",
            "Snapshots of volumes in use without `force`.",
            "URLs without a project.",
            "Rewriting a volume from an image.",
            "`shared_targets` may be null.",
            "Transfers of encrypted volumes.",
            "Completion of extending a volume in use.",
        )
    )
)

MIN = VERSIONS[0].minor
MAX = VERSIONS[-1].minor


class MalformedVersion(ValueError):
    """The version header says nothing that could be a version; answered with 400."""


class VersionNotServed(ValueError):
    """A well formed version that is not among `VERSIONS`; answered with 406."""

    def __init__(self, requested: str) -> None:
        self.requested = requested
        super().__init__(
            f"Version {requested} is not supported by the API. "
            f"Minimum is {text(MIN)} and maximum is {text(MAX)}."
        )


def text(minor: int) -> str:
    """The version as people write it, for example ``3.27``."""
    return f"{MAJOR}.{minor}"


# Clients send one of a handful of values; the bound keeps strangers from filling memory.
@lru_cache(maxsize=256)
def negotiate(header: str | None) -> int:
    """The minor version asked for by the value of the version header; `MIN` without a header.

    The value may name several services, comma-separated; the first element with the word
    ``volume`` counts.
    """
    if header is None:
        return MIN
    for element in header.split(","):
        if SERVICE in element:
            words = element.split()
            if len(words) != 2 or words[0] != SERVICE:
                break
            return parse(words[1])
    raise MalformedVersion(
        f"The header {HEADER} must be '{SERVICE} {MAJOR}.N' or '{SERVICE} latest'."
    )


def parse(value: str) -> int:
    """The minor version that ``3.N`` or ``latest`` stands for."""
    if value == "latest":
        return MAX
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise MalformedVersion(
            f"API version string '{value}' is of invalid format: it must be M.N."
        )
    major, minor = match.groups()
    # Nine digits are more than any version has, and a number int() takes without a limit.
    if major != str(MAJOR) or len(minor) > 9 or not MIN <= int(minor) <= MAX:
        raise VersionNotServed(value)
    return int(minor)
