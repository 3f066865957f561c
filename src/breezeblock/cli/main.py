"""The command line: ``breezeblock serve``, ``api``, ``worker``, ``doctor`` and the others.

Every command imports what it needs when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from breezeblock import __version__

if TYPE_CHECKING:
    from breezeblock.config.settings import Settings

Command = TypeVar("Command", bound=Callable[..., None])


def reads_configuration(command: Command) -> Command:
    """Give a command the options that say which configuration it reads."""
    files = click.option(
        "--config-file",
        "config_files",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Configuration file; may be repeated, later ones win. A cinder.conf will do.",
    )
    directories = click.option(
        "--config-dir",
        "config_dirs",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Directory whose *.conf files are read after those.",
    )
    return files(directories(command))


def settings_of(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> Settings:
    """The settings, or an exit with the reasons why there are none."""
    from breezeblock.config.settings import ConfigurationError, load

    try:
        return load(config_files or None, config_dirs)
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"breezeblock: {problem}", err=True)
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="breezeblock")
def main() -> None:
    """Block storage behind the OpenStack Block Storage API v3."""


@main.command()
@reads_configuration
def serve(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """API and worker in one process; the database is made and migrated on start."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli import serve as processes

    sys.exit(processes.serve(settings))


@main.command()
@reads_configuration
def api(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """The API alone."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli import serve as processes

    sys.exit(processes.api(settings))


@main.command()
@reads_configuration
def worker(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """The worker of the enabled backends alone."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli import serve as processes

    sys.exit(processes.worker(settings))


@main.group()
def db() -> None:
    """The database schema."""


@db.command()
@reads_configuration
def upgrade(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """Bring the schema to this version's state; safe to repeat."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli import database

    sys.exit(database.upgrade(settings))


@db.command()
@reads_configuration
def check(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """Say whether the schema is this version's; exit 1 if not."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli import database

    sys.exit(database.check(settings))


@main.group()
def config() -> None:
    """The configuration."""


@config.command()
@reads_configuration
@click.option("--set-only", is_flag=True, help="Leave out what has its default.")
def show(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...], *, set_only: bool) -> None:
    """Print the effective configuration, secrets masked, and where each value comes from."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli.configuration import show as lines

    for line in lines(settings, set_only=set_only):
        click.echo(line)


@main.group()
def target() -> None:
    """The target daemon, which outlives the service so that volumes stay attached."""


@target.command()
@reads_configuration
def stop(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """End our tgtd; what it exports stays on record and comes back with the service."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli.target_daemon import stop as end

    click.echo("stopped tgtd" if end(settings) else "tgtd does not run")


@main.command()
@reads_configuration
def doctor(config_files: tuple[Path, ...], config_dirs: tuple[Path, ...]) -> None:
    """Check configuration, database, backends and tools; say how to mend what is wrong."""
    settings = settings_of(config_files, config_dirs)
    from breezeblock.cli import doctor as examination

    sys.exit(examination.examine(settings))


@main.command(context_settings={"ignore_unknown_options": True})
@reads_configuration
@click.option("--backend", required=True, help="Section of the backend; nothing may serve it.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def conformance(
    config_files: tuple[Path, ...],
    config_dirs: tuple[Path, ...],
    backend: str,
    arguments: tuple[str, ...],
) -> None:
    """Run the conformance kit on a backend's driver. ARGUMENTS go to pytest."""
    from breezeblock.cli.conformance import run

    sys.exit(run([*config_files, *config_dirs], backend, arguments))


@main.command()
@click.option(
    "--state-path",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for the configuration, the database and the volumes.",
)
@click.option("--port", type=int, help="TCP port of the API; default: what is set, else 8776.")
@click.option(
    "--openrc",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the clients' environment goes; default: openrc in the state path.",
)
def init(state_path: Path, port: int | None, openrc: Path | None) -> None:
    """Write a configuration for one machine, with a generated password. Keeps what exists."""
    from breezeblock.cli.initialise import initialise

    for line in initialise(state_path.absolute(), port, openrc):
        click.echo(line)


@main.command("main-job")
@click.option("--size", default=1, show_default=True, help="Size of the volume, GiB.")
def main_job(size: int) -> None:
    """Run a volume through its life, against the service of the environment (see openrc).

    Create, attach over iSCSI, write, snapshot, overwrite, clone, verify, extend, detach, delete.
    """
    from breezeblock.cli.main_job import run

    sys.exit(run(size))


if __name__ == "__main__":
    main()
