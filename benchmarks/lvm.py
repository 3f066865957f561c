"""LVM through the API beside the same lvcreate and lvremove by hand.  It overwrites the disk.

    python -m tests.vm_lab --disk 100 --timeout 3600 -- .venv/bin/python -m benchmarks.lvm /dev/vda

The service and the commands by hand share one volume group, one kernel and one processor, turn
by turn.  A thick clone by hand is a volume and a copy by dd; as that takes what the disk takes, it
is measured alone, not with others at once.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.cloud import Cloud, cloud

from benchmarks.measurement import Row, markdown, milliseconds
from breezeblock.execution.command import run
from breezeblock.operations import journal

AIM = 1.5
#: How many volumes at once -> how often that is done.
AT_ONCE = {1: 3, 20: 1}
#: Seconds that a command by hand may take among others.
_LIMIT = 600.0
_PAUSE = 0.05
_GROUP = "bb-bench"
_POOL = f"{_GROUP}-pool"
_TARGETLESS = {"target_helper": "fake", "volume_driver": "lvm", "volume_group": _GROUP}


def measure(disk: str) -> Iterator[Row]:
    """Create, snapshot, clone, delete, on thin and on thick volumes."""
    run(["vgcreate", "--yes", _GROUP, disk])
    try:
        # Half of the group is the pool, the other half is for thick volumes.
        run(["lvcreate", "--yes", "-Zy", "-T", "-l", "50%VG", "-n", _POOL, _GROUP])
        backends = {
            kind: {**_TARGETLESS, "lvm_type": kind, "volume_clear": "none"}
            for kind in ("thin", "default")
        }
        # Looking at the group every few seconds, as tests do, would be most of the work.
        with cloud(backends, backend_stats_polling_interval=600) as service:
            for count, turns in AT_ONCE.items():
                for kind in backends:
                    yield from _rows(service, kind, count, turns)
    finally:
        run(["vgremove", "--force", "--yes", _GROUP], timeout=300)


def _rows(service: Cloud, kind: str, count: int, turns: int) -> list[Row]:
    cloned = kind == "thin" or count == 1
    times: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(turns):
        for name, taken in _turn(service, kind, count, cloned=cloned).items():
            times.setdefault(name, ([], []))[0].append(taken)
        for name, taken in _turn_by_hand(kind, count, cloned=cloned).items():
            times[name][1].append(taken)
    return [_row(kind, count, name, *both) for name, both in times.items()]


def _row(kind: str, count: int, name: str, ours: list[float], hand: list[float]) -> Row:
    ratio = statistics.median(ours) / statistics.median(hand)
    shown = "thick" if kind == "default" else kind
    return Row(
        f"LVM {shown}, {name}, {count} at once",
        f"{milliseconds(statistics.median(ours))}, {ratio:.2f}x",
        f"by hand: {milliseconds(statistics.median(hand))}",
        f"<= {AIM}x",
        ratio <= AIM,
    )


def _turn(service: Cloud, kind: str, count: int, *, cloned: bool) -> dict[str, float]:
    """Seconds of each verb through the API, until all are done."""
    times: dict[str, float] = {}

    def timed(name: str, resource: str, bodies: Sequence[dict[str, object]]) -> list[str]:
        begun = time.perf_counter()
        made = [service.ask("POST", f"/{resource}s", {resource: body}) for body in bodies]
        _settle(service)
        times[name] = time.perf_counter() - begun
        ids = [str(answer[resource]["id"]) for answer in made]
        for resource_id in ids:
            found = service.ask("GET", f"/{resource}s/{resource_id}")[resource]["status"]
            assert found == "available", f"{name}: {found}"
        return ids

    def removed(name: str, resource: str, ids: Sequence[str]) -> None:
        begun = time.perf_counter()
        for resource_id in ids:
            service.ask("DELETE", f"/{resource}s/{resource_id}")
        _settle(service)
        times[name] = time.perf_counter() - begun

    new: dict[str, object] = {"size": 1, "volume_type": kind}
    volumes = timed("create", "volume", [new] * count)
    snapshots = timed("snapshot", "snapshot", [{"volume_id": one} for one in volumes])
    removed("delete snapshot", "snapshot", snapshots)
    clones = []
    if cloned:
        clones = timed("clone", "volume", [{**new, "source_volid": one} for one in volumes])
    removed("delete", "volume", volumes)
    if cloned:
        removed("delete clone", "volume", clones)
    return times


def _settle(service: Cloud) -> None:
    """Wait for the end of all operations.

    Looking costs processor time that the worker wants too, so it is not done more often than it
    has to be for figures of a second.
    """
    application = service.application
    hosts = [application.settings.service_host(name) for name in application.settings.backends]
    while True:
        with application.database.read() as connection:
            if not any(journal.unfinished_resources(connection, host) for host in hosts):
                return
        time.sleep(_PAUSE)


def _turn_by_hand(kind: str, count: int, *, cloned: bool) -> dict[str, float]:
    """Seconds of the same with LVM's own commands, as many at once."""
    thin = kind == "thin"
    numbers = range(count)
    create = ["-T", f"{_GROUP}/{_POOL}", "-V", "1G"] if thin else ["-L", "1G", _GROUP]

    def lvm(program: str, *arguments: str) -> None:
        run([program, "--yes", *arguments], timeout=_LIMIT)

    def snapshot(number: int) -> None:
        size = [] if thin else ["-L", "1G"]
        name = ["-n", f"snap{number}"]
        lvm("lvcreate", "-kn", "-s", *name, *size, f"{_GROUP}/vol{number}")

    def clone(number: int) -> None:
        if thin:
            lvm("lvcreate", "-kn", "-s", "-n", f"clone{number}", f"{_GROUP}/vol{number}")
            return
        lvm("lvcreate", "-n", f"clone{number}", "-L", "1G", _GROUP)
        source, destination = f"/dev/{_GROUP}/vol{number}", f"/dev/{_GROUP}/clone{number}"
        flags = ["bs=1M", "oflag=direct", "conv=fdatasync"]
        run(["dd", f"if={source}", f"of={destination}", *flags], timeout=600)

    def remove(name: str) -> Callable[[int], None]:
        return lambda number: lvm("lvremove", f"{_GROUP}/{name}{number}")

    verbs = {
        "create": lambda number: lvm("lvcreate", "-n", f"vol{number}", *create),
        "snapshot": snapshot,
        "delete snapshot": remove("snap"),
        **({"clone": clone} if cloned else {}),
        "delete": remove("vol"),
        **({"delete clone": remove("clone")} if cloned else {}),
    }
    times = {}
    for name, verb in verbs.items():
        begun = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(verb, numbers))
        times[name] = time.perf_counter() - begun
    return times


if __name__ == "__main__":
    sys.stdout.write(markdown([]))
    for line in measure(sys.argv[1]):
        sys.stdout.write(line.markdown())
        sys.stdout.flush()
