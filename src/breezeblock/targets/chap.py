"""CHAP credentials of iSCSI targets: recorded, of the operator, or new."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any, Protocol

from breezeblock.domain.resources import Volume
from breezeblock.targets import iscsi
from breezeblock.targets.errors import TargetError

_ALPHABET = string.ascii_letters + string.digits


class ChapConfiguration(Protocol):
    """``chap_username`` and ``chap_password``; they count only if both are set."""

    @property
    def chap_username(self) -> str: ...
    @property
    def chap_password(self) -> str: ...


def configured(options: ChapConfiguration) -> tuple[str, str] | None:
    """The operator's account, if there is one.  Raises ``TargetError`` if no tool can take it."""
    user, secret = options.chap_username, options.chap_password
    if not user or not secret:
        return None
    if any(not c.isprintable() or c in ' \t",=#:\\{}' for c in user + secret):
        raise TargetError(
            reason="chap_username and chap_password must be printable and free of blanks, quotes, "
            "commas and the signs = # : \\ { }"
        )
    return user, secret


def choose(
    volume: Volume, known: Mapping[str, Any] | None, account: tuple[str, str] | None
) -> tuple[str, str]:
    """User and secret of an export.

    Those on the volume's record, else on the export's (``known``, with ``user`` and ``secret``),
    else the operator's, else new ones.
    """
    recorded = iscsi.parse_auth(volume.provider_auth)
    if recorded is not None:
        return recorded
    if known is not None:
        return known["user"], known["secret"]
    return account or generate()


def generate() -> tuple[str, str]:
    """A user of 20 and a secret of 16 characters (what initiators of the field accept)."""
    user, secret = (
        "".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in (20, 16)
    )
    return user, secret
