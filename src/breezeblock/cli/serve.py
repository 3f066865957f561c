"""``breezeblock serve``, ``api`` and ``worker``: the processes of the service."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

from oslo_log import log

from breezeblock import __version__
from breezeblock.cli.assembly import Process, assemble
from breezeblock.config.auth import open_door
from breezeblock.config.settings import ConfigurationError, Settings, load
from breezeblock.domain.errors import BreezeblockError
from breezeblock.store import schema
from breezeblock.worker.host import WorkerHost

LOG = logging.getLogger(__name__)


class _CannotStart(Exception):
    """The words say why, and what to do."""


def serve(settings: Settings) -> int:
    """API and worker in one process, or with ``api_processes`` above 1 beside it."""
    return _guarded(settings, _serve)


def api(settings: Settings) -> int:
    """The API alone, in ``osapi_volume_workers`` processes."""
    return _guarded(settings, _api)


def worker(settings: Settings) -> int:
    """The worker of the enabled backends alone."""
    return _guarded(settings, _worker)


def _guarded(settings: Settings, run: Callable[[Settings], None]) -> int:
    os.umask(0o077)
    log.setup(settings.conf, "breezeblock", __version__)
    try:
        run(settings)
    except (_CannotStart, BreezeblockError) as error:
        LOG.error("breezeblock cannot start: %s", error)
        print(f"breezeblock: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings) -> None:
    _check_listen(settings)
    _check_authentication(settings)
    process = assemble(settings)
    schema.upgrade(process.deployment.database)
    host = _host(process)
    count = settings.conf.breezeblock.api_processes
    host.start()
    LOG.info("Serving %s", _endpoint(settings))
    try:
        if count == 1:
            _answer_here(process, host)
        else:
            _answer_beside(settings, host, count)
    finally:
        _stop(host, settings)


def _answer_here(process: Process, host: WorkerHost) -> None:
    from breezeblock.api import wsgi
    from breezeblock.api.authentication import factory
    from breezeblock.cli.http_server import serve_in_process

    settings = process.settings
    authenticator = factory.create(settings.conf)
    application = wsgi.create_application(settings.conf, process.services, authenticator)
    serve_in_process(settings, application, on_reload=lambda: _reload_later(host, settings))


def _answer_beside(settings: Settings, host: WorkerHost, count: int) -> None:
    # The server in a child of its own: its processes must not inherit the worker's threads.
    context = multiprocessing.get_context("spawn")
    files = [str(file) for file in settings.files]
    child = context.Process(target=_api_child, args=(files, count), name="api")
    child.start()
    try:
        _wait_for_end(lambda: _reload_later(host, settings), child)
    finally:
        child.terminate()
        child.join()


def _api_child(files: list[str], count: int) -> None:
    from breezeblock.cli.http_server import serve_in_processes

    serve_in_processes(load(files), count)


def _api(settings: Settings) -> None:
    from breezeblock.cli.http_server import serve_in_processes

    _check_listen(settings)
    _check_authentication(settings)
    _check_schema(assemble(settings))
    count = settings.conf.osapi_volume_workers or os.cpu_count() or 1
    LOG.info("Serving %s with %d processes", _endpoint(settings), count)
    serve_in_processes(settings, count)


def _worker(settings: Settings) -> None:
    process = assemble(settings)
    _check_schema(process)
    host = _host(process)
    host.start()
    try:
        _wait_for_end(lambda: _reload_later(host, settings), None)
    finally:
        _stop(host, settings)


# ---- pieces ----------------------------------------------------------------------------------


def _host(process: Process) -> WorkerHost:
    deployment = process.deployment
    return WorkerHost(process.settings, deployment.database, deployment.scheduler, deployment.hints)


def _stop(host: WorkerHost, settings: Settings) -> None:
    if host.stop(settings.conf.breezeblock.shutdown_grace):
        LOG.info("Stopped; nothing is running any more")
    else:
        LOG.warning("Stopped; what still ran is taken up by the next worker")


def _wait_for_end(
    on_reload: Callable[[], None], child: multiprocessing.process.BaseProcess | None
) -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    signal.signal(signal.SIGHUP, lambda *_: on_reload())
    while not ended.wait(1.0):
        if child is not None and not child.is_alive():
            raise _CannotStart(f"the API processes ended with {child.exitcode}.")


def _reload_later(host: WorkerHost, settings: Settings) -> None:
    """Read the configuration again, away from the signal handler."""
    threading.Thread(target=_reload, args=(host, settings), name="reload", daemon=True).start()


def _reload(host: WorkerHost, settings: Settings) -> None:
    try:
        host.apply(load(list(settings.files)))
    except ConfigurationError as error:
        LOG.error("The configuration is not read again, it has mistakes: %s", error)
    else:
        LOG.info("Read the backends again")


def _check_schema(process: Process) -> None:
    if not schema.is_current(process.deployment.database):
        raise _CannotStart(
            "the database's schema is not this version's. Run `breezeblock db upgrade`."
        )


def _check_authentication(settings: Settings) -> None:
    from breezeblock.api.authentication import factory

    try:
        factory.create(settings.conf)
    except factory.AuthenticationUnavailable as error:
        raise _CannotStart(str(error)) from error


def _check_listen(settings: Settings) -> None:
    """Refuse what would let everybody in, and a port that somebody else holds."""
    conf = settings.conf
    address = conf.osapi_volume_listen
    reason = open_door(conf)
    if reason is not None:
        raise _CannotStart(reason)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, conf.osapi_volume_listen_port))
        except OSError as error:
            raise _CannotStart(
                f"{_endpoint(settings)} cannot be served: {error.strerror}. Stop what holds the"
                " port, or set osapi_volume_listen_port."
            ) from error


def _endpoint(settings: Settings) -> str:
    conf = settings.conf
    scheme = "https" if conf.osapi_volume_use_ssl else "http"
    address = conf.osapi_volume_listen
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}:{conf.osapi_volume_listen_port}"
