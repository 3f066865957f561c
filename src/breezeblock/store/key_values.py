"""Tables of ``key`` and ``value`` that belong to a resource: metadata, extra specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from breezeblock.store.database import Transaction


class KeyValues:
    """The key-value rows of one kind of resource.

    ``owner`` is the column that names the resource, ``parent`` the resource's own id column.
    """

    def __init__(self, owner: sa.Column[Any], parent: sa.Column[Any]) -> None:
        self._owner = owner
        self._parent = parent
        table = owner.table
        if not isinstance(table, sa.Table):
            raise TypeError(f"{owner} is no column of a table")
        self._table = table

    def replace(self, tx: Transaction, owner_id: str, values: Mapping[str, str | None]) -> None:
        """Make these the only pairs."""
        tx.execute(self._table.delete().where(self._owner == owner_id))
        self.insert(tx, owner_id, values)

    def merge(self, tx: Transaction, owner_id: str, values: Mapping[str, str | None]) -> None:
        """Set these pairs, and keep the others."""
        if not values:
            return
        same_keys = self._table.c.key.in_(list(values))
        tx.execute(self._table.delete().where(self._owner == owner_id, same_keys))
        self.insert(tx, owner_id, values)

    def insert(self, tx: Transaction, owner_id: str, values: Mapping[str, str | None]) -> None:
        """Write the pairs of a resource that has none yet."""
        rows = [{self._owner.name: owner_id, "key": k, "value": v} for k, v in values.items()]
        if rows:
            tx.execute(self._table.insert(), rows)

    def delete(self, tx: Transaction, owner_id: str, key: str) -> bool:
        """Remove one pair; False when there is none."""
        statement = self._table.delete().where(self._owner == owner_id, self._table.c.key == key)
        return tx.execute(statement).rowcount == 1

    def matches(self, wanted: Any) -> sa.ColumnElement[bool]:
        """The condition that a resource has all pairs of a mapping; anything else matches none."""
        if not isinstance(wanted, Mapping):
            return sa.false()
        # Told what to correlate, because the statement around may join the same table.
        pairs = [
            sa.exists()
            .where(
                self._owner == self._parent,
                self._table.c.key == str(key),
                self._table.c.value == str(value),
            )
            .correlate(self._parent.table)
            for key, value in wanted.items()
        ]
        return sa.and_(sa.true(), *pairs)
