"""HTTP basic authentication against a password file of bcrypt digests.

Lines of the file are ``user:digest``, as ``htpasswd -B`` writes them.  bcrypt is slow on purpose,
so credentials that were right are remembered for a minute, as a digest under a key that only this
process has: neither passwords nor anything to guess them from stay in memory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import bcrypt

from breezeblock.api.authentication.interface import DirectAnswer, Headers, Identity

LOG = logging.getLogger(__name__)

LIFETIME = 60.0  # seconds that verified credentials are remembered
CAPACITY = 4096  # verified credentials remembered at most
MAX_PASSWORD = 72  # bytes; bcrypt reads no further
FILE_CHECK = 1.0  # seconds between looks at the file

ADMIN_ROLES = ("admin", "member", "reader")
USER_ROLES = ("member", "reader")

CHALLENGE = DirectAnswer(
    status=401,
    text="Authentication required\n",
    headers={"WWW-Authenticate": 'Basic realm="Block Storage", charset="UTF-8"'},
)


def project_of(user: str) -> str:
    """The project of a user: everybody has one of their own, named after them for ever."""
    return uuid5(NAMESPACE_URL, f"urn:breezeblock:user:{user}").hex


class PasswordFile:
    """The users of a file and the digests of their passwords; read again when it changes."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self._users: Mapping[str, bytes] = {}
        self._lock = threading.Lock()
        self.generation = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the file if it is another than last time.

        Raises ValueError, naming file and line, when it holds anything but bcrypt digests, and
        OSError when it cannot be read; both matter at the start.
        """
        status = os.stat(self._path)
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._stamp:
            self._users = _parse(self._path)
            self._stamp = stamp
            self.generation += 1

    def users(self) -> Mapping[str, bytes]:
        """The digests by user.  A file that went bad leaves the users of before, and a log line:
        a typing error must not lock the operator out, nor anybody in."""
        now = self._clock()
        if now >= self._next_look:
            with self._lock:
                self._next_look = now + FILE_CHECK
                try:
                    self.refresh()
                except (OSError, ValueError) as error:
                    LOG.error("The password file stays as it was: %s", error)
        return self._users


def _parse(path: Path) -> Mapping[str, bytes]:
    users = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        user, separator, digest = line.strip().partition(":")
        if not separator or not user or not digest.startswith(("$2a$", "$2b$", "$2y$")):
            raise ValueError(f"{path}, line {number}: expected user:bcrypt-digest")
        users[user] = digest.encode()
    return users


class HttpBasic:
    """Believes who knows the password of a user in the file."""

    def __init__(
        self,
        path: Path,
        admins: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = PasswordFile(path, clock)
        self._admins = frozenset(admins)
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._verified: dict[bytes, tuple[float, Identity]] = {}
        self._generation = self._file.generation
        # What strangers are measured against, so that they take as long as users do.
        self._nobody = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(rounds=10))

    def authenticate(self, headers: Headers) -> Identity | DirectAnswer:
        header = headers("Authorization")
        if header is None:
            return CHALLENGE
        users = self._file.users()
        if self._file.generation != self._generation:
            # Another file: whom it no longer knows must not stay.
            self._generation = self._file.generation
            self._verified = {}
        digest = hmac.digest(self._key, header.encode("utf-8", "replace"), hashlib.sha256)
        known = self._verified.get(digest)
        if known is not None and known[0] > self._clock():
            return known[1]
        identity = self._verify(header, users)
        if identity is None:
            return CHALLENGE
        self._remember(digest, identity)
        return identity

    def _verify(self, header: str, users: Mapping[str, bytes]) -> Identity | None:
        credentials = decode(header)
        if credentials is None:
            return None
        user, password = credentials
        digest = users.get(user, self._nobody)
        if not 0 < len(password) <= MAX_PASSWORD or b"\0" in password:
            return None
        try:
            right = bcrypt.checkpw(password, digest)
        except ValueError:
            LOG.error("The digest of user %r in the password file cannot be read.", user)
            return None
        if not right or user not in users:
            return None
        roles = ADMIN_ROLES if user in self._admins else USER_ROLES
        return Identity(user_id=user, project_id=project_of(user), roles=roles)

    def _remember(self, digest: bytes, identity: Identity) -> None:
        if len(self._verified) >= CAPACITY:
            self._verified = {}
        self._verified[digest] = (self._clock() + LIFETIME, identity)


def decode(header: str) -> tuple[str, bytes] | None:
    """User and password of an Authorization header; None if it is not of the basic scheme."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, separator, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode("utf-8"), password) if separator else None
    except (binascii.Error, ValueError):
        return None
