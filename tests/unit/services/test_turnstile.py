"""The turnstile lets so many through, and whoever steps aside makes room."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from breezeblock.services.turnstile import Turnstile


def test_so_many_at_a_time_and_no_more() -> None:
    turnstile, inside, most, guard = Turnstile(2), 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        with turnstile.passed():
            with guard:
                inside += 1
                most = max(most, inside)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(400)))
    assert inside == 0
    assert most <= 2


def test_who_waits_makes_room() -> None:
    turnstile, entered, done = Turnstile(1), threading.Event(), threading.Event()

    def second() -> None:
        with turnstile.passed():
            entered.set()

    with turnstile.passed(), ThreadPoolExecutor(1) as pool:
        other = pool.submit(second)
        assert not entered.wait(0.05)
        with turnstile.aside():
            assert entered.wait(10)
        done.set()
        other.result(10)


def test_a_failure_gives_the_place_back() -> None:
    turnstile = Turnstile(1)
    with pytest.raises(RuntimeError), turnstile.passed(), turnstile.aside():
        raise RuntimeError
    with turnstile.passed():
        pass


def test_outside_there_is_no_place_to_give_up() -> None:
    turnstile = Turnstile(1)
    with turnstile.aside(), turnstile.passed():
        pass
    with turnstile.passed():
        pass
