"""The texts a cluster is made of, and the places they may be made in."""

from __future__ import annotations

import base64
import configparser
import struct
from pathlib import Path

import pytest
from tests.ceph_lab.configuration import PORTS, configuration, keyrings, new_key
from tests.ceph_lab.failure import CephLabFailure
from tests.ceph_lab.layout import Layout


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_everything_is_below_the_directory_and_on_this_host(tmp_path: Path) -> None:
    conf = parsed(configuration(Layout(tmp_path), "some-fsid", 20000))
    paths = [value for section in conf.values() for value in section.values() if "/" in value]
    assert len(paths) > 6
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    assert conf["global"]["mon_host"] == "[v2:127.0.0.1:20000,v1:127.0.0.1:20001]"
    assert conf["global"]["public_addr"] == conf["global"]["cluster_addr"] == "127.0.0.1"
    assert int(conf["global"]["ms_bind_port_max"]) == 20000 + PORTS - 1


def test_the_service_may_use_the_pools_and_no_more() -> None:
    rights = parsed(keyrings(["one", "two"])["client.cinder"])["client.cinder"]
    assert rights["caps osd"] == '"profile rbd pool=one, profile rbd pool=two"'
    assert rights["caps mon"] == '"profile rbd"'
    assert "caps mds" not in rights


def test_keys_differ_and_are_of_128_bits() -> None:
    first, second = base64.b64decode(new_key()), base64.b64decode(new_key())
    assert first != second
    kind, *_, length = struct.unpack_from("<HIIH", first)
    assert (kind, length, len(first)) == (1, 16, 28)


@pytest.mark.parametrize("name", ["/tmp/with space", "/tmp/a:b", "relative", f"/tmp/{'x' * 80}"])
def test_a_directory_that_ceph_could_not_work_with_is_refused(name: str) -> None:
    with pytest.raises(CephLabFailure, match="absolute path"):
        Layout(Path(name))
