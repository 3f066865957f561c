"""A request schema with the versions it holds in, compiled when it is first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs

from breezeblock.api import faults, microversions

Schema = Mapping[str, Any]

MAX_SHOWN = 255  # characters of a refused value that the fault repeats


class RequestSchema:
    """The schema of a body between two minor versions, both included.

    ``strip`` names text fields, inside ``inside`` when the body wraps them in an object, whose
    leading and trailing blanks are cut off before anything looks at them.  ``optional`` bodies may
    be absent.
    """

    __slots__ = ("_validator", "inside", "optional", "schema", "since", "strip", "until")

    def __init__(
        self,
        schema: Schema,
        *,
        since: int = microversions.MIN,
        until: int = microversions.MAX,
        inside: str | None = None,
        strip: tuple[str, ...] = (),
        optional: bool = False,
    ) -> None:
        self.schema = schema
        self.since = since
        self.until = until
        self.inside = inside
        self.strip = strip
        self.optional = optional
        self._validator: jsonschema_rs.Draft4Validator | None = None

    def check(self, body: Any) -> Any:
        """The body with its texts stripped; raises a 400 fault when the schema refuses it."""
        body = self._stripped(body)
        if self._validator is None:
            self._validator = jsonschema_rs.Draft4Validator(dict(self.schema))
        try:
            self._validator.validate(body)
        except jsonschema_rs.ValidationError as error:
            raise faults.bad_request(self._message(error)) from None
        except (ValueError, OverflowError, RecursionError):
            # A number or a depth that the validator cannot hold at all.
            raise faults.bad_request("The body holds a value that is out of range.") from None
        return body

    def _stripped(self, body: Any) -> Any:
        if not self.strip or not isinstance(body, dict):
            return body
        holder = body if self.inside is None else body.get(self.inside)
        if not isinstance(holder, dict):
            return body
        clean = dict(holder)
        for name in self.strip:
            if isinstance(clean.get(name), str):
                clean[name] = clean[name].strip()
        return clean if self.inside is None else {**body, self.inside: clean}

    def _message(self, error: jsonschema_rs.ValidationError) -> str:
        """What was refused and why, in the words of the schema's description where it has one."""
        said = self._description(error.schema_path) or error.message[: 2 * MAX_SHOWN]
        path = list(error.instance_path)
        if not path:
            return said
        value = str(error.instance)[:MAX_SHOWN]
        return f"Invalid input for field/attribute {path[-1]}. Value: {value}. {said}"

    def _description(self, path: Sequence[str | int]) -> str | None:
        schema: Any = self.schema
        for step in list(path)[:-1]:
            schema = schema[step]
        found = schema.get("description") if isinstance(schema, dict) else None
        return None if found is None else str(found)
