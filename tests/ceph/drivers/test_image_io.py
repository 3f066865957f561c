"""An image as a file."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.ceph.drivers.workbench import GIB, Workbench

from breezeblock.drivers.rbd import (
    RBDDriver,
    RBDImageIOWrapper,
    RBDImageMetadata,
    RBDVolumeProxy,
    ascii_str,
)


@pytest.fixture
def file(bench: Workbench, driver: RBDDriver) -> Iterator[RBDImageIOWrapper]:
    """An image of 1 GiB that begins with ``0123456789``."""
    volume = bench.volume()
    driver.create_volume(volume)
    with RBDVolumeProxy(driver, volume.name) as image:
        image.write(b"0123456789", 0)
        yield RBDImageIOWrapper(RBDImageMetadata(image, "volumes", "cinder", None))
    driver.delete_volume(volume)


def test_what_it_is_of(file: RBDImageIOWrapper) -> None:
    assert file.rbd_image.size() == GIB
    assert (file.rbd_pool, file.rbd_user, file.rbd_conf) == ("volumes", "cinder", None)
    assert ascii_str(None) is None
    assert ascii_str("text") == "text"


def test_reading(file: RBDImageIOWrapper) -> None:
    assert file.read(4) == b"0123"
    assert file.tell() == 4
    assert file.read(4) == b"4567"
    file.seek(GIB - 3)
    assert file.read(10) == bytes(3)
    assert file.read(10) == b""
    assert file.read() == b""
    file.seek(-5, os.SEEK_END)
    assert file.read() == bytes(5)
    file.seek(GIB + 10)
    assert file.read() == b""
    file.seek(0)
    file._inc_offset(3)
    assert file.read(2) == b"34"


def test_writing(file: RBDImageIOWrapper) -> None:
    file.seek(2)
    assert file.write(b"ab") == 2
    assert file.tell() == 4
    file.flush()
    file.seek(0)
    assert file.read(6) == b"01ab45"


def test_seeking(file: RBDImageIOWrapper) -> None:
    assert file.seekable()
    assert file.seek(10) == 10
    assert file.seek(-4, os.SEEK_CUR) == 6
    assert file.seek(0, os.SEEK_END) == GIB
    for offset, whence in ((-1, 0), (-GIB - 1, 2), (0, 3)):
        with pytest.raises(OSError, match="invalid argument"):
            file.seek(offset, whence)
    assert file.tell() == GIB


def test_no_descriptor_and_no_end(file: RBDImageIOWrapper) -> None:
    with pytest.raises(OSError, match="fileno"):
        file.fileno()
    file.close()
    assert file.read(2) == b"01"


def test_below_pythons_own_buffers(file: RBDImageIOWrapper) -> None:
    with io.BufferedWriter(file, 4096) as writer:
        writer.write(b"x" * 10_000)
    file.seek(0)
    reader = io.BufferedReader(file, 4096)
    assert reader.read(10_001) == b"x" * 10_000 + b"\0"


def test_an_image_that_cannot_flush(caplog: pytest.LogCaptureFixture) -> None:
    image: Any = io.StringIO()  # has a flush that works
    RBDImageIOWrapper(RBDImageMetadata(image, None, None, None)).flush()
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        RBDImageIOWrapper(RBDImageMetadata(object(), None, None, None)).flush()
    assert "cannot flush" in caplog.text
