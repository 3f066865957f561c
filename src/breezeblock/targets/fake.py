"""A target that offers nothing, for tests and benchmarks of everything above it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from breezeblock.domain.resources import Volume
from breezeblock.targets import iscsi
from breezeblock.targets.interface import (
    ConnectionInfo,
    Connector,
    ModelUpdate,
    Target,
    TargetConfiguration,
)

_PORTALS = iscsi.Portals(("127.0.0.1",), 3260)


class FakeTarget(Target):
    """Answers as an iSCSI target would, with tid and lun 0; nothing listens."""

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        iqn = f"iqn.2010-10.org.openstack:{volume.name}"
        return {
            "provider_location": _PORTALS.location(0, iqn, 0),
            "provider_auth": volume.provider_auth or "CHAP fake fakefakefakefake",
        }

    def remove_export(self, volume: Volume) -> None:
        """Nothing was offered."""

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        return iscsi.connection_info(volume, connector)

    def extend_target(self, volume: Volume, path: str) -> None:
        """Nobody looks."""

    @contextmanager
    def paused(self, name: str, path: str) -> Iterator[None]:
        """Nobody is there to be held back."""
        yield


def create(configuration: TargetConfiguration) -> FakeTarget:
    """The entry point; it has no options."""
    return FakeTarget()
