"""place() in its transaction: the last gigabyte is given away once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.stored import register_pool, volume

from breezeblock.domain.errors import NoValidBackend
from breezeblock.scheduling import filters, weighers
from breezeblock.scheduling.placement import Scheduler
from breezeblock.scheduling.request import PlacementRequest
from breezeblock.store import pools, services, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Database

SCHEDULER = Scheduler(
    filters=filters.named(["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"]),
    weighers=weighers.named(["CapacityWeigher"], {}),
)
ONE, TWO = "here@one#one", "here@two#two"


def place(database: Database, size: int = 1, **fields: Any) -> str:
    request = PlacementRequest(size=size, **fields)
    return database.transact(lambda tx: SCHEDULER.place(tx, request)).name


def consumed(database: Database) -> Mapping[str, int]:
    with database.read() as connection:
        found = pools.of_live_services(connection, now() - timedelta(hours=1))
    return {pool.name: pool.consumed_gb for pool in found}


def test_the_roomiest_pool_wins_and_pays(database: Database) -> None:
    register_pool(database, ONE)
    register_pool(database, TWO, reported={"total_capacity_gb": 50, "free_capacity_gb": 50})
    assert [place(database, 30) for _ in range(4)] == [ONE, ONE, TWO, ONE]
    assert consumed(database) == {ONE: 90, TWO: 30}
    with pytest.raises(NoValidBackend) as caught:
        place(database, 30)
    assert ONE in str(caught.value)
    assert TWO in str(caught.value)
    assert str(caught.value).count("over-subscription ratio 1 would be passed") == 2
    assert consumed(database) == {ONE: 90, TWO: 30}


@pytest.mark.parametrize("shared", [True, False], ids=["one-process", "two-processes"])
def test_sixteen_at_once_never_get_more_than_there_is(database: Database, shared: bool) -> None:
    register_pool(database, ONE)
    register_pool(database, TWO)
    other = database if shared else Database(database.url.render_as_string(), synchronous=False)
    placed: list[str] = []
    refused: list[int] = []

    def ask(into: Database) -> None:
        for _ in range(5):
            try:
                placed.append(place(into, 3))
            except NoValidBackend:
                refused.append(1)

    threads = [
        threading.Thread(target=ask, args=(into,)) for into in (database, other) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.dispose()
    # 33 times 3 GiB fit into 100.
    assert (len(placed), len(refused)) == (66, 14)
    assert consumed(database) == {ONE: 99, TWO: 99}


def test_a_transaction_that_breaks_gives_back_what_it_took(database: Database) -> None:
    register_pool(database, ONE)

    def work(tx: Any) -> None:
        SCHEDULER.place(tx, PlacementRequest(size=60))
        raise KeyError

    with pytest.raises(KeyError):
        database.transact(work)
    assert consumed(database) == {ONE: 0}
    assert place(database, 60) == ONE


def test_tried_pools_are_out(database: Database) -> None:
    register_pool(database, ONE)
    register_pool(database, TWO)
    assert place(database, tried=[ONE]) == TWO
    assert place(database, tried=[TWO]) == ONE
    with pytest.raises(NoValidBackend, match="it failed this request before"):
        place(database, tried=[ONE, TWO])


def test_hints_are_kept_although_no_filter_is_configured(database: Database) -> None:
    register_pool(database, ONE)
    register_pool(database, TWO)
    there = volume(host=TWO)
    database.transact(lambda tx: volumes.insert(tx, there))
    assert place(database, hints={"same_host": there.id}) == TWO
    assert place(database, hints={"same_host": [there.id]}) == TWO
    assert place(database, hints={"different_host": [there.id]}) == ONE
    with pytest.raises(NoValidBackend):
        place(database, hints={"same_host": ["nowhere"]})


def test_a_bound_request_goes_nowhere_else(database: Database) -> None:
    register_pool(database, ONE)
    register_pool(database, TWO, reported={"free_capacity_gb": 1, "total_capacity_gb": 1})
    assert place(database, only_backend=TWO) == TWO
    with pytest.raises(NoValidBackend):
        place(database, only_backend=TWO)


def test_zones_and_types_decide(database: Database) -> None:
    register_pool(database, ONE, zone="earth")
    register_pool(database, TWO, zone="mars", reported={"volume_backend_name": "two"})
    assert place(database, availability_zone="mars") == TWO
    assert place(database, extra_specs={"volume_backend_name": "two"}) == TWO
    with pytest.raises(NoValidBackend):
        place(database, availability_zone="earth", extra_specs={"volume_backend_name": "two"})


def test_a_backend_that_is_not_heard_of_gets_nothing(database: Database) -> None:
    with pytest.raises(NoValidBackend, match="no backend is up"):
        place(database)
    register_pool(database, ONE)
    long_ago = now() - timedelta(seconds=SCHEDULER.service_down_time + 1)
    database.transact(
        lambda tx: services.change(tx, "here@one", "cinder-volume", heartbeat_at=long_ago)
    )
    with pytest.raises(NoValidBackend, match="no backend is up"):
        place(database)
    database.transact(lambda tx: services.beat(tx, [("here@one", "cinder-volume")]))
    assert place(database) == ONE


def test_growth_takes_of_the_volumes_own_pool(database: Database) -> None:
    register_pool(database, ONE)
    register_pool(database, TWO)

    def grow(size: int, *, thin: bool = True) -> None:
        database.transact(lambda tx: SCHEDULER.fits(tx, ONE, size, thin=thin))

    grow(90)
    assert consumed(database) == {ONE: 90, TWO: 0}
    with pytest.raises(NoValidBackend, match="over-subscription ratio 1 would be passed"):
        grow(11)
    grow(10)
    with pytest.raises(NoValidBackend, match="is down or disabled"):
        database.transact(lambda tx: SCHEDULER.fits(tx, "gone@x#y", 1, thin=True))
