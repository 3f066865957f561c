"""The HTTP server: granian, inside this process or as processes of its own.

granian's own choice between the two looks at whether Python has a global lock.  Ours looks at
what the operator wants: one small process that does everything, or several that share the load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.server.mt import MTServer

from breezeblock.config.settings import Settings, load

LOG = logging.getLogger(__name__)


class _ServerInProcess(MTServer):
    """granian's threaded server; the lock only means that Python code takes turns."""

    def __init__(self, *args: Any, on_reload: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_reload = on_reload

    def _check_gil(self) -> None:
        """Any Python will do."""

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """SIGHUP is ours: the server has nothing to read again."""
        self._on_reload()


def serve_in_process(
    settings: Settings, application: Any, *, on_reload: Callable[[], None]
) -> None:
    """Answer requests in threads of this process until SIGTERM or SIGINT."""
    server = _ServerInProcess(application, on_reload=on_reload, **_options(settings, workers=1))
    server.serve(target_loader=lambda: application, wrap_loader=False)


def serve_in_processes(settings: Settings, count: int) -> None:
    """Answer requests in ``count`` processes of their own until SIGTERM or SIGINT."""
    server = Granian(
        "breezeblock.cli.http_server:load_application", **_options(settings, workers=count)
    )
    files = [str(file) for file in settings.files]
    server.serve(target_loader=_Loader(files), wrap_loader=False)


class _Loader:
    """Builds the application anew in each process, from the same configuration files."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files

    def __call__(self) -> Any:
        return load_application(self._files)


def load_application(files: Sequence[str]) -> Any:
    """The WSGI callable for these configuration files; also for other WSGI servers."""
    from breezeblock.api import wsgi
    from breezeblock.api.authentication import factory
    from breezeblock.cli.assembly import assemble

    settings = load(files)
    authenticator = factory.create(settings.conf)
    return wsgi.create_application(settings.conf, assemble(settings).services, authenticator)


def _options(settings: Settings, *, workers: int) -> dict[str, Any]:
    conf = settings.conf
    options: dict[str, Any] = {
        "address": conf.osapi_volume_listen,
        "port": conf.osapi_volume_listen_port,
        "interface": Interfaces.WSGI,
        "http": HTTPModes.http1,
        "workers": workers,
        "blocking_threads": conf.breezeblock.api_threads,
        "websockets": False,
        "log_enabled": False,
        "workers_kill_timeout": max(1, round(conf.breezeblock.shutdown_grace)),
        "respawn_failed_workers": workers > 1,
    }
    if conf.osapi_volume_use_ssl:
        options["ssl_cert"] = Path(conf.ssl.cert_file)
        options["ssl_key"] = Path(conf.ssl.key_file)
        if conf.ssl.ca_file:
            options |= {"ssl_ca": Path(conf.ssl.ca_file), "ssl_client_verify": True}
    return options
