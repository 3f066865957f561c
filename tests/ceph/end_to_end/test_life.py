"""Volumes on Ceph from creation to deletion, every byte that matters compared by QEMU."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ceph.end_to_end.images import Images
from tests.ceph_lab.cluster import Cluster
from tests.cloud import Cloud

from breezeblock.drivers.initiator import Initiator

GIB = 1024**3
BACKENDS = ["deep", "shallow", "full", "flat", "later"]
#: Fewest and most images that the bytes of the last of a chain of clones may be spread over.
DEPTHS = {"deep": (2, 5), "shallow": (1, 2), "full": (0, 0)}
#: Longer than the longest ``rbd_max_clone_depth`` of the backends.
LENGTH = 7

Order = Callable[[list[str]], list[str]]
ORDERS: dict[str, Order] = {
    "the oldest first": lambda chain: chain,
    "the newest first": lambda chain: chain[::-1],
    "from the middle": lambda chain: random.Random(4).sample(chain, len(chain)),
}
#: Where clones do not hang on each other, their order matters little.
CHAINS = [
    *((backend, order) for backend in ("deep", "shallow", "later") for order in ORDERS),
    *((backend, "from the middle") for backend in ("full", "flat")),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_volumes_life(service: Cloud, images: Images, backend: str) -> None:
    volume = service.create(backend)
    assert images.size(volume) == GIB
    images.expect(volume)
    images.write(volume, m0=1, m5=1)
    snapshot = service.snapshot(volume)
    images.write(volume, m0=2, m9=2)
    clone = service.create(backend, source_volid=volume)
    copy = service.create(backend, size=2, snapshot_id=snapshot)
    images.write(volume, m1=3)
    images.expect(clone, m0=2, m5=1, m9=2)
    images.expect(copy, m0=1, m5=1)
    assert images.size(copy) == 2 * GIB

    service.revert(volume, snapshot)
    images.expect(volume, m0=1, m5=1)
    service.extend(volume, 3, then="available")
    assert images.size(volume) == 3 * GIB
    images.expect(volume, m0=1, m5=1)
    images.write(volume, m2047=4)
    images.expect(clone, m0=2, m5=1, m9=2)

    service.delete("snapshots", snapshot)
    images.expect(copy, m0=1, m5=1)
    service.delete("volumes", volume)
    images.expect(copy, m0=1, m5=1)
    images.expect(clone, m0=2, m5=1, m9=2)
    service.delete("volumes", clone)
    service.delete("volumes", copy)


@pytest.mark.parametrize(("backend", "order"), CHAINS)
def test_clones_of_clones(service: Cloud, images: Images, backend: str, order: str) -> None:
    chain = [service.create(backend)]
    images.write(chain[0], m0=1)
    for number in range(1, LENGTH):
        chain.append(service.create(backend, source_volid=chain[-1]))
        images.write(chain[-1], **{f"m{number}": number + 1})
    if backend in DEPTHS:
        fewest, most = DEPTHS[backend]
        assert fewest <= max(map(images.depth, chain)) <= most
    _delete_one_by_one(service, images, chain, order)


@pytest.mark.parametrize(("backend", "order"), CHAINS)
def test_volumes_of_snapshots_of_volumes(
    service: Cloud, images: Images, backend: str, order: str
) -> None:
    """Each volume is made from a snapshot of the one before; the snapshots go at once."""
    chain = [service.create(backend)]
    images.write(chain[0], m0=1)
    for number in range(1, LENGTH):
        snapshot = service.snapshot(chain[-1])
        # What comes after the snapshot is not the clone's.
        images.write(chain[-1], m20=99)
        chain.append(service.create(backend, snapshot_id=snapshot))
        service.delete("snapshots", snapshot)
        images.expect(chain[-2], **_marks(number - 1), m20=99)
        images.write(chain[-1], **{f"m{number}": number + 1})
    for volume in chain[:-1]:
        images.write(volume, m20=0)
    _delete_one_by_one(service, images, chain, order)


def _delete_one_by_one(service: Cloud, images: Images, chain: list[str], order: str) -> None:
    living = {volume: _marks(number) for number, volume in enumerate(chain)}
    for volume, marks in living.items():
        images.expect(volume, **marks)
    for doomed in ORDERS[order](list(chain)):
        service.delete("volumes", doomed)
        del living[doomed]
        for volume, marks in living.items():
            images.expect(volume, **marks)


def _marks(number: int) -> dict[str, int]:
    """What the volume of that place in the chain holds."""
    return {f"m{place}": place + 1 for place in range(number + 1)}


@pytest.mark.parametrize("backend", ["deep", "later"])
def test_clones_and_their_parents_are_deleted_at_once(
    service: Cloud, images: Images, backend: str
) -> None:
    """Nobody may count on another to remove what both hang on."""
    for _ in range(5):
        chain = [service.create(backend)]
        for _ in range(4):
            chain.append(service.create(backend, source_volid=chain[-1]))
        service.delete("volumes", *chain)


@pytest.mark.parametrize("backend", ["deep", "flat"])
def test_many_children_of_one_snapshot(service: Cloud, images: Images, backend: str) -> None:
    """The snapshot and its volume go first; the siblings live on, each for itself."""
    parent = service.create(backend)
    images.write(parent, m0=1)
    snapshot = service.snapshot(parent)
    children = [service.create(backend, snapshot_id=snapshot) for _ in range(4)]
    for number, child in enumerate(children):
        images.write(child, m1=number + 1)
    service.delete("snapshots", snapshot)
    service.delete("volumes", parent)
    for number, child in enumerate(children):
        images.expect(child, m0=1, m1=number + 1)
    # And they can be parents again.
    grandchild = service.create(backend, source_volid=children[2])
    for child in children:
        service.delete("volumes", child)
    images.expect(grandchild, m0=1, m1=3)
    service.delete("volumes", grandchild)


def test_a_volume_is_attached_and_grows_in_use(
    service: Cloud, images: Images, ceph: Cluster, tmp_path: Path
) -> None:
    """By os-brick, on this host, which has a keyring of its own: the service tells none."""
    volume = service.create("deep")
    initiator = Initiator(tmp_path / "locks", address="127.0.0.1")
    attachment, info = service.attach(volume, initiator.properties())
    assert info["driver_volume_type"] == "rbd"
    assert info["data"]["name"] == f"volumes/volume-{volume}"
    assert not info["data"].get("keyring")
    assert ceph.secret() not in json.dumps(info)
    device = initiator.connect(info, keyring=ceph.keyring().read_text())
    try:
        service.complete(attachment)
        device.path.write(b"\7" * 1024**2)
        device.path.flush()
        images.expect(volume, m0=7)
        service.extend(volume, 2, then="in-use")
        assert initiator.extend(device) == 2 * GIB
    finally:
        initiator.disconnect(device)
    service.detach(attachment)
    service.delete("volumes", volume)
