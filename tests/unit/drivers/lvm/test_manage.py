"""The listing of what could be managed, its paging, and what may be referenced."""

from __future__ import annotations

from typing import Any

import pytest
from tests import tgtd
from tests.unit.drivers.lvm import captured

from breezeblock.domain.errors import InvalidInput
from breezeblock.drivers.errors import ManageExistingInvalidReference
from breezeblock.drivers.lvm.manage import snapshot_rows, source_name, volume_rows
from breezeblock.drivers.lvm.migrate import Location, destination
from breezeblock.drivers.lvm.report import LogicalVolume, parse_volumes
from breezeblock.drivers.manageable_listing import page, row


def found() -> list[LogicalVolume]:
    return parse_volumes(captured.lvs(*captured.rows()))


def test_rows_of_volumes() -> None:
    rows = {one["reference"]["source-name"]: one for one in volume_rows(found(), [])}
    assert set(rows) == {"volume-a", "volume-m", "volume-t"}
    assert rows["volume-m"]["size"] == 1
    assert rows["volume-t"] == {
        "reference": {"source-name": "volume-t"},
        "size": 2,
        "safe_to_manage": False,
        "reason_not_safe": "volume in use",
        "cinder_id": None,
        "extra_info": None,
    }
    assert rows["volume-a"]["safe_to_manage"] is True


def test_rows_that_are_ours() -> None:
    one = tgtd.volume()
    mine = dict(captured.rows()[6], lv_name=one.name)
    (listed,) = volume_rows(parse_volumes(captured.lvs(mine)), [one])
    assert listed["cinder_id"] == one.id
    assert listed["safe_to_manage"] is False
    assert listed["reason_not_safe"] == "already managed"


def test_rows_of_snapshots() -> None:
    rows = {one["reference"]["source-name"]: one for one in snapshot_rows(found(), [])}
    assert set(rows) == {"_snapshot-a", "_snapshot-t"}
    assert rows["_snapshot-a"]["source_reference"] == {"source-name": "volume-a"}
    # Its room for differences is larger than what it shows.
    assert rows["_snapshot-a"]["size"] == rows["_snapshot-t"]["size"] == 1


@pytest.mark.parametrize("reference", [{}, {"source-id": "x"}, {"source-name": ""}, None, 3])
def test_references_without_a_name(reference: Any) -> None:
    with pytest.raises(ManageExistingInvalidReference, match="source-name"):
        source_name(reference)


def test_references() -> None:
    assert source_name({"source-name": "lv"}) == source_name("lv") == source_name("vg/lv") == "lv"


ROWS = [row("b", 1), row("a", 2), row("c", 1)]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, "bac"),
        ({"sort_keys": ["reference"], "sort_dirs": ["asc"]}, "abc"),
        ({"sort_keys": ["reference"], "sort_dirs": ["desc"]}, "cba"),
        ({"sort_keys": ["size", "reference"], "sort_dirs": ["desc", "asc"]}, "abc"),
        ({"sort_keys": ["size", "reference"], "sort_dirs": ["asc", "desc"]}, "cba"),
        ({"limit": 2}, "ba"),
        ({"limit": 2, "offset": 1}, "ac"),
        ({"marker": {"source-name": "b"}}, "ac"),
        ({"marker": {"source-name": "b"}, "offset": 1, "limit": 5}, "c"),
        ({"offset": 9}, ""),
    ],
)
def test_pages(asked: dict[str, Any], names: str) -> None:
    assert "".join(one["reference"]["source-name"] for one in page(ROWS, **asked)) == names


@pytest.mark.parametrize(
    "asked",
    [
        {"marker": {"source-name": "z"}},
        {"sort_keys": ["color"], "sort_dirs": ["asc"]},
        {"sort_keys": ["size"], "sort_dirs": ["asc", "asc"]},
    ],
)
def test_pages_that_cannot_be(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        page(ROWS, **asked)


def test_locations() -> None:
    own = Location("LVMVolumeDriver", "here", "one", "thin", 0)
    assert str(own) == "LVMVolumeDriver:here:one:thin:0"
    assert Location.parse(str(own)) == own

    def there(text: object) -> Location | None:
        return destination({"capabilities": {"location_info": text}}, own)

    assert there("LVMVolumeDriver:here:two:default:1") == Location(
        "LVMVolumeDriver", "here", "two", "default", 1
    )
    for other in (None, "", "LVMVolumeDriver:away:two:thin:0", "RBD:here:two:thin:0", "a:b:c:d:e"):
        assert there(other) is None
    assert destination({"host": "here@two"}, own) is None
