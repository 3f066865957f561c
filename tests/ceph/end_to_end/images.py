"""The volumes of a service as images, looked at past the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.ceph_lab.cluster import Cluster
from tests.ceph_lab.monitor import bindings
from tests.vm_lab.polling import wait_until

MIB = 1024**2
#: Pools that volumes of the tests are in.
POOLS = ("volumes", "volumes2")
#: Seconds in which a volume that is deleted later must be gone.
_PURGE_SECONDS = 20.0
#: Seconds that a look past the service may take.
_LOOK_SECONDS = "30"


def backend(ceph: Cluster, **options: object) -> Mapping[str, object]:
    """The section of a backend on the cluster, as operators of the field write it."""
    return {
        "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
        "rbd_pool": "volumes",
        "rbd_user": "cinder",
        "rbd_ceph_conf": ceph.conf,
        "rbd_exclusive_cinder_pool": False,
        "deferred_deletion_purge_interval": 1,
        **options,
    }


class Images:
    """Writes volumes by QEMU, reads them by librbd, and sees what there is, as ``client.cinder``.

    Use ``looking`` to make one.
    """

    def __init__(self, ceph: Cluster, pools: Mapping[str, Any]) -> None:
        self._ceph = ceph
        self._pools = pools
        _, self._rbd = bindings()

    def write(self, volume_id: str, **marks: int) -> None:
        """Fill whole MiB with a byte: ``write(volume, m0=7, m5=8)`` fills the first and sixth."""
        commands = [f"write -P {byte} {place[1:]}M 1M" for place, byte in marks.items()]
        self._ceph.qemu_io("/".join(self._where(volume_id)), *commands, "flush")

    def expect(self, volume_id: str, **marks: int) -> None:
        """Fail unless these MiB are full of these bytes, and everything else is zeros."""
        known = {int(place[1:]): byte for place, byte in marks.items()}
        held = set(known)

        def note(offset: int, length: int, exists: bool) -> None:
            if exists:
                held.update(range(offset // MIB, (offset + length - 1) // MIB + 1))

        pool, name = self._where(volume_id)
        with self._rbd.Image(self._pools[pool], name, read_only=True) as image:
            # What its parents hold is told too; what nobody holds reads zeros.
            image.diff_iterate(0, image.size(), None, note)
            for place in sorted(held):
                found = image.read(place * MIB, MIB)
                assert found == bytes([known.get(place, 0)]) * MIB, f"{name}, MiB {place}"

    def size(self, volume_id: str) -> int:
        """Bytes."""
        pool, name = self._where(volume_id)
        with self._rbd.Image(self._pools[pool], name, read_only=True) as image:
            return int(image.size())

    def depth(self, volume_id: str) -> int:
        """How many images the volume's bytes may be spread over, besides its own."""
        (pool, name), depth = self._where(volume_id), 0
        while True:
            with self._rbd.Image(self._pools[pool], name, read_only=True) as image:
                try:
                    pool, name, _ = image.parent_info()
                except self._rbd.ImageNotFound:
                    return depth
            depth += 1

    def snapshots(self, volume_id: str) -> set[str]:
        """The names of a volume's snapshots."""
        pool, name = self._where(volume_id)
        with self._rbd.Image(self._pools[pool], name, read_only=True) as image:
            return {one["name"] for one in image.list_snaps()}

    def all(self) -> set[str]:
        """Every image of the pools, also of their trash."""
        rbd = self._rbd.RBD()
        return {
            f"{pool}/{name}"
            for pool, context in self._pools.items()
            for name in (
                *rbd.list(context),
                *(f"{one['name']} (in the trash)" for one in rbd.trash_list(context)),
            )
        }

    def _where(self, volume_id: str) -> tuple[str, str]:
        name = f"volume-{volume_id}"
        (pool,) = [p for p, context in self._pools.items() if name in self._rbd.RBD().list(context)]
        return pool, name


@contextmanager
def looking(ceph: Cluster) -> Iterator[Images]:
    """The volumes' images; at the block's end its volumes must be gone without a trace."""
    rados, _ = bindings()
    limits = dict.fromkeys(("client_mount_timeout", "rados_osd_op_timeout"), _LOOK_SECONDS)
    with (
        rados.Rados(conffile=str(ceph.conf), rados_id="cinder", conf=limits) as cluster,
        ExitStack() as stack,
    ):
        pools = {pool: stack.enter_context(cluster.open_ioctx(pool)) for pool in POOLS}
        images = Images(ceph, pools)
        before = images.all()
        yield images
        wait_until(lambda: images.all() <= before, _PURGE_SECONDS, f"left: {images.all() - before}")
