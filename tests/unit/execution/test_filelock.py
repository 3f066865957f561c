"""Locks between threads and processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from breezeblock.execution.durable import write_atomically
from breezeblock.execution.filelock import LockTimeout, lock


def test_one_at_a_time_and_nothing_left(tmp_path: Path) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with lock(tmp_path / "x", 30):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_it_gives_up(tmp_path: Path) -> None:
    with lock(tmp_path / "x", 1), pytest.raises(LockTimeout), lock(tmp_path / "x", 0.05):
        pytest.fail("held twice")


def test_death_lets_go(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with lock(tmp_path / "x", 1):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with lock(tmp_path / "x", 0.5):
        assert (tmp_path / "x").exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
