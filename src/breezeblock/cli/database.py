"""``breezeblock db``: the schema."""

from __future__ import annotations

import click

from breezeblock.cli.assembly import open_database
from breezeblock.config.settings import Settings
from breezeblock.store import schema


def upgrade(settings: Settings) -> int:
    """Run what is missing."""
    database = open_database(settings)
    before = schema.current_revision(database)
    schema.upgrade(database)
    click.echo(f"schema: {before or 'empty'} -> {schema.NEWEST}")
    return 0


def check(settings: Settings) -> int:
    """0 when the schema is this version's, else 1."""
    revision = schema.current_revision(open_database(settings))
    if revision == schema.NEWEST:
        click.echo(f"schema: {revision}, current")
        return 0
    click.echo(
        f"schema: {revision or 'empty'}, this version needs {schema.NEWEST}."
        " Run `breezeblock db upgrade`."
    )
    return 1
