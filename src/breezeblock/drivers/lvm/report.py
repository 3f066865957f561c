"""What ``lvs``, ``vgs`` and ``lvm fullreport`` say (lvmreport(7), JSON), as records.  Bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from breezeblock.drivers.lvm.attributes import Attributes
from breezeblock.drivers.lvm.errors import LvmError

#: The columns of a logical volume that ``LogicalVolume`` needs.
LV_COLUMNS = (
    "lv_name,lv_size,lv_attr,lv_layout,lv_role,origin,origin_size,pool_lv,data_percent,metadata_percent,"
    "lv_health_status,lv_tags,lv_merging"
)
VG_COLUMNS = "vg_name,vg_size,vg_free,vg_missing_pv_count"
PV_COLUMNS = "pv_name,pv_size,pv_free"

#: Arguments of every report: exact bytes, and hidden volumes (``-a``) under their bare names.
FORM = (
    "-a",
    "--reportformat",
    "json",
    "--units",
    "b",
    "--nosuffix",
    "--config",
    "report/mark_hidden_devices=0",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalVolume:
    """One logical volume.

    ``size`` of a thick snapshot is its room for differences, ``origin_size`` what it shows.
    ``origin`` is what it is a snapshot of, ``pool`` its thin pool, both "" if there is none.
    ``data_percent`` is how full a thin pool, thin volume or thick snapshot is, None while it is
    inactive.
    """

    name: str
    size: int
    attributes: Attributes
    layout: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    origin: str = ""
    origin_size: int = 0
    pool: str = ""
    data_percent: float | None = None
    metadata_percent: float | None = None
    health: str = ""
    tags: frozenset[str] = frozenset()
    merging: bool = False

    @property
    def is_thin(self) -> bool:
        """A thin volume or thin snapshot."""
        return "thin" in self.layout and "pool" not in self.layout

    @property
    def is_thin_pool(self) -> bool:
        return "thin" in self.layout and "pool" in self.layout

    @property
    def is_public(self) -> bool:
        """Not a part of another volume, nor a pool."""
        return "public" in self.roles

    @property
    def is_thick_snapshot(self) -> bool:
        return "thicksnapshot" in self.roles

    @property
    def is_thick_origin(self) -> bool:
        """A thick volume with snapshots, which would go with it."""
        return "thickorigin" in self.roles

    @property
    def shown_size(self) -> int:
        """How many bytes can be read from it."""
        return self.origin_size if self.is_thick_snapshot else self.size

    @property
    def is_mirrored(self) -> bool:
        return bool(self.layout & {"mirror", "raid1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalVolume:
    """One disk of a group."""

    name: str
    size: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """One volume group as it was at one moment."""

    name: str
    size: int
    free: int
    missing_disks: int
    disks: tuple[PhysicalVolume, ...]
    volumes: Mapping[str, LogicalVolume]

    def find(self, name: str) -> LogicalVolume | None:
        return self.volumes.get(name)


def parse_group(text: str) -> GroupReport:
    """The answer of ``lvm fullreport`` on one group."""
    report = _reports(text)[0]
    (group,) = report["vg"]
    return GroupReport(
        name=group["vg_name"],
        size=int(group["vg_size"]),
        free=int(group["vg_free"]),
        missing_disks=int(group["vg_missing_pv_count"] or 0),
        disks=tuple(
            PhysicalVolume(name=r["pv_name"], size=int(r["pv_size"]), free=int(r["pv_free"]))
            for r in report["pv"]
        ),
        volumes={volume.name: volume for volume in _volumes(report["lv"])},
    )


def parse_volumes(text: str) -> list[LogicalVolume]:
    """The answer of ``lvs``; none for an empty one."""
    if not text.strip():
        return []
    return [volume for report in _reports(text) for volume in _volumes(report["lv"])]


def _reports(text: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(text)["report"]
    except (ValueError, KeyError) as failure:
        raise LvmError(reason=f"LVM's report is not the JSON it should be: {failure}") from failure
    return found


def _volumes(rows: Iterable[Mapping[str, str]]) -> Iterable[LogicalVolume]:
    for row in rows:
        yield LogicalVolume(
            name=row["lv_name"],
            size=int(row["lv_size"]),
            attributes=Attributes.parse(row["lv_attr"]),
            layout=_words(row["lv_layout"]),
            roles=_words(row["lv_role"]),
            origin=row["origin"],
            origin_size=int(row["origin_size"] or 0),
            pool=row["pool_lv"],
            data_percent=_percent(row["data_percent"]),
            metadata_percent=_percent(row["metadata_percent"]),
            health=row["lv_health_status"],
            tags=_words(row["lv_tags"]),
            merging=bool(row["lv_merging"]),
        )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(",")) if text else frozenset()


def _percent(text: str) -> float | None:
    return float(text) if text else None
