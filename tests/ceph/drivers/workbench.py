"""Drivers of a test's own, records, and a look past the driver at what the cluster holds."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from tests.backend_options import backend_options
from tests.ceph_lab.cluster import Cluster

from breezeblock.domain.context import RequestContext
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.rbd import RBDDriver

GIB = 1024**3
MIB = 1024**2
POOL = "volumes"
HOST = "host@quick"
CONTEXT = RequestContext(user_id="", project_id="", request_id="", is_admin=True)


class Interrupted(Exception):
    """A worker is told to stop."""


class StopAt:
    """A worker that may act so many times, and not once more."""

    def __init__(self, allowed: int) -> None:
        self.passed = 0
        self._allowed = allowed

    def report(self, bytes_done: int, bytes_total: int) -> None:
        """Nobody is listening."""

    def checkpoint(self) -> None:
        if self.passed >= self._allowed:
            raise Interrupted
        self.passed += 1


class Workbench:
    """See the module."""

    def __init__(self, ceph: Cluster, state_path: Path) -> None:
        self.ceph = ceph
        self.state_path = state_path

    def options(self, **options: object) -> Any:
        """A backend's options for the cluster's pool."""
        values: dict[str, object] = {
            "volume_driver": "rbd",
            "rbd_pool": POOL,
            "rbd_user": "cinder",
            "rbd_ceph_conf": self.ceph.conf,
            "state_path": self.state_path,
            **options,
        }
        return backend_options(**values)

    def driver(self, **options: object) -> RBDDriver:
        """A driver that has been started, short of recovery."""
        driver = RBDDriver(configuration=self.options(**options), host=HOST)
        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()
        return driver

    # ---- records -------------------------------------------------------------------------------

    def volume(self, size: int = 1, **fields: Any) -> Volume:
        fields.setdefault("id", str(uuid.uuid4()))
        return Volume(
            project_id="p", user_id="u", size=size, status="available", host=f"{HOST}#x", **fields
        )

    def snapshot(self, volume: Volume) -> Snapshot:
        return Snapshot(
            id=str(uuid.uuid4()),
            volume_id=volume.id,
            volume_name_id=volume.name_id,
            project_id="p",
            user_id="u",
            volume_size=volume.size,
            status="available",
        )

    # ---- what there is -------------------------------------------------------------------------

    def images(self, pool: str = POOL) -> list[str]:
        """The images as the command ``rbd`` sees them."""
        found: list[str] = self.ceph.ask_rbd("ls", pool)
        return sorted(found)

    def info(self, name: str, pool: str = POOL) -> dict[str, Any]:
        """What ``rbd info`` says."""
        found: dict[str, Any] = self.ceph.ask_rbd("info", f"{pool}/{name}")
        return found

    def snapshots(self, name: str, pool: str = POOL) -> list[str]:
        """All snapshots of an image, those in the trash too."""
        found = self.ceph.ask_rbd("snap", "ls", "--all", f"{pool}/{name}")
        return [one["name"] for one in found]

    def trash(self) -> list[str]:
        """The images in the trash."""
        return [one["name"] for one in self.ceph.ask_rbd("trash", "ls", POOL)]

    def parent(self, name: str) -> str | None:
        """``image@snapshot`` that an image hangs on."""
        found = self.info(name).get("parent")
        return f"{found['image']}@{found['snapshot']}" if found else None

    def write(self, name: str, pattern: int, offset: str = "0", length: str = "1M") -> None:
        """Fill a part of an image with a byte."""
        self.ceph.qemu_io(f"{POOL}/{name}", f"write -P {pattern} {offset} {length}")

    def expect(self, name: str, pattern: int, offset: str = "0", length: str = "1M") -> None:
        """Fail unless a part of an image (or snapshot) is full of that byte."""
        self.ceph.qemu_io(f"{POOL}/{name}", f"read -P {pattern} {offset} {length}")

    def expect_nothing_left(self, driver: RBDDriver) -> None:
        """Fail if the pool holds any image, anything in the trash, or any note of work."""
        left = (self.images(), self.trash(), driver.site.journal.entries())
        assert left == ([], [], [])

    def wipe(self) -> None:
        """Remove all of the pool, so that one failed test does not fail the others."""
        for name in self.images():
            for snapshot in self.ceph.ask_rbd("snap", "ls", f"{POOL}/{name}"):
                full = f"{POOL}/{name}@{snapshot['name']}"
                for child in self.ceph.ask_rbd("children", full):
                    self.ceph.run_rbd("flatten", "--no-progress", f"{POOL}/{child['image']}")
                if snapshot["protected"] == "true":
                    self.ceph.run_rbd("snap", "unprotect", full)
                self.ceph.run_rbd("snap", "rm", "--no-progress", full)
        for name in self.images():
            self.ceph.run_rbd("rm", "--no-progress", f"{POOL}/{name}")
        self.ceph.run_rbd("trash", "purge", "--no-progress", POOL)
        journal = self.driver().site.journal
        for entry in journal.entries():
            journal.finish(entry.name)
