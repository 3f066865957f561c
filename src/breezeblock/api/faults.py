"""Answers that are not successes: their bodies, and the exceptions that lead to them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from breezeblock.domain.errors import BreezeblockError, OverQuota

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

HIDDEN = (
    "The server has either erred or is incapable of performing the requested operation. "
    "The request id of this answer leads your administrator to the cause."
)

NAMES: Mapping[int, str] = MappingProxyType(
    {
        400: "badRequest",
        401: "unauthorized",
        403: "forbidden",
        404: "itemNotFound",
        405: "badMethod",
        409: "conflictingRequest",
        413: "overLimit",
        415: "badMediaType",
        501: "notImplemented",
        503: "serviceUnavailable",
    }
)
OTHER = "computeFault"


class Fault(Exception):
    """A refusal that the API itself speaks; ``headers`` are added to the answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.status = status
        self.message = message
        self.headers = headers
        super().__init__(message)


class PlainAnswer(Exception):
    """An answer in plain text, for requests that reach no resource (unknown route, no identity)."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.status = status
        self.text = text
        self.headers = headers
        super().__init__(text)


def bad_request(message: str) -> Fault:
    """The refusal of a request that cannot be meant."""
    return Fault(400, message)


def name(status: int) -> str:
    """The key that a fault of this status has in its body."""
    return NAMES.get(status, OTHER)


def body(status: int, message: str, retry_after: str | None = None) -> bytes:
    """``{"<name>": {"code": ..., "message": ...}}``; ``retry_after`` is in seconds."""
    details: dict[str, int | str] = {"code": status, "message": message}
    if retry_after is not None:
        details["retryAfter"] = retry_after
    return msgspec.json.encode({name(status): details})


def of_error(error: BreezeblockError) -> Fault:
    """How a caller is told of an error of the layers below.

    The message of an unclassified 500 could hold what is none of the caller's business (a path, a
    command), so only errors with a template of their own speak.
    """
    message = error.message if type(error) is not BreezeblockError else HIDDEN
    headers = {"Retry-After": "0"} if isinstance(error, OverQuota) else NO_HEADERS
    return Fault(error.status, message, headers)
