"""Logical volumes that are there already become volumes and snapshots of the service."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import (
    ManageExistingAlreadyManaged,
    ManageExistingInvalidReference,
)
from breezeblock.drivers.lvm import names
from breezeblock.drivers.lvm.errors import LogicalVolumeMissing, NameTaken
from breezeblock.drivers.lvm.report import LogicalVolume
from breezeblock.drivers.lvm.volume_group import VolumeGroup
from breezeblock.drivers.manageable_listing import Row, row

_GIB = 1024**3


class Adoption:
    """Takes logical volumes over by renaming them.

    ``is_managed`` tells whether a volume of that id is the service's already.
    """

    def __init__(self, group: VolumeGroup, is_managed: Callable[[str], bool]) -> None:
        self._group = group
        self._is_managed = is_managed

    # ---- volumes -------------------------------------------------------------------------------

    def adopt_volume(self, volume: Volume, reference: Any) -> None:
        """Give the referenced logical volume the name of ``volume``."""
        source = source_name(reference)
        self._refuse_managed(source, volume.id)
        self._adopt(source, volume.name, reference, self._refuse_no_volume)

    def _refuse_managed(self, source: str, volume_id: str) -> None:
        found = names.VOLUME.fullmatch(source)
        if found and found[1] != volume_id and self._is_managed(found[1]):
            raise ManageExistingAlreadyManaged(reference=source)

    def _refuse_no_volume(self, found: LogicalVolume, reference: Any) -> None:
        if not found.is_public or found.is_thick_snapshot or found.is_thin_pool:
            raise ManageExistingInvalidReference(
                reference=reference, reason="it is a part of LVM's or a snapshot, and no volume"
            )

    # ---- snapshots -----------------------------------------------------------------------------

    def adopt_snapshot(self, snapshot: Snapshot, reference: Any) -> None:
        """Give the referenced snapshot the name of ``snapshot``."""

        def refuse(found: LogicalVolume, reference: Any) -> None:
            if not found.is_public or not (found.is_thick_snapshot or found.is_thin):
                raise ManageExistingInvalidReference(
                    reference=reference, reason="it is no snapshot"
                )
            if found.origin and found.origin != snapshot.volume_name:
                raise ManageExistingInvalidReference(
                    reference=reference,
                    reason=f"it is a snapshot of {found.origin}, not of {snapshot.volume_name}",
                )

        self._adopt(source_name(reference), names.of_snapshot(snapshot.name), reference, refuse)

    # ---- both ----------------------------------------------------------------------------------

    def size(self, reference: Any, kind: str) -> int:
        """GiB of what is referenced, rounded up.  ``kind`` is ``volume`` or ``snapshot``."""
        return gib(self._find(source_name(reference), reference, kind).shown_size)

    def _adopt(
        self,
        source: str,
        name: str,
        reference: Any,
        refuse: Callable[[LogicalVolume, Any], None],
    ) -> None:
        if source == name or (self._group.find(source) is None and self._group.find(name)):
            # An earlier call did it.
            self._find(name, reference, "volume")
            return
        refuse(self._find(source, reference, "volume"), reference)
        try:
            self._group.rename(source, name)
        except NameTaken as failure:
            raise ManageExistingInvalidReference(
                reference=reference, reason=f"there is a {name} in the group already"
            ) from failure
        except LogicalVolumeMissing as failure:
            raise _not_there(reference, self._group.name, "volume") from failure

    def _find(self, name: str, reference: Any, kind: str) -> LogicalVolume:
        found = self._group.find(name)
        if found is None:
            raise _not_there(reference, self._group.name, kind)
        return found


def source_name(reference: Any) -> str:
    """The logical volume a reference names: ``{"source-name": name}``, or the bare name.

    Raises ``ManageExistingInvalidReference``.
    """
    name = reference.get("source-name") if isinstance(reference, Mapping) else reference
    if not isinstance(name, str) or not name:
        raise ManageExistingInvalidReference(
            reference=reference, reason="it needs the key source-name, a logical volume's name"
        )
    return name.rpartition("/")[2]


def volume_rows(found: Iterable[LogicalVolume], volumes: Iterable[Volume]) -> list[Row]:
    """What of the group could be a volume, or is one of ``volumes``."""
    ours = {volume.name: volume.id for volume in volumes}
    return [
        row(
            one.name,
            gib(one.shown_size),
            cinder_id=ours.get(one.name),
            in_use="volume in use" if one.attributes.open else None,
        )
        for one in found
        if _is_listed(one) and not _is_snapshot(one)
    ]


def snapshot_rows(found: Iterable[LogicalVolume], snapshots: Iterable[Snapshot]) -> list[Row]:
    """What of the group could be a snapshot, or is one of ``snapshots``."""
    ours = {names.of_snapshot(snapshot.name): snapshot for snapshot in snapshots}
    rows = []
    for one in found:
        if _is_listed(one) and (_is_snapshot(one) or one.name in ours):
            mine = ours.get(one.name)
            rows.append(
                row(
                    one.name,
                    gib(one.shown_size),
                    cinder_id=mine.id if mine else None,
                    in_use="snapshot in use" if one.attributes.open else None,
                    source=one.origin or (mine.volume_name if mine else ""),
                )
            )
    return rows


def gib(size: int) -> int:
    """Bytes in GiB, rounded up."""
    return math.ceil(size / _GIB)


def _is_listed(one: LogicalVolume) -> bool:
    return one.is_public and not names.TEMPORARY.fullmatch(one.name)


def _is_snapshot(one: LogicalVolume) -> bool:
    """A thin volume made of another one counts if it is kept inactive, as snapshots are."""
    if names.VOLUME.fullmatch(one.name):
        return False
    kept = one.is_thin and bool(one.origin) and one.attributes.skips_activation
    return one.is_thick_snapshot or kept or names.SNAPSHOT.fullmatch(one.name) is not None


def _not_there(reference: Any, group: str, kind: str) -> ManageExistingInvalidReference:
    return ManageExistingInvalidReference(
        reference=reference, reason=f"group {group} has no {kind} of that name"
    )
