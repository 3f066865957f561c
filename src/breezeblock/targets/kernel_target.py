"""What targets within the kernel have in common.

The kernel forgets its exports at a reboot, and a killed call leaves them half-made.  The records
say what is to be offered: they are written before the kernel is told, and the kernel is made
equal to them by looking first.  Whatever else is set up in the kernel belongs to others and is
left alone.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from breezeblock.domain.resources import Volume
from breezeblock.targets.errors import TargetError, TargetPauseFailed, TargetUpdateFailed
from breezeblock.targets.failing import failing_as
from breezeblock.targets.recorded_target import RecordedTarget

LOG = logging.getLogger(__name__)


class KernelTarget(RecordedTarget):
    """A target whose exports are in records and in configfs."""

    @abstractmethod
    def _prepare(self) -> None:
        """Load what the kernel needs.  Raises ``TargetError``."""

    @abstractmethod
    def _is_offered(self, name: str) -> bool:
        """Whether the kernel offers what the record says, at a glance."""

    @abstractmethod
    def _offer(self, name: str) -> None:
        """Make the kernel offer what the record says, whatever it offers now."""

    @abstractmethod
    def _hold_back(self, name: str) -> None:
        """End all sessions and let go of the volume's data, so that consumers will be back."""

    @abstractmethod
    def _grow(self, name: str) -> None:
        """Tell the kernel that the volume's data has grown."""

    def _held(self, name: str) -> AbstractContextManager[None]:
        """One worker at a time at what ``_offer`` and ``_hold_back`` change."""
        return self._records.locked(name)

    def check_for_setup_error(self) -> None:
        self._prepare()
        self._records.prepare()

    def restore(self) -> int:
        if not self._records.names():
            return 0
        self._prepare()
        restored = self._restore_each(self._restore_one)
        if restored:
            LOG.info("%d exports restored in the kernel", restored)
        return restored

    def _restore_one(self, name: str) -> bool:
        if self._is_offered(name):
            return False
        with self._held(name):
            # Look again: another worker may have been at it, or removed it.
            if not self.is_exported(name) or self._is_offered(name):
                return False
            self._offer(name)
        return True

    def extend_target(self, volume: Volume, path: str) -> None:
        with failing_as(TargetUpdateFailed, volume.name), self._held(volume.name):
            if self.is_exported(volume.name):
                self._grow(volume.name)

    @contextmanager
    def paused(self, name: str, path: str) -> Iterator[None]:
        with self._held(name):
            if not self.is_exported(name):
                yield
                return
            try:
                self._hold_back(name)
            except (TargetError, OSError) as failure:
                with suppress(TargetError, OSError):
                    self._offer(name)
                raise TargetPauseFailed(
                    volume=name, reason=str(failure), transient=True
                ) from failure
            try:
                yield
            finally:
                self._offer(name)


def not_exported(name: str) -> TargetError:
    """What a connection to a volume meets that has no export."""
    return TargetError(reason=f"{name} is not exported. Attach the volume anew")
