"""Who holds an operation: one worker process, told apart from every other, also after its death.

The name carries the host, its boot, the process namespace, the process and its start, so that
a worker that starts on the same host can see at once that the one before it is gone.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]


def _namespace() -> str:
    return str(os.stat("/proc/self/ns/pid").st_ino)


def _started(pid: int) -> str | None:
    """The process's start in clock ticks since boot; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in parentheses and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields[19]


def this_worker(host: str) -> str:
    """A name for a worker of this process; two in one process have two names."""
    pid = os.getpid()
    return f"{host}/{_boot()}/{_namespace()}/{pid}/{_started(pid)}/{uuid.uuid4().hex[:6]}"


def is_dead(owner: str, host: str) -> bool:
    """Whether the worker is certainly gone.

    Only a worker of the same host, and of the same process namespace, can be judged; for any
    other the end of its lease decides.
    """
    parts = owner.rsplit("/", 5)
    if len(parts) != 6 or parts[0] != host:
        return False
    _, boot, namespace, pid, started, _ = parts
    if boot != _boot():
        return True
    if namespace != _namespace():
        return False
    return _started(int(pid)) != started
