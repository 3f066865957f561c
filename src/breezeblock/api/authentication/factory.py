"""The authenticator that the option ``auth_strategy`` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oslo_config import cfg

from breezeblock.api.authentication.http_basic import HttpBasic
from breezeblock.api.authentication.interface import Authenticator
from breezeblock.api.authentication.noauth import NoAuth


class AuthenticationUnavailable(Exception):
    """The configured way of authentication cannot be used; the message says what to do."""


def _http_basic(conf: cfg.ConfigOpts) -> Authenticator:
    path = Path(conf.http_basic_auth_user_file)
    try:
        return HttpBasic(path, conf.http_basic_admin_users)
    except OSError as error:
        raise AuthenticationUnavailable(
            f"http_basic_auth_user_file = {path} cannot be read ({error.strerror}). Write it with "
            f"`htpasswd -B`, or let `breezeblock serve` make one."
        ) from error
    except ValueError as error:
        raise AuthenticationUnavailable(f"http_basic_auth_user_file: {error}") from error


def _keystone(conf: cfg.ConfigOpts) -> Authenticator:
    raise AuthenticationUnavailable(
        f"auth_strategy = {conf.auth_strategy} is not available in this version. "
        "Choose http_basic, or noauth for tests."
    )


STRATEGIES: dict[str, Callable[[cfg.ConfigOpts], Authenticator]] = {
    "http_basic": _http_basic,
    "keystone": _keystone,
    "noauth": lambda conf: NoAuth(),
    "noauth_include_project_id": lambda conf: NoAuth(),
}


def create(conf: cfg.ConfigOpts) -> Authenticator:
    """The authenticator of this configuration; raises `AuthenticationUnavailable`."""
    return STRATEGIES[conf.auth_strategy](conf)
