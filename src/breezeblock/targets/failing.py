"""What goes wrong on the way, told as what the caller asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from breezeblock.targets.errors import TargetError


@contextmanager
def failing_as(kind: type[TargetError], volume: str) -> Iterator[None]:
    """Raise failures of the block as ``kind`` for ``volume``; what may pass still may."""
    try:
        yield
    except (TargetError, OSError) as failure:
        raise kind(
            volume=volume, reason=str(failure), transient=getattr(failure, "transient", False)
        ) from failure
