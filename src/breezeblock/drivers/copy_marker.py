"""How far a copy is known to be on disk, kept in a small file beside it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from breezeblock.drivers.block_device import failures_of, identity
from breezeblock.execution.durable import write_atomically

#: The file is written after so many bytes or seconds: it costs a flush to disk.
_EVERY_BYTES = 1024 * 1024 * 1024
_EVERY_SECONDS = 5.0


class CopyMarker:
    """Up to which ``offset`` a copy is durable, and whether zeros lay beyond at its begin.

    The file names source and destination, so it is worth nothing to any other copy.  It is
    there before the first byte is written: one that another copy left tells that the destination
    does not read as zeros any more.  Without a path nothing is remembered.  Methods raise
    ``VolumeBackendError``.
    """

    def __init__(self, path: str | None, reads_zeros: bool) -> None:
        self.offset = 0
        self.reads_zeros = reads_zeros
        self._path = Path(path) if path else None
        self._copy: dict[str, str | int] = {}
        self._saved_at = time.monotonic()

    def take_up(self, source: str, destination: str, length: int) -> None:
        """Go on where an earlier try of the same copy was, or begin."""
        if self._path is None:
            return
        self._copy = {
            "source": _content(source),
            "destination": identity(destination),
            "length": length,
        }
        with failures_of(str(self._path), "read"):
            self._load(self._path)
        self.save(self.offset)

    def save(self, offset: int) -> None:
        """Note that all below ``offset`` is durable."""
        self.offset, self._saved_at = offset, time.monotonic()
        if self._path is not None:
            known = {**self._copy, "offset": offset, "reads_zeros": self.reads_zeros}
            with failures_of(str(self._path), "written"):
                write_atomically(self._path, json.dumps(known).encode())

    def is_due(self, offset: int) -> bool:
        """Whether it is time to flush the destination and save."""
        return self._path is not None and (
            offset - self.offset >= _EVERY_BYTES
            or time.monotonic() - self._saved_at >= _EVERY_SECONDS
        )

    def remove(self) -> None:
        """The copy is complete."""
        if self._path is not None:
            with failures_of(str(self._path), "removed"):
                self._path.unlink(missing_ok=True)

    def _load(self, path: Path) -> None:
        try:
            known = json.loads(path.read_bytes())
            offset, reads_zeros = int(known.pop("offset")), bool(known.pop("reads_zeros"))
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, AttributeError):
            known, offset, reads_zeros = None, 0, False
        if known == self._copy:
            self.offset, self.reads_zeros = offset, self.reads_zeros and reads_zeros
        else:
            self.reads_zeros = False


def _content(path: str) -> str:
    """The identity of ``path``, and for a file that of its present bytes."""
    known = identity(path)
    if known.startswith("file"):
        found = Path(path).stat()
        return f"{known} {found.st_size} {found.st_mtime_ns}"
    return known
