"""A view: the fields of a resource as a table, and the dictionaries and schemas made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

from breezeblock.api import microversions

Record = TypeVar("Record")
Scene = TypeVar("Scene")

# A field whose value is this is left out.
ABSENT: Any = object()

TEXT: Mapping[str, Any] = {"type": "string"}
TEXT_OR_NULL: Mapping[str, Any] = {"type": ["string", "null"]}
INTEGER: Mapping[str, Any] = {"type": "integer"}
BOOLEAN: Mapping[str, Any] = {"type": "boolean"}
OBJECT: Mapping[str, Any] = {"type": "object"}
TIME_OR_NULL: Mapping[str, Any] = {
    "type": ["string", "null"],
    "description": "YYYY-MM-DDTHH:MM:SS.ffffff, UTC.",
}
LINKS: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"rel": TEXT, "href": TEXT},
        "required": ["rel", "href"],
    },
}


def time(moment: datetime | None) -> str | None:
    """A naive UTC time as the API writes it."""
    return None if moment is None else moment.isoformat(timespec="microseconds")


# Without slots: Python 3.11 cannot make a frozen, slotted object through a generic alias, for
# the alias wants to note itself on it and meets the wrong error.
@dataclass(frozen=True)
class Field(Generic[Record, Scene]):
    """One field: how its value comes from the record and the scene (what a request adds to it),
    the version it appears in, the policy that must grant it, and the schema of its value.
    ``optional`` fields may be left out by giving `ABSENT`."""

    name: str
    value: Callable[[Record, Scene], Any]
    schema: Mapping[str, Any]
    since: int = microversions.MIN
    policy: str | None = None
    optional: bool = False


class View(Generic[Record, Scene]):
    """The fields that one kind of answer shows of a record."""

    def __init__(self, fields: Iterable[Field[Record, Scene]]) -> None:
        self.fields = tuple(fields)
        self.policies = tuple(dict.fromkeys(f.policy for f in self.fields if f.policy))
        # Of 72 versions and a few policies each; most clients use one or two.
        self._chosen = lru_cache(maxsize=256)(self._choose)

    def _choose(
        self, version: int, granted: frozenset[str]
    ) -> tuple[tuple[str, Callable[[Record, Scene], Any], bool], ...]:
        return tuple(
            (f.name, f.value, f.optional)
            for f in self.fields
            if f.since <= version and (f.policy is None or f.policy in granted)
        )

    def show(
        self,
        records: Iterable[Record],
        scene: Scene,
        *,
        version: int,
        allows: Callable[[str], bool],
    ) -> list[dict[str, Any]]:
        """The records as this version shows them to a caller whom ``allows`` grants policies."""
        granted = frozenset(rule for rule in self.policies if allows(rule))
        chosen = self._chosen(version, granted)
        shown = []
        for record in records:
            item = {}
            for name, value, optional in chosen:
                given = value(record, scene)
                if not optional or given is not ABSENT:
                    item[name] = given
            shown.append(item)
        return shown

    def one(
        self, record: Record, scene: Scene, *, version: int, allows: Callable[[str], bool]
    ) -> dict[str, Any]:
        """`show` for a single record."""
        return self.show((record,), scene, version=version, allows=allows)[0]

    def schema(self, version: int) -> dict[str, Any]:
        """The JSON Schema of what `show` makes; fields behind a policy may be missing."""
        here = [f for f in self.fields if f.since <= version]
        return {
            "type": "object",
            "properties": {f.name: dict(f.schema) for f in here},
            "required": [f.name for f in here if f.policy is None and not f.optional],
        }
