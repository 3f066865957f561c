"""``breezeblock doctor``: looks at everything, changes nothing, says how to mend what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import click
import sqlalchemy as sa

from breezeblock.cli import doctor_backends
from breezeblock.cli.assembly import open_database, scheduler_of
from breezeblock.cli.findings import Finding, Verdict
from breezeblock.config.auth import open_door
from breezeblock.config.settings import Settings
from breezeblock.domain.errors import BreezeblockError
from breezeblock.operations.states import OPEN
from breezeblock.store import quotas, schema
from breezeblock.store.database import Database
from breezeblock.store.tables import operations, quota_projects


def examine(settings: Settings) -> int:
    """Print all findings; 1 if anything is wrong, else 0."""
    worst = 0
    for finding in _findings(settings):
        click.echo(f"{finding.verdict.value:>5}  {finding.text}")
        if finding.remedy:
            click.echo(f"       -> {finding.remedy}")
        worst = max(worst, finding.verdict is Verdict.WRONG)
    return int(worst)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from _configuration(settings)
    database = open_database(settings)
    usable = False
    for finding in _database(database):
        usable = finding.verdict is Verdict.GOOD
        yield finding
    for name in settings.backends:
        yield from doctor_backends.findings(settings, name, database if usable else None)
    if usable:
        yield from _operations(database)
        yield from _quotas(database, settings)


# ---- configuration and database --------------------------------------------------------------


def _configuration(settings: Settings) -> Iterator[Finding]:
    files = ", ".join(str(file) for file in settings.files) or "none, defaults only"
    yield Finding(Verdict.GOOD, f"configuration files: {files}")
    for unknown in settings.unrecognised():
        yield Finding(
            Verdict.NOTE,
            f"{unknown.file}:{unknown.line}: unknown option [{unknown.section}] {unknown.option}",
            "Remove it, or check its spelling.",
        )
    reason = open_door(settings.conf)
    if reason is not None:
        yield Finding(Verdict.WRONG, "the API would be open to other machines", reason)
    try:
        scheduler_of(settings)
    except BreezeblockError as error:
        yield Finding(Verdict.WRONG, "the scheduler cannot work", error.message)


def _database(database: Database) -> Iterator[Finding]:
    shown = database.url.render_as_string(hide_password=True)
    try:
        revision = schema.current_revision(database)
    except sa.exc.SQLAlchemyError as error:
        yield Finding(
            Verdict.WRONG,
            f"database {shown} does not answer: {str(error).splitlines()[0]}",
            "Check [database] connection, and that the server runs.",
        )
        return
    if revision != schema.NEWEST:
        yield Finding(
            Verdict.WRONG,
            f"database {shown} has schema {revision or '(empty)'}, not {schema.NEWEST}",
            "Run `breezeblock db upgrade`.",
        )
        return
    yield Finding(Verdict.GOOD, f"database {shown}, schema {revision}")


# ---- operations and quotas -------------------------------------------------------------------


def _operations(database: Database) -> Iterator[Finding]:
    open_ = sa.select(operations.c.kind, sa.func.count(), sa.func.min(operations.c.created_at))
    statement = open_.where(operations.c.state.in_(OPEN)).group_by(operations.c.kind)
    with database.read() as connection:
        rows = connection.execute(statement).all()
    for kind, count, oldest in rows:
        yield Finding(Verdict.GOOD, f"{count} x {kind} under way, the oldest since {oldest}")
    if not rows:
        yield Finding(Verdict.GOOD, "no operation is under way")


def _quotas(database: Database, settings: Settings) -> Iterator[Finding]:
    """Usage is a sum over the rows; here it is counted again, row by row, to prove the sum."""
    with_snapshots = not settings.conf.no_snapshot_gb_quota
    differing = []
    with database.read() as connection:
        projects = list(connection.execute(sa.select(quota_projects.c.project_id)).scalars())
        for project in projects:
            used = quotas.usage(connection, project, snapshot_gigabytes=with_snapshots)
            counted = quotas.count_again(connection, project, snapshot_gigabytes=with_snapshots)
            found = {name: used[name].total for name in counted if name in used}
            if any(found.get(name, 0) != total for name, total in counted.items()):
                differing.append(f"{project}: {found} is not {counted}")
    for text in differing:
        yield Finding(
            Verdict.WRONG,
            f"quota of project {text}",
            "Please report this; run `REINDEX` meanwhile.",
        )
    if not differing:
        yield Finding(Verdict.GOOD, f"quotas of {len(projects)} projects counted again: all equal")
