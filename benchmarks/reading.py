"""GET of one volume, and lists among few and many volumes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.service import Auth, Service, service

from benchmarks.load import PROJECT, Client, Throughput, wrk
from benchmarks.measurement import Row, milliseconds
from benchmarks.seeding import seed

FEW, MANY, PAGE = 1_000, 100_000, 50
TURNS = 3
GET_AIM, RATIO_AIM = 2_500, 1.3
UNLIMITED = {"DEFAULT": {"quota_volumes": -1, "quota_gigabytes": -1, "quota_snapshots": -1}}


def get_volume(auth: Auth, seconds: int) -> list[Row]:
    """One volume, over and over, beside an empty answer of the same server."""
    with service(auth, "fake", UNLIMITED) as running:
        volume = asyncio.run(create_volume(running))
        rows = []
        for connections in (1, 8, 32):
            got = wrk(running, f"/v3/volumes/{volume}", connections=connections, seconds=seconds)
            raw = wrk(running, "/healthcheck", connections=connections, seconds=seconds)
            rows.append(
                Row(
                    f"GET volume, {auth}, {connections} connections",
                    _shown(got),
                    f"/healthcheck: {_shown(raw)}",
                    f">= {GET_AIM:,} req/s" if connections == 8 else "",
                    got.per_second >= GET_AIM if connections == 8 else None,
                )
            )
        return rows


def lists(seconds: int) -> list[Row]:
    """Pages of details among few and many volumes of one project."""
    with service("noauth", "fake", UNLIMITED) as running:
        volume = asyncio.run(create_volume(running))
        ids = seed(running, volume, 0, FEW)
        few = _pages(running, ids, seconds)
        ids += seed(running, volume, FEW, MANY)
        many = _pages(running, ids, seconds)
        raw = wrk(running, "/healthcheck", connections=1, seconds=seconds)
    growth = _cost(many["first"]) / _cost(few["first"])
    depth = _cost(many["deep"]) / _cost(many["first"])
    empty = f"/healthcheck: {milliseconds(_cost(raw))}"
    aim = f"<= {RATIO_AIM}x"
    return [
        Row(f"list of {PAGE} details, first page of {FEW:,}", _page(few["first"]), empty),
        Row(f"list of {PAGE} details, deep page of {FEW:,}", _page(few["deep"]), empty),
        Row(f"list of {PAGE} details, first page of {MANY:,}", _page(many["first"]), empty),
        Row(f"list of {PAGE} details, deep page of {MANY:,}", _page(many["deep"]), empty),
        Row(f"{MANY:,} against {FEW:,}", f"{growth:.2f}x", "", aim, growth <= RATIO_AIM),
        Row(f"deep against first page, {MANY:,}", f"{depth:.2f}x", "", aim, depth <= RATIO_AIM),
    ]


async def create_volume(running: Service) -> str:
    """One volume, when it is available."""
    async with Client(running) as client:
        answer, _ = await client.request("POST", "/volumes", {"volume": {"size": 1}})
        identity = str(answer["volume"]["id"])
        while True:
            shown: Any = (await client.request("GET", f"/volumes/{identity}"))[0]["volume"]
            if shown["status"] == "available":
                return identity
            assert not shown["status"].startswith("error"), shown
            await asyncio.sleep(0.005)


def _pages(running: Service, ids: list[str], seconds: int) -> dict[str, Throughput]:
    # The newest come first, so the oldest are deep down.
    marker = ids[len(ids) // 20]
    path = f"/v3/{PROJECT}/volumes/detail?limit={PAGE}"
    paths = {"first": path, "deep": f"{path}&marker={marker}"}
    # By turns, so that what else the machine does in a moment does not favour one of them.
    turns = [
        {name: wrk(running, of, connections=1, seconds=seconds) for name, of in paths.items()}
        for _ in range(TURNS)
    ]
    return {name: sorted((t[name] for t in turns), key=_cost)[TURNS // 2] for name in paths}


def _cost(seen: Throughput) -> float:
    """Seconds a request takes one client on average."""
    return 1 / seen.per_second


def _page(seen: Throughput) -> str:
    return f"{milliseconds(_cost(seen))} (p99 {milliseconds(seen.p99)})"


def _shown(seen: Throughput) -> str:
    latency = f"p50 {milliseconds(seen.p50)}, p99 {milliseconds(seen.p99)}"
    return f"{seen.per_second:,.0f} req/s, {latency}"
