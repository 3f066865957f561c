"""Options of authentication, and the rule that an open door is never opened by accident."""

from __future__ import annotations

import ipaddress

from oslo_config import cfg

AUTH_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "auth_strategy",
        default="http_basic",
        choices=["http_basic", "keystone", "noauth", "noauth_include_project_id"],
        help="Who is believed: the users of a password file, the identity service, or anybody.",
    ),
    cfg.StrOpt(
        "http_basic_auth_user_file",
        default="$state_path/htpasswd",
        help="Password file of http_basic: lines of user:bcrypt-digest.",
    ),
    cfg.ListOpt(
        "http_basic_admin_users",
        default=["admin"],
        help="Users of http_basic that are administrators.",
    ),
]

OWN_OPTIONS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "allow_noauth_beyond_loopback",
        default=False,
        help="Serve noauth on other addresses than loopback: everybody who reaches the port "
        "is administrator. For isolated test networks only.",
    ),
]


def groups() -> dict[str, list[cfg.Opt]]:
    """The options of this module by section."""
    return {"DEFAULT": AUTH_OPTIONS, "breezeblock": OWN_OPTIONS}


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach ``address``; a name counts only if it is localhost."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def open_door(conf: cfg.ConfigOpts) -> str | None:
    """Why the API must not listen as configured, or None when it may.

    Asked by whatever is about to listen, not while options are read: a worker with the same
    file opens no port.
    """
    if not conf.auth_strategy.startswith("noauth"):
        return None
    if conf.breezeblock.allow_noauth_beyond_loopback or is_loopback(conf.osapi_volume_listen):
        return None
    return (
        f"auth_strategy = {conf.auth_strategy} lets everybody in, and osapi_volume_listen = "
        f"{conf.osapi_volume_listen} can be reached from other machines. Listen on 127.0.0.1, "
        "choose auth_strategy = http_basic, or set allow_noauth_beyond_loopback = true in "
        "section [breezeblock] if this network is isolated."
    )
