"""Finding zeros at the speed of memory."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

#: Zeros are looked for in runs of this length: the smallest chunk of a thin pool.
UNIT_BYTES = 64 * 1024

# A bytearray compares itself with any buffer by memcmp; a memoryview would go byte by byte.
_zero_unit = bytearray(UNIT_BYTES)

_libc = ctypes.CDLL(None)
_libc.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def is_zero(data: memoryview) -> bool:
    """Whether a writable buffer holds nothing but zeros; other threads run meanwhile."""
    length = len(data)
    if length <= UNIT_BYTES:
        return _zero_unit[:length] == data
    if _zero_unit != data[:UNIT_BYTES]:
        return False
    # Equal to itself one unit further on, and zero in the first one: zero everywhere.
    address = ctypes.addressof(ctypes.c_char.from_buffer(data))
    different: int = _libc.memcmp(address, address + UNIT_BYTES, length - UNIT_BYTES)
    return not different


def filled_runs(data: memoryview) -> Iterator[tuple[int, int]]:
    """The runs of units that are not all zeros, as offsets in ``data``."""
    heads = bytes(data[::UNIT_BYTES])
    if 0 not in heads:
        yield 0, len(data)
        return
    begun: int | None = None
    for number, head in enumerate(heads):
        start = number * UNIT_BYTES
        if not head and is_zero(data[start : start + UNIT_BYTES]):
            if begun is not None:
                yield begun, start
            begun = None
        elif begun is None:
            begun = start
    if begun is not None:
        yield begun, len(data)
