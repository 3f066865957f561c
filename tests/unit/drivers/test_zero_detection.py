"""Zeros are found exactly, wherever the other bytes are."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from breezeblock.drivers.zero_detection import UNIT_BYTES, filled_runs, is_zero

MOST = 5 * UNIT_BYTES


@given(
    length=st.integers(1, MOST),
    marks=st.lists(st.tuples(st.integers(0, MOST - 1), st.integers(1, 255)), max_size=4),
    heads=st.booleans(),
)
@example(length=MOST, marks=[(MOST - 1, 1)], heads=False)
@example(length=UNIT_BYTES + 1, marks=[(UNIT_BYTES, 1)], heads=False)
@example(length=MOST, marks=[], heads=True)
def test_against_a_plain_look(length: int, marks: list[tuple[int, int]], heads: bool) -> None:
    data = bytearray(length)
    for offset, byte in marks:
        data[offset % length] = byte
    if heads:
        data[::UNIT_BYTES] = b"\x01" * len(data[::UNIT_BYTES])
    view = memoryview(data)
    assert is_zero(view) == (data.count(0) == length)
    expected = [any(data[start : start + UNIT_BYTES]) for start in range(0, length, UNIT_BYTES)]
    found = [False] * len(expected)
    runs = list(filled_runs(view))
    for start, end in runs:
        assert start % UNIT_BYTES == 0
        assert end == length or end % UNIT_BYTES == 0
        for unit in range(start // UNIT_BYTES, -(-end // UNIT_BYTES)):
            found[unit] = True
    assert found == expected
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(runs))
