"""What lies where in a cluster's directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.ceph_lab.failure import CephLabFailure

#: The longest name of a unix socket is 107 bytes, of which some 20 are ours.
_LONGEST = 80
#: Characters that mean something in ceph.conf or in QEMU's ``rbd:`` addresses are left out.
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one cluster, all below ``directory``.

    Raises ``CephLabFailure`` for a directory that the daemons could not work with.
    """

    directory: Path

    def __post_init__(self) -> None:
        name = str(self.directory)
        if len(name) > _LONGEST or not _PLAIN.fullmatch(name):
            raise CephLabFailure(
                f"{name}: take an absolute path of at most {_LONGEST} letters, digits and ._/-"
            )

    @property
    def sign(self) -> Path:
        """There from the beginning: the directory is the lab's, which may remove it."""
        return self.directory / ".breezeblock-ceph-lab"

    @property
    def conf(self) -> Path:
        return self.directory / "ceph.conf"

    @property
    def formed(self) -> Path:
        """There when the cluster was made completely; its text is the cluster's id."""
        return self.directory / "fsid"

    @property
    def monitor_map(self) -> Path:
        return self.directory / "monmap"

    @property
    def monitor_keyring(self) -> Path:
        """Every key of the cluster, for its making."""
        return self.directory / "monitor.keyring"

    @property
    def run(self) -> Path:
        """Pid files and admin sockets."""
        return self.directory / "run"

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    def data(self, daemon: str) -> Path:
        """What a daemon keeps; ``daemon`` is such as ``osd.0``."""
        return self.directory / daemon

    def keyring(self, user: str) -> Path:
        """The key of a user; ``user`` is such as ``cinder``, without ``client.``."""
        return self.directory / f"ceph.client.{user}.keyring"
