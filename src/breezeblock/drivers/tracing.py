"""What ``trace_flags`` asks for: a driver's calls and its commands in the log."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from breezeblock.execution.command import Completed, Execute

LOG = logging.getLogger(__name__)


def trace_methods(driver: object) -> None:
    """Log every public method of ``driver`` as it is called and as it ends (``method``)."""
    for name in dir(type(driver)):
        attribute = getattr(type(driver), name)
        if not name.startswith("_") and callable(attribute):
            setattr(driver, name, _traced(name, getattr(driver, name)))


def traced_execute(execute: Execute) -> Execute:
    """Log every command's time and end (``api``).  What it is run with may hold secrets."""

    def run(command: Any, **kwargs: Any) -> Completed:
        started = time.monotonic()
        program = str(command[0])
        try:
            completed = execute(command, **kwargs)
        except Exception as failure:
            LOG.debug("<== %s failed after %.3f s: %s", program, _since(started), failure)
            raise
        LOG.debug("<== %s: %d after %.3f s", program, completed.exit_code, _since(started))
        return completed

    return run


def _traced(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        started = time.monotonic()
        LOG.debug("==> %s", name)
        try:
            result = method(*args, **kwargs)
        except Exception as failure:
            LOG.debug("<== %s raised %r after %.3f s", name, failure, _since(started))
            raise
        LOG.debug("<== %s returned after %.3f s", name, _since(started))
        return result

    return call


def _since(started: float) -> float:
    return time.monotonic() - started
