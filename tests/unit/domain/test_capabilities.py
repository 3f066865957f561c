"""Extra specs against capabilities: every operator of the field."""

from __future__ import annotations

from typing import Any

import pytest

from breezeblock.domain.capabilities import mismatch, satisfies


@pytest.mark.parametrize(
    ("value", "requirement", "expected"),
    [
        ("lvm1", "lvm1", True),
        ("lvm1", "lvm2", False),
        ("LVM1", "lvm1", False),
        (True, "True", True),
        (12, "12", True),
        # numbers
        (10, "= 10", True),
        (11, "= 10", True),
        (9, "= 10", False),
        (10, "== 10.0", True),
        (10, "== 9", False),
        (10, "!= 9", True),
        (10, "!= 10", False),
        ("10.5", ">= 10", True),
        (9, ">= 10", False),
        (10, "<= 10", True),
        (11, "<= 10", False),
        ("many", ">= 10", False),
        (10, ">= many", False),
        # texts
        ("abc", "s== abc", True),
        ("abc", "s!= abc", False),
        ("abc", "s!= abd", True),
        ("abc", "s< abd", True),
        ("abc", "s< abc", False),
        ("abc", "s<= abc", True),
        ("abd", "s> abc", True),
        ("abc", "s> abc", False),
        ("abc", "s>= abc", True),
        ("9", "s>= 10", True),
        # membership and truth
        ("12-with-raid", "<in> raid", True),
        ("12", "<in> raid", False),
        (True, "<is> True", True),
        (True, "<is> yes", True),
        (False, "<is> True", False),
        (False, "<is> no", True),
        ("anything", "<is> False", True),
        ("b", "<or> a <or> b", True),
        ("c", "<or> a <or> b", False),
        ("a b", "<or> a b <or> c", True),
        # lists: any element may match
        (["iSCSI", "iscsi"], "iscsi", True),
        (["FC", "fc"], "iscsi", False),
        ([], "iscsi", False),
        ([8, 16], ">= 10", True),
        # None matches only None
        (None, None, True),
        (None, "None", False),
        ("x", None, False),
    ],
)
def test_one_requirement(value: Any, requirement: str | None, expected: bool) -> None:
    assert satisfies(value, requirement) is expected


CAPABILITIES = {
    "volume_backend_name": "lvm1",
    "compression": True,
    "storage_protocol": ["iSCSI", "iscsi"],
    "deep": {"er": {"value": 5}},
}


@pytest.mark.parametrize(
    "specs",
    [
        {},
        {"volume_backend_name": "lvm1"},
        {"capabilities:volume_backend_name": "lvm1"},
        {"capabilities:compression": "<is> True"},
        {"capabilities:deep:er:value": ">= 5"},
        {"storage_protocol": "iscsi"},
        # scopes that are not for placement
        {"provisioning:type": "thick", "vendor:anything": "x", "RESKEY:availability_zones": "z"},
    ],
)
def test_specs_that_are_met(specs: dict[str, str | None]) -> None:
    assert mismatch(CAPABILITIES, specs) is None


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ({"volume_backend_name": "lvm2"}, "its volume_backend_name is 'lvm1', not lvm2"),
        ({"encryption": "<is> True"}, "it does not report encryption"),
        ({"capabilities:encryption": "<is> True"}, "it does not report capabilities:encryption"),
        ({"capabilities:deep:other": "5"}, "it does not report capabilities:deep:other"),
        ({"capabilities:compression:deeper": "5"}, "does not report"),
        ({"volume_backend_name": "lvm1", "compression": "<is> False"}, "its compression is True"),
    ],
)
def test_the_first_spec_that_is_not_met_is_named(specs: dict[str, str | None], words: str) -> None:
    assert words in (mismatch(CAPABILITIES, specs) or "")
