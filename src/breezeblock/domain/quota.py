"""Quota arithmetic: limits by resource, and whether a request fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from breezeblock.domain.errors import OverQuota

RESOURCES = (
    "volumes",
    "snapshots",
    "gigabytes",
    "per_volume_gigabytes",
    "backups",
    "backup_gigabytes",
    "groups",
)
PER_TYPE = ("volumes", "snapshots", "gigabytes")
UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Use:
    """What a project has of one resource: ``reserved`` is what is still in a passing state."""

    in_use: int = 0
    reserved: int = 0

    @property
    def total(self) -> int:
        return self.in_use + self.reserved


def per_type(resource: str, type_name: str) -> str:
    """The quota name of a resource within one volume type."""
    return f"{resource}_{type_name}"


def check(wanted: Mapping[str, int], used: Mapping[str, Use], limits: Mapping[str, int]) -> None:
    """Raises OverQuota for the first resource whose limit ``wanted`` would pass."""
    for resource, amount in wanted.items():
        limit = limits.get(resource, UNLIMITED)
        total = used.get(resource, Use()).total
        if amount > 0 and limit != UNLIMITED and total + amount > limit:
            raise OverQuota(resource=resource, requested=amount, used=total, limit=limit)
