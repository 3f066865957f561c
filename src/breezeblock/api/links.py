"""URLs of resources, as answers give them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from breezeblock.api.call import Call


def prefixes(call: Call[Any], collection: str) -> tuple[str, str]:
    """What the self and bookmark links of every item of ``collection`` start with.

    The project is part of them only if it was part of the request's URL.
    """
    project = f"/{call.project}" if call.project is not None else ""
    return f"{call.base}/v3{project}/{collection}/", f"{call.base}{project}/{collection}/"


def of(prefix: tuple[str, str], identifier: str) -> list[dict[str, str]]:
    """The ``links`` of one item."""
    return [
        {"rel": "self", "href": prefix[0] + identifier},
        {"rel": "bookmark", "href": prefix[1] + identifier},
    ]


def next_page(call: Call[Any], marker: str) -> list[dict[str, str]]:
    """The link to the page after the item ``marker``: the same question with another marker."""
    query = {**call.query, "marker": marker}
    # An offset counts from the first item; with a marker it would skip items of every page.
    query.pop("offset", None)
    return [{"rel": "next", "href": f"{call.base}{call.request.path}?{urlencode(query)}"}]
