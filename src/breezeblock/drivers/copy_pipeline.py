"""Moving the bytes of a copy: one thread reads ahead, the calling one writes.

Pieces travel in a ring of a few buffers, so memory is bounded and reading goes on while writing
waits for the disk.  The writer works in the order of the source: a copy is done up to one
offset, which is what a checkpoint remembers.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from breezeblock.drivers import progress
from breezeblock.drivers.block_device import failures_of
from breezeblock.drivers.copy_marker import CopyMarker
from breezeblock.drivers.direct_io import ALIGNMENT, DirectFile, aligned_buffers
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.extents import Extent, data_extents
from breezeblock.drivers.pace import Pace
from breezeblock.drivers.zero_detection import filled_runs, is_zero
from breezeblock.drivers.zeroing import Zeroer

#: Bytes read at a time, and how many such pieces are held.
PIECE_BYTES = 4 * 1024 * 1024
_BUFFERS = 4
#: Holes are zeroed in pieces of this size.
_HOLE_BYTES = 32 * 1024 * 1024
#: The longest silence towards ``progress``, in seconds.
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What to copy: ``length`` bytes from the start of ``source`` to the start of ``destination``.

    ``checkpoint`` is the path of the file that remembers how far the copy is.
    """

    source: str
    destination: str
    length: int
    destination_reads_zeros: bool
    checkpoint: str | None = None


def run(request: CopyRequest, pace: Pace) -> int:
    """Copy durably; return the bytes of data written.

    Reports to ``progress.current()``, whose ``checkpoint`` may end the copy between two writes.
    Raises ``VolumeBackendError``.  However it ends, its thread and its files are gone.
    """
    with (
        DirectFile(request.source, writable=False) as source,
        DirectFile(request.destination, writable=True) as destination,
    ):
        _check_sizes(request, source, destination)
        marker = CopyMarker(request.checkpoint, request.destination_reads_zeros)
        marker.take_up(request.source, request.destination, request.length)
        destination.grow(request.length)
        writer = _Writer(destination, request.length, marker)
        with _reading(source, Extent(marker.offset, request.length - marker.offset), pace) as read:
            writer.write_all(read, pace)
        destination.sync()
    progress.current().checkpoint()
    marker.remove()
    return writer.written


def _check_sizes(request: CopyRequest, source: DirectFile, destination: DirectFile) -> None:
    short = source if source.size < request.length else None
    if destination.is_block_device and destination.size < request.length:
        short = destination
    if short:
        raise VolumeBackendError(
            reason=f"{short.path} has {short.size} bytes, but {request.length} are to be copied"
        )


# ---- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the source; without a buffer it is a hole."""

    extent: Extent
    buffer: memoryview | None = None


_Arrival = _Piece | BaseException | None


class _Reader(threading.Thread):
    """Reads a stretch of the source, a few pieces ahead of what has been taken."""

    def __init__(self, source: DirectFile, stretch: Extent, piece_bytes: int) -> None:
        super().__init__(name=f"read {source.path}", daemon=True)
        self._source = source
        self._stretch = stretch
        self._piece_bytes = piece_bytes
        #: Pieces in order, then None; an error takes the place of the rest.
        self.arrivals: queue.SimpleQueue[_Arrival] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        for buffer in aligned_buffers(_BUFFERS, piece_bytes):
            self._free.put(buffer)
        self._is_stopped = False

    def give_back(self, buffer: memoryview) -> None:
        """The contents of ``buffer`` have been used."""
        self._free.put(buffer)

    def stop(self) -> None:
        """Read no further piece."""
        self._is_stopped = True
        self._free.put(None)

    def run(self) -> None:
        try:
            for piece in self._pieces():
                self.arrivals.put(piece)
            self.arrivals.put(None)
        except BaseException as failure:
            self.arrivals.put(failure)

    def _pieces(self) -> Iterator[_Piece]:
        for is_data, run in _runs(self._source, self._stretch):
            if not is_data:
                yield _Piece(run)
                continue
            for extent in _cut(run, self._piece_bytes):
                buffer = self._free.get()
                if buffer is None or self._is_stopped:
                    return
                yield self._read(extent, buffer)

    def _read(self, extent: Extent, buffer: memoryview) -> _Piece:
        whole_blocks = -(-extent.length // ALIGNMENT) * ALIGNMENT
        if self._source.read_into(buffer[:whole_blocks], extent.start) < extent.length:
            raise VolumeBackendError(
                reason=f"{self._source.path} became shorter than {extent.end} bytes while copied"
            )
        return _Piece(extent, buffer)


def _cut(run: Extent, piece_bytes: int) -> Iterator[Extent]:
    for start in range(run.start, run.end, piece_bytes):
        yield Extent(start, min(piece_bytes, run.end - start))


def _runs(source: DirectFile, stretch: Extent) -> Iterator[tuple[bool, Extent]]:
    """All of ``stretch`` as runs of data (true) and holes (false) of whole blocks."""
    if source.is_block_device:
        yield True, stretch
        return
    position = stretch.start
    with failures_of(source.path, "searched for holes"):
        for extent in data_extents(source.fd, stretch.start, stretch.end):
            start = max(extent.start // ALIGNMENT * ALIGNMENT, position)
            end = min(-(-extent.end // ALIGNMENT) * ALIGNMENT, stretch.end)
            if start > position:
                yield False, Extent(position, start - position)
            if end > start:
                yield True, Extent(start, end - start)
                position = end
    if position < stretch.end:
        yield False, Extent(position, stretch.end - position)


@contextmanager
def _reading(source: DirectFile, stretch: Extent, pace: Pace) -> Iterator[_Reader]:
    reader = _Reader(source, stretch, min(PIECE_BYTES, pace.piece_bytes))
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()
        reader.join()


# ---- writing ------------------------------------------------------------------------------------


class _Writer:
    """Puts pieces where they belong; zeros only where something else may be there."""

    def __init__(self, destination: DirectFile, length: int, marker: CopyMarker) -> None:
        self.written = 0
        self._destination = destination
        self._length = length
        self._reads_zeros = marker.reads_zeros
        self._zeroer = Zeroer(destination)
        self._marker = marker
        self._listener = progress.current()

    def write_all(self, reader: _Reader, pace: Pace) -> None:
        """Write what arrives until the end."""
        self._listener.report(self._marker.offset, self._length)
        while (piece := self._next(reader)) is not None:
            if piece.buffer is not None:
                self._begin(piece.extent, pace)
                self._place(piece.extent, piece.buffer[: piece.extent.length])
                reader.give_back(piece.buffer)
            elif not self._reads_zeros:
                for extent in _cut(piece.extent, min(_HOLE_BYTES, pace.piece_bytes)):
                    self._begin(extent, pace)
                    self._zeroer.zero(extent.start, extent.length)
            self._listener.report(piece.extent.end, self._length)

    def _begin(self, extent: Extent, pace: Pace) -> None:
        """Everything before ``extent`` has been written: say so, and whether to go on."""
        self._listener.report(extent.start, self._length)
        pace.wait(extent.length)
        if self._marker.is_due(extent.start):
            self._destination.sync()
            self._listener.checkpoint()
            self._marker.save(extent.start)
        self._listener.checkpoint()

    def _next(self, reader: _Reader) -> _Piece | None:
        while True:
            with contextlib.suppress(queue.Empty):
                arrival = reader.arrivals.get(timeout=_PATIENCE_SECONDS)
                if isinstance(arrival, BaseException):
                    raise arrival
                return arrival
            self._listener.checkpoint()

    def _place(self, extent: Extent, data: memoryview) -> None:
        if not self._reads_zeros and not self._zeroer.is_cheap:
            # Zeros have to be written anyway: looking for them gains nothing.
            self._write(data, extent.start)
        elif is_zero(data):
            if not self._reads_zeros:
                self._zeroer.zero(extent.start, extent.length)
        elif self._reads_zeros:
            for start, end in filled_runs(data):
                self._write(data[start:end], extent.start + start)
        else:
            self._write(data, extent.start)

    def _write(self, data: memoryview, offset: int) -> None:
        self._destination.write(data, offset)
        self.written += len(data)
