"""Taking over what the backend has already, and letting go of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breezeblock.conformance.bench import Bench, broken, is_plain
from breezeblock.conformance.contents import Contents, few_places
from breezeblock.conformance.support import require
from breezeblock.conformance.volume_data import VolumeData
from breezeblock.domain.errors import BreezeblockError
from breezeblock.domain.resources import Volume

_COLUMNS = {
    "reference",
    "size",
    "safe_to_manage",
    "reason_not_safe",
    "cinder_id",
    "extra_info",
}


def _listed(bench: Bench, known: Sequence[Volume]) -> list[dict[str, Any]]:
    rows = bench.driver.get_manageable_volumes(known, None, 1000, 0, ["size"], ["asc"])
    for row in rows:
        if missing := _COLUMNS - set(row):
            broken("a row of get_manageable_volumes is complete", f"missing: {sorted(missing)}")
        is_plain(row, "a row of get_manageable_volumes is JSON")
    return rows


def test_managed_volume_is_listed_as_ours(bench: Bench) -> None:
    require(bench.driver, "get_manageable_volumes")
    volume = bench.created()
    ours = [row for row in _listed(bench, [volume]) if row["cinder_id"] == volume.id]
    if not ours:
        broken("get_manageable_volumes lists volumes of ours with their cinder_id")
    if ours[0]["safe_to_manage"] or not ours[0]["reason_not_safe"]:
        broken("a volume of ours is not safe to manage, with the reason", f"{ours[0]}")


def test_let_go_and_take_over(bench: Bench, data: VolumeData) -> None:
    require(bench.driver, "get_manageable_volumes", "manage_existing", "manage_existing_get_size")
    before = {str(row["reference"]) for row in _listed(bench, [])}
    volume = bench.created()
    contents = Contents.empty().stamped("managed", few_places(Contents.empty().size))
    data.write(bench.driver, volume, "managed", contents.tags)
    bench.driver.unmanage(volume)
    rows = [row for row in _listed(bench, []) if str(row["reference"]) not in before]
    if len(rows) != 1 or not rows[0]["safe_to_manage"]:
        broken("an unmanaged volume is listed as one that may be managed", f"{rows}")
    reference: Mapping[str, Any] = rows[0]["reference"]
    taken = bench.volume()
    size = bench.driver.manage_existing_get_size(taken, reference)
    if size != 1 or rows[0]["size"] != 1:
        broken("manage_existing_get_size and the listing tell GiB", f"{size}, {rows[0]['size']}")
    update = bench.driver.manage_existing(taken, reference)
    taken = bench.updated(taken, update, "manage_existing")
    bench.expect_held(taken, "a managed volume is one of ours")
    data.expect(bench.driver, taken, contents, "a managed volume keeps its bytes")


def test_reference_to_nothing(bench: Bench) -> None:
    require(bench.driver, "manage_existing", "manage_existing_get_size")
    volume = bench.volume()
    for method in (bench.driver.manage_existing_get_size, bench.driver.manage_existing):
        for reference in ({"source-name": "no-such-volume"}, {"nonsense": "nonsense"}):
            try:
                method(volume, reference)
            except BreezeblockError:
                continue
            broken(f"{method.__name__} refuses a reference to nothing", f"{reference}")


def test_let_go_and_take_over_a_snapshot(bench: Bench) -> None:
    require(
        bench.driver,
        "get_manageable_snapshots",
        "manage_existing_snapshot",
        "manage_existing_snapshot_get_size",
    )
    volume = bench.created()
    snapshot = bench.snapped(volume)
    bench.driver.unmanage_snapshot(snapshot)
    rows = [
        row
        for row in bench.driver.get_manageable_snapshots([], None, 1000, 0, ["size"], ["asc"])
        if row["safe_to_manage"] and snapshot.id in str(row["reference"])
    ]
    if len(rows) != 1 or "source_reference" not in rows[0]:
        broken("an unmanaged snapshot is listed with its source", f"{rows}")
    taken = bench.snapshot(volume)
    if bench.driver.manage_existing_snapshot_get_size(taken, rows[0]["reference"]) != 1:
        broken("manage_existing_snapshot_get_size tells GiB")
    update = bench.driver.manage_existing_snapshot(taken, rows[0]["reference"])
    bench.expect_held(
        bench.updated(taken, update, "manage_existing_snapshot"),
        "a managed snapshot is one of ours",
    )
