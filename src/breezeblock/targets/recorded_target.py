"""What targets have in common whose exports are records: what is offered, and bringing it back."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from breezeblock.domain.resources import Volume
from breezeblock.targets.errors import TargetError, TargetPauseFailed, TargetUpdateFailed
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.interface import Target

LOG = logging.getLogger(__name__)


class RecordedTarget(Target):
    """A target that knows its exports by their records."""

    def __init__(self, records: ExportRecords) -> None:
        self._records = records

    def _restore_each(self, restore_one: Callable[[str], bool]) -> int:
        """Have each export restored; how many had to be.

        ``restore_one`` makes what is offered equal to the record of a name, and says whether
        something had to be done.
        """
        restored = 0
        for name in self._records.names():
            try:
                restored += restore_one(name)
            except (TargetError, OSError) as failure:
                # One bad export must not keep the others down; it is tried again next time.
                LOG.error("the export of %s was not restored: %s", name, failure)
        return restored

    def is_exported(self, name: str) -> bool:
        return self._records.read(name) is not None

    def list_exports(self) -> list[str]:
        return self._records.names()


class UnpausableTarget(RecordedTarget):
    """A target that cannot hold requests back, so that it pauses only while nobody is admitted."""

    #: How a refusal calls it and those it admits.
    TOOL: ClassVar[str]
    CONSUMERS: ClassVar[str] = "initiators"

    @abstractmethod
    def _admitted(self, record: dict[str, Any]) -> Sequence[str]:
        """Who may come in at present, in the order to be told."""

    @abstractmethod
    def _withdraw(self, name: str, record: dict[str, Any]) -> None:
        """Stop offering it; the record stays."""

    @abstractmethod
    def _put(self, name: str, record: dict[str, Any]) -> object:
        """Offer what the record says, whatever is offered now."""

    @contextmanager
    def paused(self, name: str, path: str) -> Iterator[None]:
        with self._records.locked(name):
            record = self._records.read(name)
            if record is None:
                yield
                return
            if admitted := self._admitted(record):
                raise TargetPauseFailed(
                    volume=name,
                    reason=f"{self.TOOL} cannot hold back the requests of {self.CONSUMERS} that "
                    f"are attached ({', '.join(admitted)}). Detach the volume, or try again then",
                )
            with failing_as(TargetPauseFailed, name):
                self._withdraw(name, record)
            try:
                yield
            finally:
                self._put(name, record)

    def extend_target(self, volume: Volume, path: str) -> None:
        """By opening it anew in its new size."""
        try:
            with self.paused(volume.name, path):
                LOG.debug("%s is opened anew in its new size", volume.name)
        except TargetError as failure:
            raise TargetUpdateFailed(
                volume=volume.name, reason=str(failure), transient=failure.transient
            ) from failure
