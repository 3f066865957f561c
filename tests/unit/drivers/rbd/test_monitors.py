"""Monitor maps as clusters print them."""

from __future__ import annotations

import json

import pytest

from breezeblock.drivers.rbd.errors import RbdError
from breezeblock.drivers.rbd.monitors import addresses_in, parse_dump


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("10.0.0.1:6789/0", "10.0.0.1", "6789"),
        ("[2001:db8::1]:6789/0", "2001:db8::1", "6789"),
        ("[::1]:6790", "::1", "6790"),
        ("v1:10.0.0.1:6789/0", "10.0.0.1", "6789"),
        ("v2:[2001:db8::1]:3300/0", "2001:db8::1", "3300"),
        ("mon.example:6789/0", "mon.example", "6789"),
    ],
)
def test_addresses(address: str, host: str, port: str) -> None:
    assert addresses_in({"mons": [{"name": "a", "addr": address}]}) == ([host], [port])


def test_order_and_a_line_of_words_before() -> None:
    dump = json.dumps({"mons": [{"addr": "10.0.0.2:1/0"}, {"addr": "10.0.0.1:2/0"}]})
    expected = (["10.0.0.2", "10.0.0.1"], ["1", "2"])
    assert parse_dump(dump) == expected
    assert parse_dump(f"dumped monmap epoch 3\n{dump}\n") == expected


@pytest.mark.parametrize("address", ["", "10.0.0.1", "::1:6789", "10.0.0.1:port"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(RbdError, match="no address"):
        addresses_in({"mons": [{"name": "a", "addr": address}]})
