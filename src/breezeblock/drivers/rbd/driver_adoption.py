"""The part of the driver that manages what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.manageable_listing import Row, page
from breezeblock.drivers.rbd.manage import Adoption
from breezeblock.drivers.rbd.site import Site


def _nothing_known(volume_id: str) -> bool:
    return False


class DriverAdoption:
    """See ``interface.ManageableVD`` and ``interface.ManageableSnapshotsVD``."""

    #: Whether a volume of that id is the service's already.  A driver has no records: the
    #: service may set this, and refuses by itself what it knows.
    is_managed: Callable[[str], bool] = staticmethod(_nothing_known)

    @property
    def site(self) -> Site:
        raise NotImplementedError

    def manage_existing(self, volume: Volume, existing_ref: Any) -> None:
        """``existing_ref`` is ``{"source-name": <image>}``; it is renamed."""
        self._adoption().adopt_volume(volume, existing_ref)

    def manage_existing_get_size(self, volume: Volume, existing_ref: Any) -> int:
        return self._adoption().volume_size(existing_ref)

    def manage_existing_snapshot(self, snapshot: Snapshot, existing_ref: Any) -> None:
        """``existing_ref`` is ``{"source-name": <snapshot of the volume>}``."""
        self._adoption().adopt_snapshot(snapshot, existing_ref)

    def manage_existing_snapshot_get_size(self, snapshot: Snapshot, existing_ref: Any) -> int:
        return self._adoption().snapshot_size(snapshot, existing_ref)

    def get_manageable_volumes(
        self,
        cinder_volumes: Sequence[Volume],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Row]:
        """Opens every image of the pool, some milliseconds each."""
        return page(
            self._adoption().volume_rows(cinder_volumes),
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
        """Opens every image of the pool, some milliseconds each."""
        return page(
            self._adoption().snapshot_rows(cinder_snapshots),
            **_paging(marker, limit, offset, sort_keys, sort_dirs),
        )

    def unmanage(self, volume: Volume) -> None:
        """The image keeps its name and its bytes."""

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """The snapshot stays, unprotected if nothing was made of it."""
        self._adoption().let_go_of_snapshot(snapshot)

    def _adoption(self) -> Adoption:
        return Adoption(self.site.images, self.is_managed)


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
