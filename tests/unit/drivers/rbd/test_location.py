"""Locations of images."""

from __future__ import annotations

from typing import Any

import pytest

from breezeblock.drivers.rbd.errors import UnusableLocation
from breezeblock.drivers.rbd.location import ImageLocation, urls
from breezeblock.drivers.rbd.migrate import Location, destination


def test_a_location_is_decoded() -> None:
    found = ImageLocation.parse("rbd://f/a%20pool/i/s%2Ft")
    assert found == ImageLocation("f", "a pool", "i", "s/t")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (None, "not stored in RBD"),
        ("file:///x", "not stored in RBD"),
        ("rbd://", "blank"),
        ("rbd://f/p//s", "blank"),
        ("rbd://f/p/i", "no snapshot"),
        ("rbd://image", "no snapshot"),
    ],
)
def test_what_cannot_be_used(location: str | None, words: str) -> None:
    with pytest.raises(UnusableLocation, match=words):
        ImageLocation.parse(location)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("rbd://a", ["rbd://a"]),
        (("direct", None), ["direct"]),
        (("direct", [{"url": "one"}, {"url": "two"}]), ["one", "two"]),
        ((None, []), []),
        ((None, [{"metadata": {}}]), []),
        (None, []),
    ],
)
def test_all_locations_of_an_image(told: Any, expected: list[str]) -> None:
    assert list(urls(told)) == expected


def test_where_a_pool_is() -> None:
    text = "ceph:/etc/ceph/ceph.conf:fsid:cinder:gold"
    found = Location.parse(text)
    assert found == Location("ceph", "/etc/ceph/ceph.conf", "fsid", "cinder", "gold")
    host: dict[str, Any] = {"capabilities": {"location_info": text}}
    assert destination(host, "fsid") == found
    assert destination(host, "another") is None
    for other in (None, 5, "", "LVMVolumeDriver:host:vg:thin"):
        assert destination({"capabilities": {"location_info": other}}, "fsid") is None
    assert destination({}, "fsid") is None
