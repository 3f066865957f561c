"""The contract of a target: how the bytes of a volume reach its consumers.

A target driver belongs to one volume driver, which calls it with the path of the volume's
data.  All methods are idempotent: called twice, or after half of an earlier call, they lead to
the same end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, TypedDict

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume

#: What a driver asks the service to remember in the resource's record
#: (``provider_location``, ``provider_auth``, ...); None means nothing.
ModelUpdate = dict[str, object]

#: A consumer's description of itself: ``initiator``, ``ip``, ``host``, ``multipath``, ...
Connector = Mapping[str, Any]


class ConnectionInfo(TypedDict):
    """What a consumer is told to reach a volume."""

    driver_volume_type: str
    data: dict[str, Any]


class TargetConfiguration(Protocol):
    """The options every target reads, under the names operators know."""

    @property
    def target_prefix(self) -> str: ...
    @property
    def target_ip_address(self) -> str: ...
    @property
    def target_port(self) -> int: ...
    @property
    def target_secondary_ip_addresses(self) -> list[str]: ...
    @property
    def target_protocol(self) -> str: ...
    @property
    def target_helper(self) -> str: ...
    @property
    def volumes_dir(self) -> str: ...
    @property
    def lvm_share_target(self) -> bool: ...


class Target(ABC):
    """One way of offering volumes (iSCSI by tgt, NVMe-oF, ...)."""

    #: What the backend's stats call it: ``iSCSI``, ``iSER``, ``NVMe-oF``, ``FC``.
    storage_protocol: str = "iSCSI"
    #: Whether volumes can be offered at ``target_secondary_ip_addresses`` as well.
    secondary_ip_support: ClassVar[bool] = True
    #: Whether one target can hold the volumes of many (``lvm_share_target``).
    shared_target_support: ClassVar[bool] = False

    def check_for_setup_error(self) -> None:  # noqa: B027 - optional
        """Raise ``TargetError`` if the target cannot work as configured."""

    @abstractmethod
    def create_export(self, volume: Volume, path: str) -> ModelUpdate | None:
        """Offer ``path`` as ``volume``; return ``provider_location`` and ``provider_auth``.

        Raises ``TargetCreateFailed``.  An export that is there already is made right, not made
        anew: consumers that are logged in stay so.
        """

    def ensure_export(self, volume: Volume, path: str) -> ModelUpdate | None:
        """As ``create_export``, for a volume that has been exported before."""
        return self.create_export(volume, path)

    @abstractmethod
    def remove_export(self, volume: Volume) -> None:
        """Stop offering ``volume``, also while consumers are logged in; unknown is success.

        Raises ``TargetRemoveFailed``.
        """

    @abstractmethod
    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """What ``connector`` needs to reach ``volume``.  Raises ``InvalidConnector``."""

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        """End one consumer's use; true says that the export is still needed and stays.

        ``connector`` None means all consumers.  ``others`` describes the consumers whose
        attachments stay; one of them may be the same host, whose access then stays too.
        ``force`` asks for the end even if the consumer does not play along.
        """
        return connector is not None and bool(others)

    @abstractmethod
    def extend_target(self, volume: Volume, path: str) -> None:
        """Make the consumers see the present size of ``path``; not exported is success.

        No write that a consumer has been told is done may be lost by it.  Raises
        ``TargetUpdateFailed``.
        """

    @abstractmethod
    def paused(self, name: str, path: str) -> AbstractContextManager[None]:
        """Hold back every consumer of the volume ``name`` for the block, without an error for them.

        Within the block nothing is in flight and nobody has ``path`` open; what consumers were
        told is written is in the file.  Consumers' requests wait and are repeated afterwards,
        so the block has to be short (initiators give up after a time of their own, often
        120 s).  Not exported: the block simply runs.  Raises ``TargetPauseFailed`` before the
        block, with nothing changed.
        """

    def validate_connector(self, connector: Connector) -> None:
        """Raise ``InvalidConnector`` if the consumer does not say what this target needs."""
        if not connector.get("initiator"):
            raise InvalidConnector(missing="initiator")

    def are_same_connector(self, one: Connector, other: Connector) -> bool:
        """Whether two descriptions mean the same consumer."""
        return bool(one.get("initiator")) and one.get("initiator") == other.get("initiator")

    def restore(self) -> int:
        """Offer again what was offered before the target daemon or the host went down.

        Returns how many exports had to be made again.  Called at start and whenever the
        daemon may have been restarted; cheap when nothing is missing.
        """
        return 0

    def is_exported(self, name: str) -> bool:
        """Whether the volume ``name`` is offered, so that somebody may be writing to it."""
        return False

    def list_exports(self) -> list[str]:
        """The volume names this target keeps exports of, for orphan checks."""
        return []
