"""Alembic's entry: runs migrations on the connection that ``store.schema`` hands in."""

from __future__ import annotations

from alembic import context

from breezeblock.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,
)
context.run_migrations()
