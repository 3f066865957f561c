"""What the driver makes of a group and its options at the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.drivers.lvm import captured
from tests.unit.drivers.lvm.test_commands import Options, Script, group

from breezeblock.drivers.errors import BackendMisconfigured
from breezeblock.drivers.lvm.journal import Journal
from breezeblock.drivers.lvm.setup import check, make_pool
from breezeblock.drivers.lvm.site import Site

VERSION = "  LVM version:     2.03.16(2) (2022-05-18)\n"
POOL = next(row for row in captured.rows() if row["lv_name"] == "vg0-pool")
THICK = next(row for row in captured.rows() if row["lv_name"] == "volume-a")
EMPTY = captured.fullreport(lv=[])


class SiteOptions(Options):
    state_path = ""
    volume_clear = "zero"
    volume_clear_size = 0
    volume_clear_ionice: str | None = None
    lvm_clear_new_volumes = True


def site(tmp_path: Path, *answers: Any, mirrors: int = 0) -> tuple[Site, Script]:
    script = Script(*answers)
    return Site(group(script), Journal(tmp_path), SiteOptions(), "lvm", mirrors), script


def with_volumes(*rows: dict[str, str]) -> str:
    return captured.fullreport(lv=list(rows))


@pytest.mark.parametrize(
    ("lvm_type", "report", "thin"),
    [
        ("default", EMPTY, False),
        ("default", with_volumes(POOL), False),
        ("auto", with_volumes(THICK), False),
        ("auto", with_volumes(THICK, POOL), True),
        ("thin", with_volumes(POOL), True),
    ],
)
def test_what_new_volumes_are(tmp_path: Path, lvm_type: str, report: str, thin: bool) -> None:
    made, _ = site(tmp_path, report, VERSION)
    assert check(made, lvm_type) is thin


@pytest.mark.parametrize("lvm_type", ["auto", "thin"])
def test_the_pool_is_made(tmp_path: Path, lvm_type: str) -> None:
    made, script = site(tmp_path, EMPTY, VERSION, "")
    make_pool(made, lvm_type)
    assert script.commands[2] == ["lvcreate", "-y", "-Zy", "-T", "-l", "95%FREE", "vg0/vg0-pool"]


def test_a_look_makes_no_pool(tmp_path: Path) -> None:
    made, script = site(tmp_path, EMPTY, VERSION)
    with pytest.raises(BackendMisconfigured, match="no thin pool vg0-pool yet"):
        check(made, "auto")
    assert len(script.commands) == 2


def test_a_pool_that_is_there_is_left_alone(tmp_path: Path) -> None:
    made, script = site(tmp_path, with_volumes(POOL))
    make_pool(made, "thin")
    assert len(script.commands) == 1


def test_an_old_lvm(tmp_path: Path) -> None:
    old = VERSION.replace("2.03.16", "2.02.90")
    old = old.replace("2.02", "2.2")
    made, _ = site(tmp_path, EMPTY, old)
    assert check(made, "auto") is False
    made, _ = site(tmp_path, EMPTY, old)
    with pytest.raises(BackendMisconfigured, match="no thin volumes"):
        check(made, "thin")


def test_mirrors_are_thick(tmp_path: Path) -> None:
    made, _ = site(tmp_path, EMPTY, mirrors=1)
    assert check(made, "auto") is False
    made, _ = site(tmp_path, EMPTY, mirrors=1)
    with pytest.raises(BackendMisconfigured, match="lvm_mirrors"):
        check(made, "thin")


def test_no_group(tmp_path: Path) -> None:
    missing = 'Volume group "vg0" not found\n  Cannot process volume group vg0'
    made, _ = site(tmp_path, (5, missing))
    with pytest.raises(BackendMisconfigured, match="vgcreate vg0"):
        check(made, "auto")


def test_a_pool_without_zeroing(tmp_path: Path) -> None:
    careless = {**POOL, "lv_attr": "twi-aot---"}
    made, _ = site(tmp_path, with_volumes(careless), VERSION)
    with pytest.raises(BackendMisconfigured, match="lvchange -Zy vg0/vg0-pool"):
        check(made, "auto")


def test_something_else_of_the_pools_name(tmp_path: Path) -> None:
    made, _ = site(tmp_path, with_volumes({**THICK, "lv_name": "vg0-pool"}), VERSION)
    with pytest.raises(BackendMisconfigured, match="no thin pool"):
        check(made, "thin")


def test_a_priority_that_is_none(tmp_path: Path) -> None:
    made, script = site(tmp_path)
    made.options.volume_clear_ionice = "-c 9"  # type: ignore[misc]
    with pytest.raises(BackendMisconfigured, match="volume_clear_ionice = -c 9"):
        check(made, "auto")
    assert script.commands == []


def test_an_inactive_pool(tmp_path: Path) -> None:
    inactive = {**POOL, "lv_attr": "twi---tz--"}
    active = captured.lvs(POOL)
    made, script = site(tmp_path, with_volumes(inactive), VERSION, "", active)
    assert check(made, "thin") is True
    assert script.commands[2] == ["lvchange", "-ay", "vg0/vg0-pool"]
    mismatch = (5, "Thin pool vg0-vg0--pool-tpool transaction_id is 3, while expected 4.")
    made, _ = site(tmp_path, with_volumes(inactive), VERSION, mismatch)
    with pytest.raises(BackendMisconfigured, match="lvconvert --repair"):
        check(made, "thin")


def test_captured_answers_are_json() -> None:
    assert json.loads(captured.fullreport())["report"]
