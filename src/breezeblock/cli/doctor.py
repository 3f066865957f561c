"""``breezeblock doctor``: looks at everything, changes nothing, says how to mend what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

import click
import sqlalchemy as sa

from breezeblock.cli.assembly import open_database, scheduler_of
from breezeblock.config.auth import open_door
from breezeblock.config.settings import BackendConfiguration, Settings
from breezeblock.domain.errors import BreezeblockError
from breezeblock.drivers.interface import ListsOwnObjects, VolumeDriver
from breezeblock.drivers.registry import create_driver, driver_name
from breezeblock.operations.states import OPEN
from breezeblock.store import quotas, schema, services
from breezeblock.store.clock import now
from breezeblock.store.database import Database
from breezeblock.store.tables import operations, quota_projects, snapshots, volumes

_TOOLS = {
    "tgtadm": (("tgtd", "tgt"),),
    "file": (),
    "fake": (),
}
"""Programs, and the Debian packages that have them, by target helper or driver."""


class Verdict(Enum):
    """What a look found."""

    GOOD = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``remedy`` says what to do."""

    verdict: Verdict
    text: str
    remedy: str = ""


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
    for name, configuration in settings.backends.items():
        yield from _backend(settings, name, configuration, database if usable else None)
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


# ---- backends --------------------------------------------------------------------------------


def _backend(
    settings: Settings, name: str, configuration: BackendConfiguration, database: Database | None
) -> Iterator[Finding]:
    host = settings.service_host(name)
    yield from _tools(name, configuration)
    try:
        driver = create_driver(configuration.volume_driver, configuration, host=host)
        driver.do_setup(None)
        driver.check_for_setup_error()
        stats = driver.get_volume_stats(refresh=True)
    except Exception as error:
        yield Finding(
            Verdict.WRONG,
            f"backend [{name}] does not work: {error}",
            "Mend what it says; the service tries again by itself.",
        )
        return
    pools = stats.get("pools") or [stats]
    free = ", ".join(f"{p.get('free_capacity_gb')} of {p.get('total_capacity_gb')}" for p in pools)
    yield Finding(
        Verdict.GOOD, f"backend [{name}] ({configuration.volume_driver}): {free} GiB free"
    )
    if database is not None:
        yield from _service(settings, database, host)
        yield from _orphans(database, host, driver)


def _tools(name: str, configuration: BackendConfiguration) -> Iterator[Finding]:
    wanted = [
        *_TOOLS.get(driver_name(configuration.volume_driver), ()),
        *_TOOLS.get(configuration.target_helper, ()),
    ]
    for program, package in wanted:
        if shutil.which(program) is None and shutil.which(f"/usr/sbin/{program}") is None:
            yield Finding(
                Verdict.WRONG,
                f"backend [{name}] needs {program}, which is not installed",
                f"Install it: apt-get install {package}",
            )


def _service(settings: Settings, database: Database, host: str) -> Iterator[Finding]:
    with database.read() as connection:
        known = {s.host: s for s in services.all_of(connection)}
    service = known.get(host)
    if service is None:
        yield Finding(Verdict.NOTE, f"{host} has never been served", "Start `breezeblock serve`.")
        return
    oldest = now() - timedelta(seconds=settings.conf.service_down_time)
    if service.heartbeat_at is None or service.heartbeat_at < oldest:
        yield Finding(
            Verdict.NOTE, f"{host} is down since {service.heartbeat_at}", "Start its worker."
        )
    if service.disabled:
        yield Finding(
            Verdict.NOTE,
            f"{host} is disabled: {service.disabled_reason or 'no reason given'}",
            f"openstack volume service set --enable {host} cinder-volume",
        )


def _orphans(database: Database, host: str, driver: VolumeDriver) -> Iterator[Finding]:
    """What the backend holds without a row, and rows whose data is gone."""
    if not isinstance(driver, ListsOwnObjects):
        return
    held = driver.list_volume_names() | driver.list_snapshot_names()
    with database.read() as connection:
        at_work = set(
            connection.execute(
                sa.select(operations.c.resource_id).where(operations.c.state.in_(OPEN))
            ).scalars()
        )
        rows = {
            f"volume-{row.name_id or row.id}": row.id
            for row in connection.execute(
                sa.select(volumes.c.id, volumes.c.name_id).where(
                    volumes.c.host.startswith(f"{host}#", autoescape=True),
                    volumes.c.status != "error",
                )
            )
        }
        rows |= {
            f"snapshot-{row.id}": row.id
            for row in connection.execute(
                sa.select(snapshots.c.id).where(
                    snapshots.c.host.startswith(f"{host}#", autoescape=True),
                    snapshots.c.status != "error",
                )
            )
        }
    missing = sorted(name for name, id_ in rows.items() if name not in held and id_ not in at_work)
    unknown = sorted(name for name in held - rows.keys() if name.partition("-")[2] not in at_work)
    for name in missing:
        yield Finding(
            Verdict.WRONG, f"{name} is not on {host} any more", "Restore its data, or delete it."
        )
    for name in unknown:
        yield Finding(
            Verdict.NOTE,
            f"{name} is on {host} and no resource is it",
            "Remove it if it is not yours.",
        )
    if not missing and not unknown:
        yield Finding(
            Verdict.GOOD, f"{host}: {len(rows)} volumes and snapshots, all in their place"
        )


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
