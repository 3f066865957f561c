"""The version table, and what the version header gets a request."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breezeblock.api import microversions


def test_the_table_has_no_gaps_and_every_version_says_what_it_adds() -> None:
    minors = [version.minor for version in microversions.VERSIONS]
    assert minors == list(range(72))
    assert all(version.adds.endswith(".") for version in microversions.VERSIONS)


@pytest.mark.parametrize(
    ("header", "minor"),
    [
        (None, 0),
        ("volume 3.0", 0),
        ("volume 3.27", 27),
        ("volume latest", 71),
        ("  volume   3.5 ", 5),
        ("compute 2.1, volume 3.44", 44),
        ("volume 3.1,volume 3.2", 1),
    ],
)
def test_served(header: str | None, minor: int) -> None:
    assert microversions.negotiate(header) == minor


@pytest.mark.parametrize(
    "header",
    [
        "",
        "volume",
        "3.27",
        "compute 2.1",
        "volume 3",
        "volume 3.01",
        "volume 03.1",
        "volume 0.1",
        "volume 3.x",
        "volume 3.1.2",
        "volume 3.1 3.2",
        "volume -3.1",
        "volume 3.\u0661",
        "volumes 3.1",
        "volume LATEST",
    ],
)
def test_malformed(header: str) -> None:
    with pytest.raises(microversions.MalformedVersion):
        microversions.negotiate(header)


@pytest.mark.parametrize("version", ["3.72", "2.0", "4.0", "33.1", "3." + "9" * 5000])
def test_not_served(version: str) -> None:
    with pytest.raises(microversions.VersionNotServed) as refusal:
        microversions.negotiate(f"volume {version}")
    assert refusal.value.requested == version
    assert "3.0" in str(refusal.value)
    assert "3.71" in str(refusal.value)


@given(st.text())
def test_any_text_is_a_version_or_refused(header: str) -> None:
    with contextlib.suppress(microversions.MalformedVersion, microversions.VersionNotServed):
        assert 0 <= microversions.negotiate(header) <= 71
