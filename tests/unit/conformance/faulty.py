"""Drivers with one fault each, for the kit to find.  All are the file driver but for that."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from breezeblock.conformance.contents import BLOCK, few_places
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import VolumeIsMissing
from breezeblock.drivers.file import FileDriver
from breezeblock.drivers.interface import ConnectionInfo, Connector, ModelUpdate

GIB = 1024**3


class StaleBytes(FileDriver):
    """A new volume gets the blocks of a deleted one as they are."""

    def delete_volume(self, volume: Volume) -> None:
        path = Path(self.local_path(volume))
        if path.exists():
            path.rename(self._free)

    def create_volume(self, volume: Volume) -> None:
        path = Path(self.local_path(volume))
        if self._free.exists() and not path.exists():
            self._free.rename(path)
            os.truncate(path, volume.size * GIB)
        super().create_volume(volume)

    @property
    def _free(self) -> Path:
        return Path(self._options.file_volumes_directory) / "free"


class FailsOnAbsent(FileDriver):
    """Deleting what is gone is an error."""

    def delete_volume(self, volume: Volume) -> None:
        if not Path(self.local_path(volume)).exists():
            raise VolumeIsMissing(name=volume.name, backend=self.backend_name)
        super().delete_volume(volume)


class SharedBlocks(FileDriver):
    """A snapshot is the volume itself under another name."""

    def create_snapshot(self, snapshot: Snapshot) -> None:
        made = self._store.path(snapshot.name)
        if not made.exists():
            os.link(self._store.path(snapshot.volume_name), made)


class DirtyTail(FileDriver):
    """What a volume grows by is not cleared."""

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        super().extend_volume(volume, new_size)
        self._soil(volume)

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        super().create_cloned_volume(volume, src_vref)
        if volume.size > src_vref.size:
            self._soil(volume)

    def _soil(self, volume: Volume) -> None:
        with open(self.local_path(volume), "r+b") as file:
            file.seek(GIB)
            file.write(b"somebody's")


class ForgetsAKill(FileDriver):
    """Trips over what its own interrupted call left behind."""

    def create_volume(self, volume: Volume) -> None:
        mark = Path(self._options.file_volumes_directory) / f"{volume.id}.making"
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        self._execute(["true"])
        super().create_volume(volume)
        mark.unlink()


class HalfDone(FileDriver):
    """Takes a volume that was half made for a whole one."""

    def create_volume(self, volume: Volume) -> None:
        path = Path(self.local_path(volume))
        if path.exists():
            return
        path.touch()
        self._execute(["true"])
        os.truncate(path, volume.size * GIB)


class LeavesLitter(FileDriver):
    """A clone begins with a snapshot that nobody removes if the clone is killed."""

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        helper = f"snapshot-of-{volume.id}"
        self._copy(src_vref.name, helper, src_vref.size)
        self._copy(helper, volume.name, volume.size)
        self._execute(["true"])
        self._remove(helper)


class RevertsInPlace(FileDriver):
    """Overwrites the volume piece by piece; killed, it is neither the old nor the new."""

    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        path = self._existing(volume.name)
        with open(self._existing(snapshot.name), "rb") as old, open(path, "r+b") as new:
            for offset in few_places(os.fstat(old.fileno()).st_size):
                os.pwrite(new.fileno(), os.pread(old.fileno(), BLOCK, offset), offset)
                self._execute(["true"])


class OneAtATime(FileDriver):
    """Keeps what it is doing where other threads write as well."""

    _current: Volume

    def create_volume(self, volume: Volume) -> None:
        self._current = volume
        time.sleep(0.05)
        super().create_volume(self._current)


class CutsOthersOff(FileDriver):
    """Ends the export although another consumer is there."""

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool:
        return False


class StrangeAnswers(FileDriver):
    """Answers in shapes of its own."""

    def accept_transfer(
        self, context: object, volume: Volume, new_user: str, new_project: str
    ) -> ModelUpdate | None:
        return {"colour": "blue"}

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        answer = super().initialize_connection(volume, connector)
        del answer["data"]["target_lun"]
        return answer

    # Without the arguments by name that the service passes.
    terminate_connection: Callable[..., Any] = lambda self, volume, connector: None


class WrongUnits(FileDriver):
    """Tells MiB, and takes the stats anew whether asked to or not."""

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        stats = super().get_volume_stats(refresh=True)
        for pool in stats["pools"]:
            pool["provisioned_capacity_gb"] *= 1024
            pool["multiattach"] = "yes"
        return stats


DRIVERS = [
    CutsOthersOff,
    DirtyTail,
    FailsOnAbsent,
    ForgetsAKill,
    HalfDone,
    LeavesLitter,
    OneAtATime,
    RevertsInPlace,
    SharedBlocks,
    StaleBytes,
    StrangeAnswers,
    WrongUnits,
]
