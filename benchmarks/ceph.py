"""RBD through the API, beside the same calls of librbd in a bare loop, on a cluster of its own."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.ceph.end_to_end.images import backend
from tests.ceph_lab.cluster import Cluster
from tests.ceph_lab.monitor import bindings
from tests.service import Service, service

from benchmarks.load import PROJECT, Client
from benchmarks.measurement import Row, milliseconds
from benchmarks.reading import UNLIMITED

TURNS = 5
AT_ONCE = (1, 20, 100)
#: Milliseconds that one request may take more than librbd, and the ratio that 100 may take.
OVERHEAD_AIM = 10.0
RATIO_AIM = 1.3
#: Worker threads, and threads of the bare loop.
THREADS = 8
#: Bytes of data that are copied and flattened.
DATA = 512 * 1024**2
_GIB = 1024**3
_ORDER = 22
#: Backends: ``flat`` makes volumes from snapshots independent, ``full`` clones by copying.
_BACKENDS: Mapping[str, Mapping[str, object]] = {
    "rbd": {},
    "flat": {"rbd_flatten_volume_from_snapshot": True},
    "full": {"rbd_max_clone_depth": 0},
}


def rbd() -> list[Row]:
    """Creates and deletes of 1, 20 and 100 volumes; flatten and full copy beside ``rbd cp``."""
    with (
        tempfile.TemporaryDirectory(prefix="bb-ceph-") as directory,
        Cluster(Path(directory) / "lab") as ceph,
        service("noauth", settings=_settings(ceph)) as running,
        _pool(ceph) as bare,
    ):
        _make_types(running)
        rows = [row for count in AT_ONCE for row in asyncio.run(_at_once(running, bare, count))]
        return rows + asyncio.run(_copies(running, ceph))


def _settings(ceph: Cluster) -> dict[str, Mapping[str, object]]:
    wide = {**UNLIMITED["DEFAULT"], "enabled_backends": ",".join(_BACKENDS)}
    sections = {
        name: {"volume_backend_name": name, **backend(ceph, **options)}
        for name, options in _BACKENDS.items()
    }
    return {"DEFAULT": wide, "breezeblock": {"worker_threads": THREADS}, **sections}


def _make_types(running: Service) -> None:
    """One of each backend's name."""
    with running.client(PROJECT) as client:
        for name in _BACKENDS:
            made = client.request("POST", "/types", {"volume_type": {"name": name}})
            specs = {"extra_specs": {"volume_backend_name": name}}
            client.request("POST", f"/types/{made['volume_type']['id']}/extra_specs", specs)


# ---- creates and deletes -----------------------------------------------------------------------


class _Bare:
    """librbd without anything of ours."""

    def __init__(self, library: Any, ioctx: Any) -> None:
        self._library = library
        self._ioctx = ioctx

    def create(self, name: str) -> None:
        features = self._library.RBD_FEATURE_LAYERING
        for feature in ("EXCLUSIVE_LOCK", "OBJECT_MAP", "FAST_DIFF", "DEEP_FLATTEN"):
            features |= getattr(self._library, f"RBD_FEATURE_{feature}")
        self._library.RBD().create(
            self._ioctx, name, _GIB, order=_ORDER, old_format=False, features=features
        )

    def remove(self, name: str) -> None:
        self._library.RBD().remove(self._ioctx, name)

    def at_once(self, verb: Callable[[str], None], names: Sequence[str]) -> float:
        """Seconds that ``verb`` takes for all names."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(verb, names))
        return time.perf_counter() - begun


@contextmanager
def _pool(ceph: Cluster) -> Iterator[_Bare]:
    rados, library = bindings()
    client = rados.Rados(conffile=str(ceph.conf), rados_id="cinder")
    client.connect()
    try:
        with client.open_ioctx("volumes2") as ioctx:
            yield _Bare(library, ioctx)
    finally:
        client.shutdown()


async def _at_once(running: Service, bare: _Bare, count: int) -> list[Row]:
    """Both in turn, on the same cluster."""
    ours: dict[str, list[float]] = {"create": [], "delete": []}
    theirs: dict[str, list[float]] = {"create": [], "delete": []}
    names = [f"bare-{number}" for number in range(count)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(running)) for _ in range(count)]
        for _ in range(TURNS):
            created, deleted = await _turn(clients)
            ours["create"].append(created)
            ours["delete"].append(deleted)
            theirs["create"].append(bare.at_once(bare.create, names))
            theirs["delete"].append(bare.at_once(bare.remove, names))
    return [_row(verb, count, ours[verb], theirs[verb]) for verb in ours]


async def _turn(clients: Sequence[Client]) -> tuple[float, float]:
    """Seconds until all volumes are available, and until all of them are gone."""
    begun = time.perf_counter()
    made = await asyncio.gather(*(_created(client) for client in clients))
    await _until_none(clients[0], "creating")
    created = time.perf_counter() - begun
    listed, _ = await clients[0].request("GET", "/volumes?status=available&limit=1000")
    assert set(made) <= {volume["id"] for volume in listed["volumes"]}
    begun = time.perf_counter()
    await asyncio.gather(
        *(
            client.request("DELETE", f"/volumes/{id_}")
            for client, id_ in zip(clients, made, strict=True)
        )
    )
    await _until_none(clients[0], "deleting")
    deleted = time.perf_counter() - begun
    assert not (await clients[0].request("GET", "/volumes?limit=1"))[0]["volumes"]
    return created, deleted


async def _created(client: Client) -> str:
    body = {"volume": {"size": 1, "volume_type": "rbd"}}
    answer, _ = await client.request("POST", "/volumes", body)
    return str(answer["volume"]["id"])


async def _until_none(client: Client, status: str) -> None:
    while (await client.request("GET", f"/volumes?status={status}&limit=1"))[0]["volumes"]:
        await asyncio.sleep(0.002)


def _row(verb: str, count: int, ours: Sequence[float], theirs: Sequence[float]) -> Row:
    mine, bare = statistics.median(ours), statistics.median(theirs)
    more, ratio = (mine - bare) * 1000, mine / bare
    aims = {1: (f"<= {OVERHEAD_AIM:.0f} ms more", more <= OVERHEAD_AIM)}
    aims[100] = (f"<= {RATIO_AIM}x", ratio <= RATIO_AIM)
    aim, kept = aims.get(count, ("", None))
    return Row(
        f"RBD, {verb}, {count} at once",
        f"{milliseconds(mine)}: {more:.1f} ms more, {ratio:.2f}x",
        f"librbd with {THREADS} threads: {milliseconds(bare)}",
        aim,
        kept,
    )


# ---- copies ------------------------------------------------------------------------------------


async def _copies(running: Service, ceph: Cluster) -> list[Row]:
    """A volume full of data is flattened and copied, as often by ``rbd cp``."""
    times: dict[str, list[float]] = {"flatten": [], "full copy": []}
    theirs: list[float] = []
    async with Client(running) as client:
        flat, full = [await _filled(client, ceph, name) for name in ("flat", "full")]
        body = {"snapshot": {"volume_id": flat}}
        snapshot = (await client.request("POST", "/snapshots", body))[0]["snapshot"]["id"]
        await _available(client, f"/snapshots/{snapshot}", "snapshot")
        for number in range(3):
            times["flatten"].append(await _timed(client, "flat", snapshot_id=snapshot))
            times["full copy"].append(await _timed(client, "full", source_volid=full))
            begun = time.perf_counter()
            ceph.run_rbd("cp", f"volumes/volume-{full}", f"volumes2/copy-{number}")
            theirs.append(time.perf_counter() - begun)
    return [_copy_row(name, taken, theirs) for name, taken in times.items()]


async def _filled(client: Client, ceph: Cluster, type_: str) -> str:
    body = {"volume": {"size": 1, "volume_type": type_}}
    volume = (await client.request("POST", "/volumes", body))[0]["volume"]["id"]
    await _available(client, f"/volumes/{volume}", "volume")
    ceph.qemu_io(f"volumes/volume-{volume}", f"write -P 7 0 {DATA}", "flush")
    return str(volume)


async def _timed(client: Client, type_: str, **source: str) -> float:
    body = {"volume": {"size": 1, "volume_type": type_, **source}}
    begun = time.perf_counter()
    made = (await client.request("POST", "/volumes", body))[0]["volume"]["id"]
    await _available(client, f"/volumes/{made}", "volume")
    return time.perf_counter() - begun


async def _available(client: Client, path: str, kind: str) -> None:
    while (await client.request("GET", path))[0][kind]["status"] != "available":
        await asyncio.sleep(0.01)


def _copy_row(name: str, ours: Sequence[float], theirs: Sequence[float]) -> Row:
    mine, cp = (DATA / statistics.median(taken) / 1e6 for taken in (ours, theirs))
    return Row(
        f"RBD, {name} of {DATA // 1024**2} MiB in 1 GiB",
        f"{mine:.0f} MB/s, {mine / cp:.2f}x",
        f"rbd cp: {cp:.0f} MB/s",
    )
