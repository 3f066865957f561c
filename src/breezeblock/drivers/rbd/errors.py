"""What librados and librbd may answer, as types: callers decide by class."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from breezeblock.drivers.errors import BackendMisconfigured, VolumeBackendError
from breezeblock.drivers.rbd.bindings import Bindings

#: Linux: the connection is over; Ceph also answers so to a client that was blocklisted.
_ESHUTDOWN = 108


class RbdError(VolumeBackendError):
    """Ceph refused or failed; ``reason`` holds its own words."""

    symbol = "rbd-error"


class ImageMissing(RbdError):
    """There is no image or snapshot of that name in the pool."""

    symbol = "rbd-image-missing"


class NameTaken(RbdError):
    """There is an image or snapshot of that name already."""

    symbol = "rbd-name-taken"


class InUse(RbdError):
    """Somebody has the image open, or something hangs on the snapshot."""

    symbol = "rbd-in-use"


class Locked(RbdError):
    """Another client has the image's exclusive lock, or another cluster is its primary one."""

    symbol = "rbd-locked"


class HasSnapshots(RbdError):
    """The image cannot go before its snapshots."""

    symbol = "rbd-has-snapshots"


class NotAllowed(RbdError):
    """The Ceph user may not do it, or it is too early."""

    symbol = "rbd-not-allowed"


class NoSpace(RbdError):
    """The pool is full or at its quota."""

    symbol = "rbd-no-space"


class WrongArgument(RbdError):
    """The call does not fit what the image or snapshot is."""

    symbol = "rbd-wrong-argument"


class ClusterUnreachable(RbdError):
    """The cluster did not answer in time, or has cut the connection."""

    symbol = "rbd-cluster-unreachable"


class LoginImpossible(RbdError):
    """The cluster's configuration or the user's key is not there."""

    symbol = "rbd-login-impossible"


class PoolMissing(RbdError):
    """The cluster has no pool of that name."""

    symbol = "rbd-pool-missing"


class UnusableLocation(RbdError):
    """The location of an image cannot be used by this backend."""

    symbol = "rbd-unusable-location"
    template = "Image location {location} cannot be used: {reason}"


class Misconfigured(BackendMisconfigured):
    """The cluster cannot be used as the options ask."""

    symbol = "rbd-misconfigured"


class _Meaning(NamedTuple):
    error: type[RbdError]
    remedy: str = ""
    transient: bool = False


_LOST = _Meaning(
    ClusterUnreachable,
    "The cluster does not answer: look at `ceph status` and at the network to its monitors and "
    "OSDs",
    transient=True,
)
_CUT = _Meaning(
    ClusterUnreachable,
    "The cluster has ended the connection (see `ceph osd blocklist ls`); the next call connects "
    "anew",
    transient=True,
)
_FORBIDDEN = _Meaning(
    NotAllowed,
    "Give the Ceph user the capabilities `profile rbd` for its monitors and pools "
    "(`ceph auth get`)",
)
_FULL = _Meaning(NoSpace, "Add OSDs, delete volumes, or raise the pool's quota (`ceph df`)")

#: errno -> what it means.  Everything else is an ``RbdError``.
MEANINGS: dict[int, _Meaning] = {
    errno.ENOENT: _Meaning(ImageMissing),
    errno.EEXIST: _Meaning(NameTaken),
    errno.EBUSY: _Meaning(InUse),
    errno.ENOTEMPTY: _Meaning(HasSnapshots),
    errno.EPERM: _FORBIDDEN,
    errno.EACCES: _FORBIDDEN,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EINVAL: _Meaning(WrongArgument),
    errno.ETIMEDOUT: _LOST,
    errno.EINTR: _LOST,
    errno.ENOTCONN: _CUT,
    _ESHUTDOWN: _CUT,
    errno.EROFS: _Meaning(
        Locked, "Another client holds its lock (`rbd lock ls`), or it is mirrored from elsewhere"
    ),
    errno.EOPNOTSUPP: _Meaning(RbdError, "The image lacks a feature that this needs"),
}
#: What the libraries raise without an errno: their object was closed under the caller's hands.
_STATE_ERRORS = ("RadosStateError", "IoctxStateError")


def translated(failure: Exception, action: str) -> RbdError:
    """A failure of the libraries as one of ours; ``action`` says what could not be done."""
    words = str(failure)
    if type(failure).__name__ in _STATE_ERRORS:
        meaning = _CUT
    else:
        meaning = MEANINGS.get(abs(getattr(failure, "errno", 0) or 0), _Meaning(RbdError))
    remedy = f". {meaning.remedy}" if meaning.remedy else ""
    return meaning.error(reason=f"{action}: {words}{remedy}.", transient=meaning.transient)


@contextmanager
def translating(bindings: Bindings, action: str) -> Iterator[None]:
    """Turn what the libraries raise in the block into an ``RbdError``."""
    try:
        yield
    except (bindings.rados.Error, bindings.rbd.Error) as failure:
        raise translated(failure, action) from failure
