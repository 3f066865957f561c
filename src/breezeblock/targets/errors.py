"""What can go wrong while a volume is offered to its consumers.

Every error here is an operator's or a backend's trouble, so ``transient`` says whether the same
call may succeed later without anybody's doing.
"""

from __future__ import annotations

from typing import Any

from breezeblock.domain.errors import BreezeblockError


class TargetError(BreezeblockError):
    """Base of what targets raise; ``reason`` names cause and remedy."""

    symbol = "target-error"
    template = "The target service failed: {reason}"

    def __init__(
        self, message: str | None = None, *, transient: bool = False, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.transient = transient


class TargetUnavailable(TargetError):
    """The target daemon cannot be reached; it may be back soon."""

    symbol = "target-unavailable"
    template = "The target daemon does not answer: {reason}"


class TargetCreateFailed(TargetError):
    """The volume is not offered; what was begun is completed by the next call."""

    symbol = "target-create-failed"
    template = "Volume {volume} could not be exported: {reason}"


class TargetRemoveFailed(TargetError):
    """The volume may still be offered, but nobody can log in."""

    symbol = "target-remove-failed"
    template = "The export of volume {volume} could not be removed: {reason}"


class TargetUpdateFailed(TargetError):
    """The volume itself is as asked, but its consumers do not see it yet.

    After an extension: the volume has grown, its attached initiators see the old size until
    the export is renewed.
    """

    symbol = "target-update-failed"
    template = "The export of volume {volume} could not be updated: {reason}"


class TargetPauseFailed(TargetError):
    """The consumers of a volume could not be held back; nothing has been changed."""

    symbol = "target-pause-failed"
    template = "The consumers of volume {volume} could not be paused: {reason}"
