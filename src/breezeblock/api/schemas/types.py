"""The field types that requests share."""

from __future__ import annotations

from typing import Any

from breezeblock.api.literals import FALSE, TRUE

Schema = dict[str, Any]

MAX_INTEGER = 2**31 - 1


def digits(maximum: int) -> str:
    """A pattern for the decimal text of 0 to ``maximum``, leading zeros included.

    Written out because ``maximum`` of JSON Schema says nothing about texts: a text below is
    shorter, or equal up to a digit that is smaller.
    """
    text = str(maximum)
    forms = [f"[0-9]{{1,{len(text) - 1}}}"] if len(text) > 1 else []
    for place, digit in enumerate(text):
        if digit != "0":
            rest = len(text) - place - 1
            forms.append(f"{text[:place]}[0-{int(digit) - 1}][0-9]{{{rest}}}")
    forms.append(text)
    return f"0*(?:{'|'.join(forms)})"


def obj(
    properties: Schema,
    required: tuple[str, ...] = (),
    *,
    open: bool = False,
    **more: Any,
) -> Schema:
    """An object; closed unless told otherwise."""
    schema: Schema = {"type": "object", "properties": properties, **more}
    if required:
        schema["required"] = list(required)
    if not open:
        schema["additionalProperties"] = False
    return schema


def wrapped(key: str, schema: Schema) -> Schema:
    """An object whose only member is ``key``."""
    return obj({key: schema}, (key,))


def mapping(keys: str, values: Schema, **more: Any) -> Schema:
    """An object of free keys that match the pattern ``keys`` as a whole."""
    return {
        "type": "object",
        "patternProperties": {f"^{keys}$": values},
        "additionalProperties": False,
        **more,
    }


def nullable(schema: Schema) -> Schema:
    """Also null.  A list of types where that says it all, which faults word best."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def text(longest: int = 255, shortest: int = 0) -> Schema:
    schema: Schema = {"type": "string", "maxLength": longest}
    if shortest:
        schema["minLength"] = shortest
    return schema


ANY: Schema = {}
NULL: Schema = {"type": "null"}
OBJECT: Schema = {"type": "object"}

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
NAME_OR_EMPTY = nullable(text())
# The same of names and descriptions of volumes and snapshots, which are measured once stripped.
STRIPPED = nullable(text())
# Control characters, and the line and paragraph separators, are not printable.
PRINTABLE = nullable({**text(), "pattern": "^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"})
BOOLEAN: Schema = {
    "description": "It must be a boolean, such as true or false.",
    "enum": [True, *TRUE, False, *FALSE],
}
UUID: Schema = {
    "description": "It must be a UUID.",
    "type": "string",
    "pattern": "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$",
}
UUID_OR_NULL = nullable(UUID)
ZONE = nullable(text(shortest=1))
_SIZE_SAID = f"It must be a number of GiB from 1 to {MAX_INTEGER}."
SIZE: Schema = {
    "description": _SIZE_SAID,
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER},
        # As the number: no text of zeros alone, and none above the maximum.
        {"type": "string", "pattern": f"^(?!0+$){digits(MAX_INTEGER)}$"},
    ],
}
SIZE_OR_NULL: Schema = {"description": _SIZE_SAID, "anyOf": [*SIZE["anyOf"], NULL]}
QUOTA: Schema = {
    "description": f"It must be a number from -1, which means unlimited, to {MAX_INTEGER}.",
    "anyOf": [
        {"type": "integer", "minimum": -1, "maximum": MAX_INTEGER},
        {"type": "string", "pattern": f"^(?:-0*1|{digits(MAX_INTEGER)})$"},
    ],
}

_VALUE = text()
METADATA = mapping("[a-zA-Z0-9_:. /-]{1,255}", _VALUE)
METADATA_OR_NULL = nullable(METADATA)
SNAPSHOT_METADATA = mapping("[a-zA-Z0-9_:. -]{1,255}", _VALUE)
TYPE_SPECS = mapping("[a-zA-Z0-9_:. /-]{1,255}", nullable(_VALUE))
EXTRA_SPECS = mapping("[a-zA-Z0-9_:.-]{1,255}", nullable(_VALUE))
ATTACH_MODE: Schema = {"type": "string", "enum": ["rw", "ro"]}
HOST: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"^[a-zA-Z0-9._#@:/+\[\]-]*$",
}
