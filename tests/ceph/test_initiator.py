"""This host attaches images by os-brick, and nothing of it is left or shown afterwards."""

from __future__ import annotations

import logging
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ceph_lab.cluster import Cluster
from tests.ceph_lab.monitor import bindings

from breezeblock.drivers.errors import DeviceUnavailable
from breezeblock.drivers.initiator import Initiator

MIB = 1024**2
#: How long the cluster may be mute.
SECONDS = 3


@pytest.fixture
def image(ceph: Cluster) -> Iterator[str]:
    """``pool/name`` of a new image of 8 MiB that nobody uses, before and afterwards."""
    name = f"volumes/image-{uuid.uuid4()}"
    ceph.run_rbd("create", "--size", "8M", name)
    before = traces()
    yield name
    assert ceph.ask_rbd("status", name)["watchers"] == []
    assert traces() == before
    ceph.run_rbd("rm", "--no-progress", name)


@pytest.fixture
def initiator(tmp_path: Path) -> Initiator:
    return Initiator(tmp_path / "locks", address="127.0.0.1", ceph_timeout=SECONDS)


def traces() -> tuple[list[str], int]:
    """os-brick's files, and librados's threads in this process."""
    files = [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("brickrbd")]
    threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    return files, sum(name.startswith(("ms_dispatch", "msgr-worker")) for name in threads)


def connection(ceph: Cluster, image: str, **more: object) -> dict[str, Any]:
    """What a driver says of an image, with the monitor's addresses as drivers know them."""
    monitors = ceph.monitor_command("mon dump")["mons"]
    addresses = [monitor["addr"].partition("/")[0].rpartition(":") for monitor in monitors]
    return {
        "driver_volume_type": "rbd",
        "data": {
            "name": image,
            "hosts": [host for host, _, _ in addresses],
            "ports": [port for _, _, port in addresses],
            "cluster_name": "ceph",
            "auth_enabled": True,
            "auth_username": "cinder",
            "secret_type": "ceph",
            "secret_uuid": None,
            "volume_id": image.partition("image-")[2],
            "discard": True,
            **more,
        },
    }


@pytest.mark.parametrize("source", ["connection", "host"])
def test_bytes_are_written_and_read(
    ceph: Cluster,
    image: str,
    initiator: Initiator,
    source: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = ceph.keyring().read_text()
    in_connection, by_host = ({"keyring": text}, None) if source == "connection" else ({}, text)
    caplog.set_level(logging.DEBUG)
    info = connection(ceph, image, **in_connection)
    attached = initiator.connect(info, keyring=by_host)
    try:
        handle = attached.path
        handle.seek(0, os.SEEK_END)
        assert handle.tell() == 8 * MIB
        handle.seek(MIB)
        handle.write(b"\7" * MIB)
        handle.flush()
        # Another client sees what was flushed.
        ceph.qemu_io(image, "read -P 0 0 1M", "read -P 7 1M 1M", "read -P 0 2M 1M")
        handle.seek(MIB - 4)
        assert handle.read(8) == b"\0" * 4 + b"\7" * 4
        assert len(ceph.ask_rbd("status", image)["watchers"]) == 1
        ceph.run_rbd("resize", "--no-progress", "--size", "12M", image)
        assert initiator.extend(attached) == 12 * MIB
    finally:
        initiator.disconnect(attached)
    assert "image-" in caplog.text
    assert ceph.secret() not in caplog.text + repr(attached)
    assert info == connection(ceph, image, **in_connection)


def test_without_a_keyring_the_file_of_the_user_is_looked_for(
    ceph: Cluster, image: str, initiator: Initiator
) -> None:
    info = connection(ceph, image, cluster_name="none-of-this-host")
    with pytest.raises(
        DeviceUnavailable, match=r"/etc/ceph/none-of-this-host\.client\.cinder\.keyring"
    ):
        initiator.connect(info)


def test_an_image_that_is_not_there(ceph: Cluster, image: str, initiator: Initiator) -> None:
    with pytest.raises(DeviceUnavailable, match="absent"):
        initiator.connect(connection(ceph, f"{image}-absent"), keyring=ceph.keyring().read_text())


def test_a_user_with_another_key(ceph: Cluster, image: str, initiator: Initiator) -> None:
    wrong = ceph.keyring().read_text().replace(ceph.secret(), ceph.secret("admin"))
    with pytest.raises(DeviceUnavailable, match="ceph cluster"):
        initiator.connect(connection(ceph, image), keyring=wrong)


def test_a_cluster_that_hangs(ceph: Cluster, image: str, initiator: Initiator) -> None:
    _, rbd = bindings()
    keyring = ceph.keyring().read_text()
    info = connection(ceph, image)
    for kind in ("mon", "osd"):
        with ceph.paused(kind), pytest.raises(DeviceUnavailable):
            initiator.connect(info, keyring=keyring)
    attached = initiator.connect(info, keyring=keyring)
    try:
        attached.path.write(b"before")
        attached.path.flush()
        with ceph.paused("osd"), pytest.raises(rbd.Timeout):
            attached.path.write(b"lost")
            attached.path.flush()
    finally:
        initiator.disconnect(attached, force=True)
