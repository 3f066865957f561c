"""Pages of rows: filters, order and keyset pagination, the same for every resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.errors import InvalidInput, NotFound
from breezeblock.domain.listing import Compare, Like, ListQuery, SortKey
from breezeblock.store.database import AnyRow

Filter = Callable[[Any], sa.ColumnElement[bool]]

_COMPARE: Mapping[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}


def conditions(
    table: sa.Table, filters: Mapping[str, Any], special: Mapping[str, Filter]
) -> list[sa.ColumnElement[bool]]:
    """The WHERE clauses of ``filters``; a column that does not exist matches nothing."""
    clauses = []
    for name, value in filters.items():
        if name in special:
            clauses.append(special[name](value))
        elif name in table.c:
            clauses.extend(_column_conditions(table.c[name], value))
        else:
            clauses.append(sa.false())
    return clauses


def _column_conditions(column: sa.Column[Any], value: Any) -> Iterable[sa.ColumnElement[bool]]:
    if isinstance(value, Like):
        escaped = value.value.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        yield column.like(f"%{escaped}%", escape="\\")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        comparisons = [item for item in value if isinstance(item, Compare)]
        for item in comparisons:
            yield _COMPARE[item.operator](column, item.value)
        if not comparisons:
            yield sa.or_(sa.false(), *(_equals(column, item) for item in value))
    else:
        yield _equals(column, value)


def _equals(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    """Equality with a value of any type; what the column cannot hold matches no row."""
    if value is None:
        return column.is_(None)
    if isinstance(column.type, sa.Boolean):
        return column == value if isinstance(value, bool) else sa.false()
    if isinstance(column.type, sa.Integer):
        try:
            number = int(value)
        except (TypeError, ValueError):
            return sa.false()
        return column == number if -(2**63) <= number < 2**63 else sa.false()
    if isinstance(column.type, sa.String):
        return column == str(value)
    if isinstance(column.type, sa.DateTime):
        return column == value if isinstance(value, datetime) else sa.false()
    return sa.false()


def page(
    connection: Connection,
    select: sa.Select[Any],
    table: sa.Table,
    query: ListQuery,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    unknown_marker: type[NotFound],
    scope: sa.ColumnElement[bool] | None = None,
) -> tuple[Sequence[AnyRow], int | None]:
    """Rows of one page of ``select`` and, when asked for, the number of matches over all pages.

    ``created_at`` and ``id`` are appended to the sort keys, so the order is total and a marker
    always means one place in it.  ``scope`` tells which rows exist for the caller; a marker need
    not match the filters, but it must be one of these.
    """
    visible = [] if scope is None else [scope]
    where = [*where, *visible]
    keys = _total_order(table, query.sort)
    count = None
    if query.with_count:
        count = connection.execute(
            sa.select(sa.func.count()).select_from(table).where(*where)
        ).scalar_one()
    if query.limit == 0:
        return [], count
    statement = select.where(*where)
    if query.marker is not None:
        marker = _marker(connection, table, keys, query.marker, visible)
        if marker is None:
            raise unknown_marker(id=query.marker)
        statement = statement.where(_after(table, keys, marker))
    for key in keys:
        column = _sortable(table.c[key.name])
        statement = statement.order_by(column.desc() if key.descending else column.asc())
    statement = statement.limit(query.limit)
    if query.offset:
        statement = statement.offset(query.offset)
    return connection.execute(statement).all(), count


def _total_order(table: sa.Table, sort: Sequence[SortKey]) -> list[SortKey]:
    keys = list(sort) or [SortKey("created_at")]
    for key in keys:
        if key.name not in table.c or isinstance(table.c[key.name].type, sa.JSON):
            raise InvalidInput(reason=f"sort key '{key.name}' is not one of this resource's.")
    present = {key.name for key in keys}
    for name in ("created_at", "id"):
        if name in table.c and name not in present:
            keys.append(SortKey(name, keys[0].descending))
    return keys


def _sortable(column: sa.Column[Any]) -> Any:
    """NULL sorts as the smallest value, on every database; a column without NULLs stays bare so
    that its index serves the order."""
    if not column.nullable:
        return column
    if isinstance(column.type, sa.Integer):
        return sa.func.coalesce(column, -1)
    if isinstance(column.type, sa.Boolean):
        return sa.func.coalesce(column, sa.false())
    if isinstance(column.type, sa.DateTime):
        return sa.func.coalesce(column, sa.text("'1970-01-01 00:00:00.000000'"))
    return sa.func.coalesce(column, "")


def in_project(table: sa.Table, project_id: str | None) -> sa.ColumnElement[bool] | None:
    """The scope of a project's rows; None, all rows, without a project."""
    return None if project_id is None else table.c.project_id == project_id


def _marker(
    connection: Connection,
    table: sa.Table,
    keys: Sequence[SortKey],
    marker: str,
    visible: Sequence[sa.ColumnElement[bool]],
) -> AnyRow | None:
    """The sort values of the row with the id ``marker``, if there is one for the caller."""
    columns = [_sortable(table.c[key.name]) for key in keys]
    return connection.execute(sa.select(*columns).where(table.c.id == marker, *visible)).first()


def _after(table: sa.Table, keys: Sequence[SortKey], marker: AnyRow) -> sa.ColumnElement[bool]:
    columns = [_sortable(table.c[key.name]) for key in keys]
    # Typed, because plain true and false refuse to be compared.
    row = [sa.literal(value, column.type) for value, column in zip(marker, columns, strict=True)]
    # (a, b, c) after (x, y, z), written out: row values are not used by every database's
    # indexes.  The leading plain comparison is what lets the index start at the marker.
    clauses: sa.ColumnElement[bool] = sa.false()
    for place in reversed(range(len(keys))):
        column, value = columns[place], row[place]
        beyond = column < value if keys[place].descending else column > value
        clauses = (
            beyond if place == len(keys) - 1 else sa.or_(beyond, sa.and_(column == value, clauses))
        )
    first, value = columns[0], row[0]
    start = first <= value if keys[0].descending else first >= value
    return sa.and_(start, clauses)
