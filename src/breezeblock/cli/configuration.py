"""``breezeblock config show``: the effective configuration, without its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from breezeblock.config.origins import Origin
from breezeblock.config.settings import Settings, sections

MASK = "****"
_URL_SECRET = re.compile(r"(?<=://)([^:/@]*):[^@]*(?=@)")


def show(settings: Settings, *, set_only: bool = False) -> Iterator[str]:
    """The lines of a configuration file that would give these settings."""
    for section, options in sections(settings.conf, settings.backends).items():
        if section == "backend_defaults":
            continue  # its values are shown in the backends that they reach
        lines = [
            _line(option, value, origin)
            for option, value, origin in _values(settings, section, options)
            if not (set_only and origin.kind == "default")
        ]
        if lines:
            yield f"[{section}]"
            yield from lines
            yield ""


def _values(
    settings: Settings, section: str, options: list[cfg.Opt]
) -> Iterator[tuple[cfg.Opt, Any, Origin]]:
    backend = settings.backends.get(section)
    for option in options:
        if backend is not None:
            yield option, backend.get(option.dest), backend.origin(option.dest)
            continue
        group = settings.conf if section == "DEFAULT" else settings.conf[section]
        yield option, group[option.dest], settings.origin(option, section)


def _line(option: cfg.Opt, value: Any, origin: Origin) -> str:
    return f"{option.name} = {_text(option, value)}".ljust(60) + f"  # {origin}"


def _text(option: cfg.Opt, value: Any) -> str:
    if value is None or value in ("", []):
        return ""
    if option.name in ("connection", "transport_url"):
        # Worth reading but for the password in it.
        return _URL_SECRET.sub(rf"\1:{MASK}", str(value))
    if option.secret:
        return MASK
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
