"""Names of images and of their snapshots."""

from __future__ import annotations

import re

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

VOLUME = re.compile(f"volume-({_UUID})")
SNAPSHOT = re.compile(f"snapshot-({_UUID})")
#: The snapshot of a source that a clone hangs on.
CLONE_SNAPSHOT = re.compile(r"(.+)\.clone_snap")
#: The snapshot that a backup was read from.
BACKUP_SNAPSHOT = re.compile(rf"backup\.({_UUID})\.snap\.(.+)")

_DELETED = ".deleted"


def clone_snapshot(destination: str) -> str:
    """The snapshot of its source that the clone ``destination`` is made of."""
    return f"{destination}.clone_snap"


def deleted(name: str) -> str:
    """The name of a deleted image that lives on because clones hang on it."""
    return name + _DELETED


def is_deleted(name: str) -> bool:
    """Whether the image lives on for its clones only."""
    return name.endswith(_DELETED)


def undeleted(name: str) -> str:
    """The name that a deleted image had."""
    return name.removesuffix(_DELETED)


def ascii_str(string: object) -> str | None:
    """The text that librbd takes; None stays None."""
    return None if string is None else str(string)
