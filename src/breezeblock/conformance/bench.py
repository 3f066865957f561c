"""The workbench: makes records, calls verbs the way a worker does, and cleans up."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import pytest

from breezeblock.conformance.backend import Backend, pools_of
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.interface import ListsOwnObjects, VolumeDriver
from breezeblock.targets.interface import Connector, ModelUpdate

_Record = TypeVar("_Record", Volume, Snapshot)
_PROJECT = "conformance"

#: A consumer that says all that any protocol may ask for.
CONNECTOR: Connector = {
    "host": "conformance",
    "ip": "127.0.0.1",
    "initiator": "iqn.1994-05.com.example:conformance",
    "nqn": "nqn.2014-08.org.nvmexpress:uuid:6c9e7d0a-59b5-4b5e-8e3d-2f1f3d1c0a11",
    "uuid": "6c9e7d0a-59b5-4b5e-8e3d-2f1f3d1c0a11",
    "wwpns": ["50014380186b3f65", "50014380186b3f67"],
    "wwnns": ["50014380186b3f64", "50014380186b3f66"],
    "multipath": False,
    "os_type": "linux",
    "platform": "x86_64",
    "do_local_attach": False,
}
#: Another one, on another host.
OTHER_CONNECTOR: Connector = {
    **CONNECTOR,
    "host": "other",
    "ip": "127.0.0.2",
    "initiator": "iqn.1994-05.com.example:other",
    "nqn": "nqn.2014-08.org.nvmexpress:uuid:0f1d8f3e-0c55-4c40-8a5a-2a9b1c6f7e22",
    "uuid": "0f1d8f3e-0c55-4c40-8a5a-2a9b1c6f7e22",
    "wwpns": ["50014380186b3f75", "50014380186b3f77"],
    "wwnns": ["50014380186b3f74", "50014380186b3f76"],
}


def broken(rule: str, detail: str = "") -> NoReturn:
    """Fail the test: the driver breaks ``rule`` of the contract."""
    __tracebackhide__ = True
    pytest.fail(f"contract: {rule}" + (f"\n{detail}" if detail else ""))


class Bench:
    """Every record it hands out is deleted on the backend by ``clear``, the newest first."""

    def __init__(self, backend: Backend, driver: VolumeDriver) -> None:
        self.backend = backend
        #: What verbs are called on; a test may put a fresh driver here.
        self.driver = driver
        self._made: dict[str, Volume | Snapshot] = {}
        pool = pools_of(driver.get_volume_stats())[0]["pool_name"]
        self._place = f"{backend.host}#{pool}"

    # ---- records -----------------------------------------------------------------------------

    def volume(self, size: int = 1, **fields: Any) -> Volume:
        """The record of a volume that is to be made."""
        record = Volume(
            id=str(uuid.uuid4()),
            project_id=_PROJECT,
            user_id=_PROJECT,
            size=size,
            status="creating",
            host=self._place,
            display_name="conformance",
            **fields,
        )
        return self._track(record)

    def snapshot(self, volume: Volume, **fields: Any) -> Snapshot:
        """The record of a snapshot that is to be made."""
        record = Snapshot(
            id=str(uuid.uuid4()),
            volume_id=volume.id,
            volume_name_id=volume.name_id,
            project_id=_PROJECT,
            user_id=_PROJECT,
            volume_size=volume.size,
            status="creating",
            host=volume.host,
            display_name="conformance",
            **fields,
        )
        return self._track(record)

    def updated(self, record: _Record, update: ModelUpdate | None, verb: str) -> _Record:
        """The record with what the driver asked to remember.  Checks the answer's shape."""
        check_update(record, update, verb)
        known: dict[str, Any] = dict(update or {})
        return self._track(dataclasses.replace(record, **known)) if known else record

    def adopt(self, record: Volume | Snapshot) -> None:
        """Have a record made elsewhere cleaned up as well."""
        self._made[record.id] = record

    def _track(self, record: _Record) -> _Record:
        self._made[record.id] = record
        return record

    # ---- verbs -------------------------------------------------------------------------------

    def create(self, volume: Volume) -> Volume:
        """``create_volume``."""
        return self.updated(volume, self.driver.create_volume(volume), "create_volume")

    def created(self, size: int = 1, **fields: Any) -> Volume:
        """A new, empty volume on the backend."""
        return self.create(self.volume(size, **fields))

    def snap(self, snapshot: Snapshot) -> Snapshot:
        """``create_snapshot``."""
        return self.updated(snapshot, self.driver.create_snapshot(snapshot), "create_snapshot")

    def snapped(self, volume: Volume) -> Snapshot:
        """A new snapshot of a volume."""
        return self.snap(self.snapshot(volume))

    def fill(self, volume: Volume, snapshot: Snapshot) -> Volume:
        """``create_volume_from_snapshot``."""
        update = self.driver.create_volume_from_snapshot(volume, snapshot)
        return self.updated(volume, update, "create_volume_from_snapshot")

    def filled(self, snapshot: Snapshot, size: int = 1) -> Volume:
        """A new volume with a snapshot's bytes."""
        return self.fill(self.volume(size, snapshot_id=snapshot.id), snapshot)

    def clone(self, volume: Volume, source: Volume) -> Volume:
        """``create_cloned_volume``."""
        update = self.driver.create_cloned_volume(volume, source)
        return self.updated(volume, update, "create_cloned_volume")

    def cloned(self, source: Volume, size: int = 1) -> Volume:
        """A new volume with another one's bytes."""
        return self.clone(self.volume(size, source_volid=source.id), source)

    def extend(self, volume: Volume, size: int) -> Volume:
        """``extend_volume``; the record with the new size."""
        self.driver.extend_volume(volume, size)
        return self._track(dataclasses.replace(volume, size=size))

    def delete(self, record: Volume | Snapshot) -> None:
        """``delete_volume`` or ``delete_snapshot``."""
        if isinstance(record, Volume):
            self.driver.delete_volume(record)
        else:
            self.driver.delete_snapshot(record)

    # ---- what the backend holds ----------------------------------------------------------------

    def holds(self, record: Volume | Snapshot) -> bool | None:
        """Whether the backend lists it; None if it cannot list."""
        if not isinstance(self.driver, ListsOwnObjects):
            return None
        if isinstance(record, Volume):
            return record.name in self.driver.list_volume_names()
        return record.name in self.driver.list_snapshot_names()

    def expect_held(self, record: Volume | Snapshot, rule: str) -> None:
        """Fail if the backend can list and does not list it."""
        __tracebackhide__ = True
        if self.holds(record) is False:
            broken(rule, f"the backend does not list {record.name}")

    def expect_gone(self, record: Volume | Snapshot, rule: str) -> None:
        """Fail if the backend lists it."""
        __tracebackhide__ = True
        if self.holds(record):
            broken(rule, f"the backend still lists {record.name}")

    def clear(self) -> None:
        """Delete everything; fail if something stays."""
        __tracebackhide__ = True
        left = list(reversed(self._made.values()))
        reasons: list[str] = []
        # What still depends on another goes first or, at the latest, in the second round.
        for _ in range(2):
            reasons = []
            left = [record for record in left if not self._deleted(record, reasons)]
        if left:
            broken("what was made can be deleted", "\n".join(reasons))
        for record in self._made.values():
            self.expect_gone(record, "what was deleted is not listed any more")
        self._made.clear()

    def _deleted(self, record: Volume | Snapshot, reasons: list[str]) -> bool:
        try:
            self.delete(record)
        except Exception as failure:
            reasons.append(f"{record.name}: {failure!r}")
            # Deleted by the test already: what that broke is the test's matter.
            return self.holds(record) is False
        return True


def check_update(record: Volume | Snapshot, update: Any, verb: str) -> None:
    """Fail unless ``update`` is None or a dictionary of fields of the record."""
    __tracebackhide__ = True
    rule = f"{verb} returns None or a dictionary of the record's fields"
    if update is None:
        return
    if not isinstance(update, dict):
        broken(rule, f"it returned {update!r}")
    fields = {field.name for field in dataclasses.fields(record)}
    if strange := sorted(set(update) - fields):
        broken(rule, f"{type(record).__name__} has no {', '.join(map(str, strange))}")
    is_plain(update, rule)


def is_plain(value: object, rule: str) -> None:
    """Fail unless the value can be written as JSON."""
    __tracebackhide__ = True
    try:
        json.dumps(value)
    except (TypeError, ValueError) as failure:
        broken(f"{rule}, of plain values", str(failure))


def twice(verb: str, action: Callable[[], object]) -> None:
    """Call it as a worker that crashed before it could note the first success."""
    __tracebackhide__ = True
    action()
    try:
        action()
    except Exception as failure:
        broken(f"{verb} can be called again after it has succeeded", repr(failure))
