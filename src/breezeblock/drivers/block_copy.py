"""Copies between block devices and raw files, as fast as the disks or as slow as asked.

An unthrottled copy runs in the calling thread (and one that reads ahead).  A throttled one runs
in a process of its own, inside a cgroup that limits both devices; where no cgroup can be made
it runs here and keeps the pace itself.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path

from breezeblock.drivers import copy_pipeline, progress
from breezeblock.drivers.copy_cgroup import UNLIMITED, Throttle, throttled
from breezeblock.drivers.copy_pipeline import CopyRequest
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.pace import Pace
from breezeblock.execution.command import CommandFailed, stream

LOG = logging.getLogger(__name__)

_PROGRAM = [sys.executable, "-P", "-m", "breezeblock.drivers.copy_process"]


def copy(
    source: str,
    destination: str,
    length: int,
    *,
    destination_reads_zeros: bool,
    checkpoint: Path | None = None,
    throttle: Throttle = UNLIMITED,
) -> int:
    """Copy the first ``length`` bytes of ``source`` to ``destination``; both exist already.

    Afterwards the destination's first ``length`` bytes are the source's, durably; nothing that
    was there before shines through.  ``destination_reads_zeros`` says that all of it is zeros
    (a fresh thin volume), or what an interrupted copy of this very source left there: zeros are
    not written then, in runs of 64 KiB, and a thin volume stays thin.  The source must not
    change meanwhile.

    With ``checkpoint`` a copy whose process was killed goes on where it was, when called again
    with the same arguments; the file is gone at the end.  Without, it starts over.

    Returns the bytes of data written.  Reports progress; what ``progress.checkpoint`` raises
    passes through, and nothing is written after that.  Raises ``VolumeBackendError``.
    """
    request = CopyRequest(
        source,
        destination,
        length,
        destination_reads_zeros,
        str(checkpoint.absolute()) if checkpoint else None,
    )
    started = time.monotonic()
    if not throttle.bytes_per_second:
        written = copy_pipeline.run(request, Pace(0))
    else:
        with throttled(throttle, source, destination) as cgroup:
            if cgroup is None:
                written = copy_pipeline.run(request, Pace(throttle.bytes_per_second))
            else:
                written = _run_in_child(request, cgroup)
    LOG.info(
        "copied %d bytes of %s to %s in %.1f s, %d of them data",
        length,
        source,
        destination,
        time.monotonic() - started,
        written,
    )
    return written


def _run_in_child(request: CopyRequest, cgroup: Path) -> int:
    """Let a child of ours copy; it is killed when ``progress.checkpoint`` raises."""
    listener = progress.current()
    last: dict[str, object] = {}

    def on_line(line: str) -> None:
        told = json.loads(line)
        if "done" in told:
            listener.report(told["done"], told["total"])
        else:
            last.update(told)

    try:
        stream(
            _PROGRAM,
            on_line=on_line,
            on_tick=listener.checkpoint,
            stdin=json.dumps(asdict(request)).encode(),
            cgroup=cgroup,
        )
    except CommandFailed as failed:
        reason = last.get("error") or (
            f"the copy of {request.source} to {request.destination} ended early: {failed}"
        )
        raise VolumeBackendError(
            reason=reason, transient=bool(last.get("transient", "error" not in last))
        ) from failed
    listener.checkpoint()
    return int(str(last["written"]))
