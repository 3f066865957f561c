"""How a run ends other than by success or an error of its steps."""

from __future__ import annotations

from breezeblock.domain.errors import BreezeblockError


class LeaseLost(Exception):
    """Another worker owns the operation now: this one must not touch anything any more."""


class HandOver(Exception):
    """The worker is stopping: the operation goes back to its queue as it stands."""


class WorkerDied(BreezeblockError):
    """The operation was claimed again and again and never got to an end."""

    symbol = "worker-died"
    template = "No worker survived this operation in {tries} tries."
