"""The part of the driver that manages what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.lvm.manage import Adoption, snapshot_rows, volume_rows
from breezeblock.drivers.lvm.site import Site
from breezeblock.drivers.manageable_listing import Row, page


def _nothing_known(volume_id: str) -> bool:
    return False


class DriverAdoption:
    """See ``interface.ManageableVD`` and ``interface.ManageableSnapshotsVD``."""

    _site: Site
    #: Whether a volume of that id is the service's already.  A driver has no records: the
    #: service may set this, and refuses by itself what it knows.
    is_managed: Callable[[str], bool] = staticmethod(_nothing_known)

    def manage_existing(self, volume: Volume, existing_ref: Any) -> None:
        """``existing_ref`` is ``{"source-name": <logical volume>}``; it is renamed."""
        self._adoption().adopt_volume(volume, existing_ref)

    def manage_existing_snapshot(self, snapshot: Snapshot, existing_ref: Any) -> None:
        """``existing_ref`` may also be the bare name."""
        self._adoption().adopt_snapshot(snapshot, existing_ref)

    def manage_existing_object_get_size(
        self, existing_object: Volume | Snapshot, existing_ref: Any, object_type: str
    ) -> int:
        """GiB of what is referenced, rounded up; ``object_type`` names it in errors.

        Raises ``ManageExistingInvalidReference``.
        """
        return self._adoption().size(existing_ref, object_type)

    def manage_existing_get_size(self, volume: Volume, existing_ref: Any) -> int:
        return self.manage_existing_object_get_size(volume, existing_ref, "volume")

    def manage_existing_snapshot_get_size(self, snapshot: Snapshot, existing_ref: Any) -> int:
        return self.manage_existing_object_get_size(snapshot, existing_ref, "snapshot")

    def get_manageable_volumes(
        self,
        cinder_volumes: Sequence[Volume],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Row]:
        return page(
            volume_rows(self._site.group.report().volumes.values(), cinder_volumes),
            **_paging(marker, limit, offset, sort_keys, sort_dirs),
        )

    def get_manageable_snapshots(
        self,
        cinder_snapshots: Sequence[Snapshot],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Row]:
        return page(
            snapshot_rows(self._site.group.report().volumes.values(), cinder_snapshots),
            **_paging(marker, limit, offset, sort_keys, sort_dirs),
        )

    def unmanage(self, volume: Volume) -> None:
        """The logical volume keeps its name and its bytes."""

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """The logical volume keeps its name and its bytes."""

    def _adoption(self) -> Adoption:
        return Adoption(self._site.group, self.is_managed)


def _paging(
    marker: Any, limit: int, offset: int, sort_keys: Iterable[str], sort_dirs: Iterable[str]
) -> dict[str, Any]:
    return {
        "marker": marker,
        "limit": limit,
        "offset": offset,
        "sort_keys": list(sort_keys or ()),
        "sort_dirs": list(sort_dirs or ()),
    }
