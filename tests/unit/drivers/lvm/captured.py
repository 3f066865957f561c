"""What LVM 2.03.16 really said, word for word."""

from __future__ import annotations

import json
from typing import Any

from breezeblock.drivers.lvm.report import LV_COLUMNS

_COLUMNS = LV_COLUMNS.split(",")

#: Rows of ``lvs -a`` in the order of ``_COLUMNS``.
_ROWS = """\
_snapshot-a|1082130432|swi-a-s---|linear|public,snapshot,thicksnapshot|volume-a|1073741824||0.00||||
_snapshot-t|1073741824|Vwi---tz-k|thin,sparse|public,origin,thinorigin,snapshot,thinsnapshot|\
volume-t||vg0-pool||||x,y|
lvol0_pmspare|8388608|ewi-------|linear|private,pool,spare||||||||
vg0-pool|6949961728|twi-aotz--|thin,pool|private||||12.50|10.74|||
vg0-pool_tdata|6949961728|Twi-ao----|linear|private,thin,pool,data||||||||
vg0-pool_tmeta|8388608|ewi-ao----|linear|private,thin,pool,metadata||||||||
volume-a|1073741824|owi-a-s---|linear|public,origin,thickorigin||1073741824||||||
volume-m|67108864|Rwi-a-r---|raid,raid1|public||||||||
volume-m_rimage_0|67108864|iwi-aor---|linear|private,raid,image||||||||
volume-t|2147483648|Vwi-aotz--|thin,sparse|public,origin,thinorigin|||vg0-pool|0.00||||
"""


def rows() -> list[dict[str, str]]:
    found = []
    for line in _ROWS.splitlines():
        found.append(dict(zip(_COLUMNS, line.split("|"), strict=True)))
    return found


def lvs(*chosen: dict[str, str]) -> str:
    return json.dumps({"report": [{"lv": list(chosen)}]})


def fullreport(**changed: Any) -> str:
    report: dict[str, Any] = {
        "vg": [
            {
                "vg_name": "vg0",
                "vg_size": "17163091968",
                "vg_free": "7163091968",
                "vg_missing_pv_count": "0",
            }
        ],
        "pv": [
            {"pv_name": "/dev/vda", "pv_size": "4290772992", "pv_free": "4290772992"},
            {"pv_name": "/dev/vdb", "pv_size": "4290772992", "pv_free": "4290772992"},
        ],
        "lv": rows(),
        "pvseg": [{}, {}],
        "seg": [],
    }
    return json.dumps({"report": [{**report, **changed}]})


#: A command's exit code and standard error -> what it means (the class's name).
REFUSALS = [
    (5, 'Logical Volume "volume-a" already exists in volume group "vg0"', "NameTaken"),
    (5, 'Logical Volume "volume-t3" already exists in volume group "vg0"', "NameTaken"),
    (
        5,
        'Volume group "vg0" has insufficient free space (3836 extents): 25600 required.',
        "NoSpace",
    ),
    (5, "Insufficient free space: 51168 extents needed, but only 2236 available", "NoSpace"),
    (
        5,
        'Volume group "vgnone" not found\n  Cannot process volume group vgnone',
        "VolumeGroupMissing",
    ),
    (5, 'Failed to find logical volume "vg0/none"', "LogicalVolumeMissing"),
    (
        5,
        "Snapshot origin LV volume-none not found in Volume group vg0.",
        "LogicalVolumeMissing",
    ),
    (5, "Pool nopool not found in Volume group vg0.", "LogicalVolumeMissing"),
    (5, "Logical volume none not found in volume group vg0.", "LogicalVolumeMissing"),
    (
        5,
        'Existing logical volume "none" not found in volume group "vg0"',
        "LogicalVolumeMissing",
    ),
    (5, "Logical volume vg0/volume-t in use.", "InUse"),
    (5, "New size (256 extents) matches existing size (256 extents).", "AlreadyThatLarge"),
    (
        5,
        "New size given (250 extents) not larger than existing size (256 extents)",
        "AlreadyThatLarge",
    ),
    (
        5,
        "Snapshot origin volumes can be resized only while inactive: try lvchange -an.",
        "OriginActive",
    ),
    (5, "Please specify either size or extents with snapshots.", "WrongKind"),
    (
        5,
        "Command on LV vg0/_snapshot-a is invalid on LV with properties: lv_is_merging_cow .\n"
        "  Command not permitted on LV vg0/_snapshot-a.",
        "WrongKind",
    ),
    (5, "Something nobody has seen", "LvmError"),
    (1, "Failed to find logical volume", "LvmError"),
]
