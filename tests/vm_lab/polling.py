"""Waiting for what happens by itself, such as udev's links."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = 0.2


def wait_until(predicate: Callable[[], T], seconds: float = 60.0, what: str = "") -> T:
    """Ask again and again until the answer is true, and return it.

    Raises ``AssertionError`` after ``seconds``; ``what`` is for its text.
    """
    limit = time.monotonic() + seconds
    while not (answer := predicate()):
        assert time.monotonic() < limit, f"not within {seconds:g} s: {what or predicate}"
        time.sleep(_PAUSE)
    return answer
