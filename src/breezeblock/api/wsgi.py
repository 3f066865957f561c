"""The WSGI callable of the API, made of its configuration, its services and an authenticator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from oslo_config import cfg

from breezeblock.api import application, openapi
from breezeblock.api.authentication.interface import Authenticator
from breezeblock.api.call import Tools
from breezeblock.api.enforcement import Policies
from breezeblock.api.filters import FilterTable
from breezeblock.api.routes import ROUTES
from breezeblock.api.settings import ApiSettings
from breezeblock.services.registry import Services

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def create_application(
    conf: cfg.ConfigOpts, services: Services, authenticator: Authenticator
) -> Application:
    """Build the application.  Raises ValueError when the operator's filter file cannot be read,
    and oslo.policy's errors when the policy file cannot."""
    settings = ApiSettings.from_conf(conf)
    tools = Tools(
        services=services,
        policies=Policies(conf),
        settings=settings,
        filters=FilterTable.load(settings.filters_file),
        document=openapi.documents(ROUTES),
    )
    answer = cast(Application, application.build(tools, authenticator))

    def take_turns(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with services.turnstile.passed():
            return answer(environ, start_response)

    return take_turns
