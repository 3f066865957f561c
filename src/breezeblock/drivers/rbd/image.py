"""One opened image: its bytes, its snapshots and what it hangs on, with our errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from breezeblock.drivers import progress
from breezeblock.drivers.rbd.errors import ImageMissing, RbdError, translating
from breezeblock.drivers.rbd.long_call import LongCall
from breezeblock.drivers.rbd.pool import Pool

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotOfImage:
    """A snapshot; ``in_trash``: it is deleted and lives on because clones hang on it."""

    name: str
    size: int
    in_trash: bool
    #: Not one of a user's: of a group or of mirroring.
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """The snapshot that an image is a clone of."""

    pool: str
    image: str
    id: str
    snapshot: str


@dataclass(frozen=True, slots=True)
class Child:
    """A clone."""

    pool: str
    image: str
    id: str


class Image:
    """See the module.  Made by ``Images``; opened at the first use."""

    def __init__(
        self,
        pool: Pool,
        name: str | None,
        id: str | None,
        snapshot: str | None,
        *,
        read_only: bool,
    ) -> None:
        self.name = name or f"image {id}"
        self._pool = pool
        self._id = id
        self._given_name = name
        self._snapshot = snapshot
        self._read_only = read_only
        self._bindings = pool.cluster.bindings
        self._raw: Any = None
        self._held = ExitStack()

    # ---- open and close ------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._read_only:
            self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            try:
                with self._telling("closed"):
                    raw.close()
            except RbdError as other:
                # What failed before is what shall be told.
                LOG.warning("%s", other)
        # Tells the connection of it: a dead one is given up.
        self._held.__exit__(kind, failure, traceback)

    def open(self) -> Any:
        """The ``rbd.Image``."""
        if self._raw is None:
            with ExitStack() as stack:
                ioctx = stack.enter_context(self._pool.looking(f"{self.name} could not be opened"))
                self._raw = self._bindings.rbd.Image(
                    ioctx,
                    name=self._given_name,
                    snapshot=self._snapshot,
                    read_only=self._read_only,
                    image_id=self._id,
                )
                # The connection must not end before the image is closed.
                self._held = stack.pop_all()
        return self._raw

    @contextmanager
    def _looking(self, done: str) -> Iterator[Any]:
        with self._telling(done):
            yield self.open()

    @contextmanager
    def _changing(self, done: str) -> Iterator[Any]:
        progress.current().checkpoint()
        with self._telling(done):
            yield self.open()

    @contextmanager
    def _telling(self, done: str) -> Iterator[None]:
        action = f"{self.name} could not be {done} (pool {self._pool.pool})"
        with translating(self._bindings, action):
            yield

    # ---- what it is ----------------------------------------------------------------------------

    @property
    def id(self) -> str:
        with self._looking("examined") as raw:
            return str(raw.id())

    def size(self) -> int:
        """Bytes."""
        with self._looking("measured") as raw:
            return int(raw.size())

    def features(self) -> int:
        with self._looking("examined") as raw:
            return int(raw.features())

    def current_name(self) -> str:
        """The name it has now; it may have been opened by its id."""
        with self._looking("examined") as raw:
            return str(raw.get_name())

    def snapshots(self) -> list[SnapshotOfImage]:
        rbd = self._bindings.rbd
        kinds = {
            rbd.RBD_SNAP_NAMESPACE_TYPE_USER: {"in_trash": False},
            rbd.RBD_SNAP_NAMESPACE_TYPE_TRASH: {"in_trash": True},
        }
        with self._looking("examined") as raw:
            return [
                SnapshotOfImage(
                    one["name"],
                    int(one["size"]),
                    **kinds.get(one["namespace"], {"in_trash": False, "internal": True}),
                )
                for one in raw.list_snaps()
            ]

    def parent(self) -> Parent | None:
        """What it is a clone of; None if it is none."""
        try:
            with self._looking("examined") as raw:
                spec = raw.get_parent_image_spec()
                return Parent(
                    spec["pool_name"], spec["image_name"], raw.parent_id(), spec["snap_name"]
                )
        except ImageMissing:
            return None

    def children(self, snapshot: str) -> list[Child]:
        """What is cloned of a snapshot, in all pools."""
        with self._looking("examined") as raw:
            raw.set_snap(snapshot)
            try:
                return [Child(one["pool"], one["image"], one["id"]) for one in raw.list_children2()]
            finally:
                raw.set_snap(None)

    def is_protected(self, snapshot: str) -> bool:
        with self._looking("examined") as raw:
            return bool(raw.is_protected_snap(snapshot))

    def watchers(self) -> list[str]:
        """The addresses of those who have it open for writing, ``<ip>:<port>/<nonce>``."""
        with self._looking("examined") as raw:
            return [str(one["addr"]) for one in raw.watchers_list()]

    # ---- bytes ---------------------------------------------------------------------------------

    def read(self, offset: int, length: int) -> bytes:
        with self._looking("read") as raw:
            return bytes(raw.read(offset, length))

    def write(self, data: bytes, offset: int) -> int:
        with self._changing("written") as raw:
            return int(raw.write(data, offset))

    def write_zeroes(self, offset: int, length: int) -> None:
        with self._changing("written") as raw:
            raw.write_zeroes(offset, length)

    def flush(self) -> None:
        with self._changing("flushed") as raw:
            raw.flush()

    # ---- changes -------------------------------------------------------------------------------

    def resize(self, size: int) -> None:
        with self._changing("resized") as raw:
            raw.resize(size)

    def create_snapshot(self, name: str) -> None:
        with self._changing(f"kept as snapshot {name}") as raw:
            raw.create_snap(name)

    def protect(self, snapshot: str) -> None:
        with self._changing(f"kept as protected snapshot {snapshot}") as raw:
            raw.protect_snap(snapshot)

    def unprotect(self, snapshot: str) -> None:
        with self._changing(f"freed of the protection of its snapshot {snapshot}") as raw:
            raw.unprotect_snap(snapshot)

    def remove_snapshot(self, name: str) -> None:
        with self._changing(f"freed of its snapshot {name}") as raw:
            raw.remove_snap(name)

    def rename_snapshot(self, name: str, new_name: str) -> None:
        with self._changing(f"given snapshot {name} as {new_name}") as raw:
            raw.rename_snap(name, new_name)

    def roll_back(self, snapshot: str) -> None:
        """Take over the snapshot's bytes and its size.  librbd neither tells how far nor stops."""
        with self._changing(f"rolled back to snapshot {snapshot}") as raw:
            raw.rollback_to_snap(snapshot)

    def flatten(self) -> None:
        """Copy what it shows of its parent into it; half done it goes on when called again."""
        call = LongCall(self.size())
        with self._changing("flattened") as raw, call.passing():
            raw.flatten(on_progress=call)

    def set_features(self, features: int, enabled: bool) -> None:
        with self._changing("given other features") as raw:
            raw.update_features(features, enabled)

    def set_option(self, key: str, value: str | None) -> None:
        """A ``rbd_*`` option of this image alone; None: the cluster's again."""
        with self._changing(f"given the option {key}") as raw:
            if value is not None:
                raw.config_set(key, value)
            else:
                raw.config_remove(key)
