"""Reading a request's body: its size, type, syntax and depth."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from breezeblock.api import faults

JSON_TYPES = frozenset({"application/json", "application/vnd.openstack.volume+json"})
MAX_DEPTH = 64  # containers within containers; the deepest that makes sense is below ten


def read(request: falcon.Request, max_size: int) -> Any:
    """The decoded body; `MISSING` when there is none."""
    raw = _bytes(request, max_size)
    if not raw:
        return MISSING
    given = request.content_type
    if given and given.split(";", 1)[0].strip().lower() not in JSON_TYPES:
        raise faults.Fault(415, f"Unsupported Content-Type: {given[:128]}")
    try:
        body = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        raise faults.bad_request("Malformed JSON in request body.") from None
    if not _sound(body, MAX_DEPTH):
        raise faults.bad_request(
            "The request body is nested too deeply or holds a NUL character or a number "
            "out of range."
        )
    return body


class _Missing:
    """The body of a request without one."""


MISSING: Any = _Missing()


def _bytes(request: falcon.Request, max_size: int) -> bytes:
    try:
        length = request.content_length
    except falcon.HTTPError as error:
        raise faults.bad_request("The Content-Length header is no number.") from error
    if length is not None:
        if length > max_size:
            raise faults.Fault(413, f"Request is too large: at most {max_size} bytes are read.")
        return bytes(request.bounded_stream.read(length)) if length else b""
    if "chunked" not in (request.get_header("Transfer-Encoding") or ""):
        return b""
    raw = bytes(request.env["wsgi.input"].read(max_size + 1))
    if len(raw) > max_size:
        raise faults.Fault(413, f"Request is too large: at most {max_size} bytes are read.")
    return raw


def _sound(value: Any, depth: int) -> bool:
    """Whether nothing in ``value`` is something that a validator or a database cannot hold."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, (dict, list)) and depth == 0:
        return False
    if isinstance(value, dict):
        return all("\0" not in key and _sound(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return all(_sound(item, depth - 1) for item in value)
    return True
