"""The schema's version: bring it up to date, or say whether it is.

Alembic is imported only when there is something to migrate: it costs a third of a second and
as much memory as a small worker.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from breezeblock.store.database import Database, Transaction

NEWEST = "0001_expand_initial"
"""The migration that this version of the code needs."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, in one transaction where the database can."""
    if is_current(database):
        return
    from alembic import command
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS))

    def migrate(tx: Transaction) -> None:
        # Of two processes that start at once, the second finds nothing left to do.
        configuration.attributes["connection"] = tx.connection
        command.upgrade(configuration, "head")

    database.transact(migrate)


def is_current(database: Database) -> bool:
    """Whether the schema is what this version of the code expects."""
    return current_revision(database) == NEWEST


def current_revision(database: Database) -> str | None:
    """The newest migration that has run; None for an empty database."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
