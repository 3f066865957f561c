"""Lists: from query parameters to a page request, and from a page to the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from breezeblock.api import faults, filters, literals, paging
from breezeblock.api.call import Call
from breezeblock.api.filters import COUNT_SINCE, Listing
from breezeblock.domain.context import RequestContext
from breezeblock.domain.listing import ListQuery, Page


class Identified(Protocol):
    """A record with an id, which can be the marker of a page."""

    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=Identified)

# Parameters of lists that are neither paging nor filters.
_SWITCHES = frozenset({"all_tenants", "with_count"})


def query(call: Call[Any], listing: Listing, switches: frozenset[str] = frozenset()) -> ListQuery:
    """The page request that the URL's parameters make; ``switches`` are parameters of this list
    that are no filters."""
    if call.version < listing.paged_since:
        return ListQuery(limit=call.tools.settings.max_limit)
    given = call.query
    reserved = paging.NAMES | _SWITCHES | switches
    count = listing.counted and call.version >= COUNT_SINCE
    if not count:
        reserved -= {"with_count"}
    return ListQuery(
        limit=paging.limit(given, call.tools.settings.max_limit),
        offset=paging.offset(given),
        marker=marker(given),
        sort=paging.sort(given, listing.sort_keys(), listing.sort_names(call.version)),
        filters=filters.read(
            listing,
            {name: value for name, value in given.items() if name not in reserved},
            version=call.version,
            admin=call.ctx.is_admin,
            table=call.tools.filters,
        ),
        all_projects=_all_projects(call, listing),
        with_count=count and literals.boolean(given.get("with_count", False), "with_count"),
    )


def marker(given: Mapping[str, str]) -> str | None:
    """The id of the last item of the page before; what is no id is not found."""
    text = given.get("marker")
    if text is not None and not literals.is_uuid(text):
        raise faults.Fault(404, f"The marker '{text[:64]}' could not be found.")
    return text


def _all_projects(call: Call[Any], listing: Listing) -> bool:
    """``all_tenants``, which only administrators have; what is not asked of them is ignored."""
    if not call.ctx.is_admin or "all_tenants" not in call.query:
        return False
    value = call.query["all_tenants"]
    if listing.strict_all_tenants:
        return literals.boolean(value, "all_tenants")
    return literals.lenient_boolean(value)


def answer(
    call: Call[Any],
    listing: Listing,
    fetch: Callable[[RequestContext, ListQuery], Page[Item]],
    show: Callable[[Sequence[Item]], list[dict[str, Any]]],
    key: str,
    links_key: str | None = None,
) -> dict[str, Any]:
    """A whole list request: ask ``fetch`` for the page, let ``show`` make views of its items."""
    asked = query(call, listing)
    page = fetch(call.ctx, asked)
    ids = [item.id for item in page.items]
    envelope = paging.envelope(call, key, show(page.items), ids, asked.limit, links_key)
    if page.count is not None and asked.with_count:
        envelope["count"] = page.count
    return envelope
