"""How a guest reaches the host's files: virtiofs, or 9p where that does not work."""

from __future__ import annotations

import time
from pathlib import Path

from tests.vm_lab.failure import LabFailure
from tests.vm_lab.processes import Processes

#: QEMU's own, as in Debian 12; the one of later releases has other options.
_VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
_START_SECONDS = 5.0


def kinds() -> tuple[str, ...]:
    """What to try, one after the other, until a guest comes up."""
    return ("virtiofs", "virtiofs", "9p") if _VIRTIOFSD.exists() else ("9p", "9p")


def arguments(kind: str, memory: int, directory: Path, processes: Processes) -> list[str]:
    """QEMU's arguments for the whole root file system under the tag ``root``, read-only.

    ``memory`` (MiB) is the guest's: virtiofs needs it shared with its daemon, which is started.
    """
    if kind == "9p":
        return [
            *(
                "-fsdev",
                "local,id=root,path=/,security_model=passthrough,multidevs=remap,readonly=on",
            ),
            *("-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
        ]
    path = _start_virtiofsd(directory, processes)
    return [
        *("-object", f"memory-backend-memfd,id=memory,size={memory}M,share=on"),
        *("-machine", "memory-backend=memory"),
        *("-chardev", f"socket,id=root,path={path}"),
        *("-device", "vhost-user-fs-pci,chardev=root,tag=root,queue-size=1024"),
    ]


def _start_virtiofsd(directory: Path, processes: Processes) -> Path:
    path = directory / "root.sock"
    log = directory / "virtiofsd.log"
    daemon = processes.start(
        [
            str(_VIRTIOFSD),
            f"--socket-path={path}",
            *("-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"),
            "--thread-pool-size=2",
        ],
        log,
    )
    limit = time.monotonic() + _START_SECONDS
    while not path.exists():
        if daemon.poll() is not None or time.monotonic() > limit:
            raise LabFailure(f"virtiofsd did not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.02)
    return path
