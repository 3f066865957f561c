"""Requests about operations: what goes on, how far it is, and why it failed."""

from __future__ import annotations

from typing import Any

from breezeblock.api import filters, lists
from breezeblock.api.call import Call
from breezeblock.api.views.operations import OPERATION
from breezeblock.operations.record import Operation


def show(call: Call[Operation]) -> dict[str, Any]:
    return {"operation": OPERATION.one(call.target, None, version=call.version, allows=call.allows)}


def index(call: Call[None]) -> dict[str, Any]:
    return lists.answer(
        call,
        filters.OPERATIONS,
        call.services.operations.list,
        lambda page: OPERATION.show(page, None, version=call.version, allows=call.allows),
        "operations",
        "operations_links",
    )
