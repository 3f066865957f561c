"""Migrations give exactly the tables that the code works with."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from breezeblock.store import schema
from breezeblock.store.database import Database
from breezeblock.store.tables import metadata, volume_types


def fresh(path: Path) -> Database:
    return Database(f"sqlite:///{path}", synchronous=False)


def test_the_newest_migration_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [schema.NEWEST]
    for script in scripts.walk_revisions():
        assert Path(script.path).stem == script.revision
        # Two versions of the service may run side by side between the two.
        assert "_expand_" in script.revision or "_contract_" in script.revision


def test_migrations_make_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_every_table_column_and_index_is_there(database: Database, tmp_path: Path) -> None:
    """Alembic's comparison overlooks some; SQLite's own words do not."""
    direct = fresh(tmp_path / "direct.db")
    with direct.engine.connect() as connection, connection.begin():
        metadata.create_all(connection)

    def shape(of: Database) -> dict[str, object]:
        inspector = sa.inspect(of.engine)
        found: dict[str, object] = {}
        for table in sorted(metadata.tables):
            columns, indexes = inspector.get_columns(table), inspector.get_indexes(table)
            found[table] = (
                [(c["name"], str(c["type"]), c["nullable"]) for c in columns],
                inspector.get_pk_constraint(table)["constrained_columns"],
                sorted((str(i["name"]), tuple(i["column_names"])) for i in indexes),
                sorted(
                    (tuple(f["constrained_columns"]), f["referred_table"], str(f["options"]))
                    for f in inspector.get_foreign_keys(table)
                ),
                sorted(tuple(u["column_names"]) for u in inspector.get_unique_constraints(table)),
            )
        return found

    assert shape(database) == shape(direct)
    direct.dispose()


def test_an_empty_database_is_brought_up_to_date_once(tmp_path: Path) -> None:
    database = fresh(tmp_path / "new.db")
    assert schema.current_revision(database) is None
    assert not schema.is_current(database)
    schema.upgrade(database)
    assert schema.is_current(database)
    schema.upgrade(database)
    with database.read() as connection:
        names = connection.execute(sa.select(volume_types.c.name)).scalars().all()
    assert names == ["__DEFAULT__"]
    database.dispose()


def test_the_database_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "below" / "store.db"
    database = fresh(path)
    schema.upgrade(database)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    database.dispose()


@pytest.mark.timeout(60)
def test_two_processes_may_start_at_once(tmp_path: Path) -> None:
    databases = [fresh(tmp_path / "new.db") for _ in range(2)]
    together = threading.Barrier(2)
    errors: list[Exception] = []

    def upgrade(database: Database) -> None:
        together.wait()
        try:
            schema.upgrade(database)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=upgrade, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert schema.is_current(databases[0])
    for database in databases:
        database.dispose()
