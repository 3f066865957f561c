"""The arguments of ionice, and what the kernel makes of them."""

from __future__ import annotations

import subprocess
import threading

import pytest

from breezeblock.drivers.io_priority import IoPriority


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-c3", IoPriority(3, 0)),
        ("-c 3", IoPriority(3, 0)),
        ("--class idle", IoPriority(3, 0)),
        ("--class=Idle -n7", IoPriority(3, 0)),
        ("-c2", IoPriority(2, 4)),
        ("-c2 -n0", IoPriority(2, 0)),
        ("-c best-effort --classdata 7", IoPriority(2, 7)),
        ("-n 6", IoPriority(2, 6)),
        ("-t -c1 -n 5", IoPriority(1, 5)),
        ("-c0", IoPriority(0, 0)),
    ],
)
def test_arguments(arguments: str, expected: IoPriority) -> None:
    assert IoPriority.parse(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-c4", "'4' is no I/O class"),
        ("-c lazy", "'lazy' is no I/O class"),
        ("-c2 -n8", "8 is no level"),
        ("-c2 -n x", "not arguments of ionice: .*'x'"),
        ("-p 1", "not arguments of ionice: .*-p"),
        ("-c", "not arguments of ionice: .*expected one argument"),
        ("-c '", "No closing quotation"),
    ],
)
def test_nonsense(arguments: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        IoPriority.parse(arguments)


def told_by_ionice() -> str:
    thread = str(threading.get_native_id())
    return subprocess.run(
        ["ionice", "-p", thread], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_holds_for_the_block() -> None:
    before = told_by_ionice()
    with IoPriority.parse("-c3").applied():
        assert told_by_ionice() == "idle"
        with IoPriority.parse("-n7").applied():
            assert told_by_ionice() == "best-effort: prio 7"
        assert told_by_ionice() == "idle"
    assert told_by_ionice() == before
