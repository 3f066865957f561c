"""Kernels are unpacked whatever they were packed with."""

from __future__ import annotations

import lzma
import struct
import zlib

import pytest
from tests.vm_lab.boot import unpack

KERNEL = b"\x7fELF" + bytes(range(256)) * 40


def image(payload: bytes) -> bytes:
    """A bzImage as Documentation/x86/boot.rst has it: one boot sector, one of setup, payload."""
    header = bytearray(1024)
    header[0x1F1] = 1
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", header, 0x248, 16, len(payload))
    return bytes(header) + b"\x90" * 16 + payload + b"after"


@pytest.mark.parametrize("size", [b"", struct.pack("<I", len(KERNEL))])
def test_unpacks_xz(size: bytes) -> None:
    assert unpack(image(lzma.compress(KERNEL) + size)) == KERNEL


def test_unpacks_gzip() -> None:
    packer = zlib.compressobj(wbits=31)
    assert unpack(image(packer.compress(KERNEL) + packer.flush())) == KERNEL


def test_leaves_what_it_does_not_know() -> None:
    odd = image(b"\x28\xb5\x2f\xfd" + b"zstd")
    assert unpack(odd) == odd
    assert unpack(KERNEL) == KERNEL
