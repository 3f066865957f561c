"""Images and snapshots that are there already become volumes and snapshots of the service."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import (
    ManageExistingAlreadyManaged,
    ManageExistingInvalidReference,
)
from breezeblock.drivers.manageable_listing import Row, row
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.errors import ImageMissing, InUse, NameTaken, WrongArgument
from breezeblock.drivers.rbd.images import Images

_GIB = 1024**3


class Adoption:
    """Takes images and snapshots over by renaming them.

    ``is_managed`` tells whether a volume of that id is the service's already.
    """

    def __init__(self, images: Images, is_managed: Callable[[str], bool]) -> None:
        self._images = images
        self._is_managed = is_managed

    # ---- volumes -------------------------------------------------------------------------------

    def adopt_volume(self, volume: Volume, reference: Any) -> None:
        """Give the referenced image the name of ``volume``."""
        source = source_name(reference)
        found = names.VOLUME.fullmatch(source)
        if found and found[1] != volume.id and self._is_managed(found[1]):
            raise ManageExistingAlreadyManaged(reference=source)
        if names.is_deleted(source):
            raise ManageExistingInvalidReference(
                reference=reference, reason="it is a deleted volume that lives on for its clones"
            )
        if source == volume.name:
            self.volume_size(reference)
            return
        try:
            self._images.rename(source, volume.name)
        except ImageMissing as failure:
            if not self._images.exists(volume.name):
                raise _not_there(reference, self._images.pool, "image") from failure
            # An earlier call did it.
        except NameTaken as failure:
            raise ManageExistingInvalidReference(
                reference=reference, reason=f"there is a {volume.name} in the pool already"
            ) from failure

    def volume_size(self, reference: Any) -> int:
        """GiB of the referenced image, rounded up."""
        try:
            with self._images.reading(source_name(reference)) as image:
                return gib(image.size())
        except ImageMissing as failure:
            raise _not_there(reference, self._images.pool, "image") from failure

    # ---- snapshots -----------------------------------------------------------------------------

    def adopt_snapshot(self, snapshot: Snapshot, reference: Any) -> None:
        """Give the referenced snapshot of the volume the name of ``snapshot``, and protect it."""
        source = source_name(reference)
        try:
            with self._images.writing(snapshot.volume_name) as image:
                there = {one.name for one in image.snapshots()}
                if source not in there and snapshot.name not in there:
                    raise _not_there(reference, snapshot.volume_name, "snapshot")
                if snapshot.name not in there:
                    image.rename_snapshot(source, snapshot.name)
                if not image.is_protected(snapshot.name):
                    image.protect(snapshot.name)
        except ImageMissing as failure:
            raise _not_there(reference, self._images.pool, "volume") from failure

    def snapshot_size(self, snapshot: Snapshot, reference: Any) -> int:
        """GiB of the referenced snapshot, rounded up."""
        source = source_name(reference)
        try:
            with self._images.reading(snapshot.volume_name) as image:
                for one in image.snapshots():
                    if one.name == source:
                        return gib(one.size)
        except ImageMissing as failure:
            raise _not_there(reference, self._images.pool, "volume") from failure
        raise _not_there(reference, snapshot.volume_name, "snapshot")

    def let_go_of_snapshot(self, snapshot: Snapshot) -> None:
        """It may be removed by anybody then, unless something was made of it."""
        try:
            with self._images.writing(snapshot.volume_name) as image:
                if image.is_protected(snapshot.name) and not image.children(snapshot.name):
                    image.unprotect(snapshot.name)
        except (ImageMissing, InUse, WrongArgument):
            return

    # ---- listings ------------------------------------------------------------------------------

    def volume_rows(self, volumes: Iterable[Volume]) -> Iterator[Row]:
        """What of the pool could be a volume, or is one of ``volumes``."""
        ours = {volume.name: volume.id for volume in volumes}
        for name in self._images.names():
            try:
                with self._images.reading(name) as image:
                    yield row(
                        name,
                        gib(image.size()),
                        cinder_id=ours.get(name),
                        in_use=None if name in ours else _why_not(name, image.watchers()),
                    )
            except ImageMissing:
                # Removed meanwhile, or half made.
                continue

    def snapshot_rows(self, snapshots: Iterable[Snapshot]) -> Iterator[Row]:
        """What of the pool could be a snapshot, or is one of ``snapshots``."""
        ours = {(one.volume_name, one.name): one.id for one in snapshots}
        for name in self._images.names():
            try:
                with self._images.reading(name) as image:
                    found = image.snapshots()
            except ImageMissing:
                continue
            for one in found:
                if not one.in_trash and not one.internal:
                    yield row(
                        one.name,
                        gib(one.size),
                        cinder_id=ours.get((name, one.name)),
                        in_use=_what_for(one.name),
                        source=name,
                    )


def source_name(reference: Any) -> str:
    """The name a reference gives: ``{"source-name": name}``, or the bare name.

    Raises ``ManageExistingInvalidReference``.
    """
    name = reference.get("source-name") if isinstance(reference, Mapping) else reference
    if not isinstance(name, str) or not name:
        raise ManageExistingInvalidReference(
            reference=reference,
            reason="it needs the key source-name, an image's or snapshot's name",
        )
    return name


def gib(size: int) -> int:
    """Bytes in GiB, rounded up."""
    return math.ceil(size / _GIB)


def _why_not(name: str, watchers: list[str]) -> str | None:
    if names.is_deleted(name):
        return "volume marked as deleted"
    return "volume in use" if watchers else None


def _what_for(snapshot: str) -> str | None:
    if names.CLONE_SNAPSHOT.fullmatch(snapshot):
        return "used for clone snap"
    if names.BACKUP_SNAPSHOT.fullmatch(snapshot):
        return "used for volume backup"
    return None


def _not_there(reference: Any, where: str, kind: str) -> ManageExistingInvalidReference:
    return ManageExistingInvalidReference(
        reference=reference, reason=f"{where} has no {kind} of that name"
    )
