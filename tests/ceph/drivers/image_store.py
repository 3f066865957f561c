"""An image service and a backup repository in memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from breezeblock.domain.resources import Snapshot, Volume

_PIECE = 1024**2


class ImageStore:
    """Keeps images by id; obeys ``image_copy.ImageService``."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.bytes: dict[str, bytes] = {}

    def add(self, data: bytes, **fields: Any) -> str:
        id = str(uuid.uuid4())
        self.records[id] = {"id": id, "disk_format": "raw", "size": len(data), **fields}
        self.bytes[id] = data
        return id

    def show(self, context: object, image_id: str) -> Mapping[str, Any]:
        return self.records[image_id]

    def download(self, context: object, image_id: str, data: BinaryIO) -> None:
        whole = self.bytes[image_id]
        for start in range(0, len(whole), _PIECE):
            data.write(whole[start : start + _PIECE])

    def update(
        self, context: object, image_id: str, image_meta: Mapping[str, Any], data: BinaryIO
    ) -> None:
        # Only what is not zeros is kept: a volume is large.
        pieces = iter(lambda: data.read(_PIECE), b"")
        self.bytes[image_id] = b"".join(piece for piece in pieces if piece.strip(b"\0"))
        self.records[image_id] = dict(image_meta)


class BackupStore:
    """Keeps the first MiB of one volume; obeys ``image_copy.BackupService``."""

    def __init__(self) -> None:
        self.kept = b""

    def backup(self, backup: object, volume_file: BinaryIO) -> Mapping[str, Any] | None:
        volume_file.seek(0)
        self.kept = volume_file.read(_PIECE)
        return {"service_metadata": "kept"}

    def restore(self, backup: object, volume_id: str, volume_file: BinaryIO) -> None:
        volume_file.seek(0)
        volume_file.write(self.kept)


@dataclass(frozen=True)
class OneBackup:
    """A backup that is being made or restored."""

    id: str
    volume: Volume
    snapshot: Snapshot | None = None
    previous_status: str | None = "available"
