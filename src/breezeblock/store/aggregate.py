"""Key-value rows as one JSON object, so that a resource and its metadata come in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class json_object_of(FunctionElement[Any]):
    """Aggregate of two columns into a JSON object of the first's values to the second's."""

    type = sa.Text()
    name = "json_object_of"
    inherit_cache = True


@compiles(json_object_of, "sqlite")
def _sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_group_object({compiler.process(element.clauses, **kw)})"


@compiles(json_object_of, "postgresql")
def _postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"CAST(json_object_agg({compiler.process(element.clauses, **kw)}) AS text)"


@compiles(json_object_of, "mysql")
@compiles(json_object_of, "mariadb")
def _mariadb(element: Any, compiler: Any, **kw: Any) -> str:
    return f"JSON_OBJECTAGG({compiler.process(element.clauses, **kw)})"


def collected(table: sa.Table, owner: sa.Column[Any], parent: sa.Column[Any], label: str) -> Any:
    """Scalar subquery: the ``key``/``value`` rows of ``table`` that belong to ``parent``."""
    query = sa.select(json_object_of(table.c.key, table.c.value)).where(owner == parent)
    return query.correlate(parent.table).scalar_subquery().label(label)


def decoded(value: str | None) -> Mapping[str, str]:
    """What ``collected`` returned; no rows give an empty mapping."""
    if not value or value == "{}":
        return {}
    decoded_value: dict[str, str] = msgspec.json.decode(value)
    return decoded_value
