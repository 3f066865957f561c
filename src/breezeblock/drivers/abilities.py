"""What not every backend can do: small interfaces, found by type.

The service asks ``isinstance(driver, RevertToSnapshot)`` before it accepts a request, so that
what a backend cannot do is refused at once and not after it has begun.

A driver has an ability if it inherits the interface or simply has the methods: authors who
derive from ``VolumeDriver`` and override one of its placeholders need not know this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.targets.interface import Connector, ModelUpdate

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: What a change of several members tells: the whole's update, and one ``{"id", "status", ...}``
#: a member.  An error status of a member is taken over by the whole; None means as asked.
MembersUpdate = tuple[ModelUpdate | None, list[dict[str, Any]] | None]


def placeholder(function: _Function) -> _Function:
    """Mark a method that only says ``NotImplementedError``: having it is no ability."""
    function.__placeholder__ = True  # type: ignore[attr-defined]
    return function


def is_implemented(driver: type, method: str) -> bool:
    """Whether a class has more than a placeholder under that name."""
    function = getattr(driver, method, None)
    return function is not None and not (
        getattr(function, "__placeholder__", False)
        or getattr(function, "__isabstractmethod__", False)
    )


class Ability(ABC):  # noqa: B024 - its heirs have the methods
    """An interface that a class has by having its methods (see the module)."""

    #: The methods that make the ability; empty: it has to be inherited.
    METHODS: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __subclasshook__(cls, other: type, /) -> bool:
        methods = cls.__dict__.get("METHODS", ())
        if methods and all(is_implemented(other, name) for name in methods):
            return True
        return NotImplemented  # type: ignore[no-any-return]


class ExtendInUse(ABC):  # noqa: B024 - a mark: the method is VolumeDriver's
    """``extend_volume`` may be called while the volume is attached."""


class RevertToSnapshot(Ability):
    """The backend itself can put a volume back to a snapshot of it."""

    METHODS: ClassVar[tuple[str, ...]] = ("revert_to_snapshot",)

    @abstractmethod
    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        """Make the volume's bytes those of the snapshot; a larger volume keeps its size.

        The volume is detached.  All or nothing: after a crash it is the old or the new.
        """


class ListsOwnObjects(Ability):
    """The backend can name what it holds of ours, so that orphans are found."""

    METHODS: ClassVar[tuple[str, ...]] = ("list_volume_names", "list_snapshot_names")

    @abstractmethod
    def list_volume_names(self) -> set[str]:
        """The names (``volume-<id>``) of all volumes, finished ones only."""

    @abstractmethod
    def list_snapshot_names(self) -> set[str]:
        """The names (``snapshot-<id>``) of all snapshots, finished ones only."""


class ExportsSnapshots(Ability):
    """A snapshot itself can be offered to a consumer, for backups that copy nothing first."""

    METHODS: ClassVar[tuple[str, ...]] = (
        "create_export_snapshot",
        "initialize_connection_snapshot",
    )

    @abstractmethod
    def create_export_snapshot(
        self, context: object, snapshot: Snapshot, connector: Connector | None
    ) -> ModelUpdate | None:
        """Offer the snapshot's bytes for reading."""

    @abstractmethod
    def initialize_connection_snapshot(
        self, snapshot: Snapshot, connector: Connector, **kwargs: Any
    ) -> Mapping[str, Any]:
        """What the consumer needs to reach it: ``{"driver_volume_type", "data"}``."""


class RestoresBackups(Ability):
    """The backend makes a volume from a backup by itself, without a copy through this host."""

    METHODS: ClassVar[tuple[str, ...]] = ("create_volume_from_backup",)

    @abstractmethod
    def create_volume_from_backup(self, volume: Volume, backup: Backup) -> ModelUpdate | None:
        """Make the volume with the backup's bytes."""


class Replication(Ability):
    """The backend's volumes can be switched to another site (``replication_device``)."""

    METHODS: ClassVar[tuple[str, ...]] = ("failover_host",)

    @abstractmethod
    def failover_host(
        self,
        context: object,
        volumes: Sequence[Volume],
        secondary_id: str | None = None,
        groups: Sequence[Group] | None = None,
    ) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        """Switch to ``secondary_id`` (``default``: back to the first site).

        Returns the id now active, ``[{"volume_id", "updates"}]`` and ``[{"group_id",
        "updates"}]``.  Raises ``InvalidReplicationTarget``.
        """


class ActiveActiveReplication(Ability):
    """A switch of sites that all hosts of a cluster follow."""

    METHODS: ClassVar[tuple[str, ...]] = ("failover_completed",)

    @abstractmethod
    def failover_completed(self, context: object, active_backend_id: str | None = None) -> None:
        """Another host of the cluster has switched: use that site from now on."""


class GroupReplication(Ability):
    """Replication that is switched on, off and over for a whole group at one instant."""

    METHODS: ClassVar[tuple[str, ...]] = (
        "enable_replication",
        "disable_replication",
        "failover_replication",
    )

    @abstractmethod
    def enable_replication(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """Begin to replicate all of the group."""

    @abstractmethod
    def disable_replication(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """End it."""

    @abstractmethod
    def failover_replication(
        self,
        context: object,
        group: Group,
        volumes: Sequence[Volume],
        secondary_backend_id: str | None = None,
    ) -> MembersUpdate:
        """Switch the group to the other site."""


class Groups(Ability):
    """Snapshots and clones of several volumes as of one instant."""

    METHODS: ClassVar[tuple[str, ...]] = (
        "create_group",
        "delete_group",
        "create_group_snapshot",
        "delete_group_snapshot",
    )

    @abstractmethod
    def create_group(self, context: object, group: Group) -> ModelUpdate | None:
        """Make a group without members."""

    @abstractmethod
    def delete_group(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """Delete the group and its volumes."""

    @abstractmethod
    def create_group_snapshot(
        self, context: object, group_snapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """Snapshot all members at one instant."""

    @abstractmethod
    def delete_group_snapshot(
        self, context: object, group_snapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """Delete the snapshots."""


class ConsistencyGroups(Ability):
    """The older form of ``Groups``, asked for by the reserved group type."""

    METHODS: ClassVar[tuple[str, ...]] = (
        "create_consistencygroup",
        "delete_consistencygroup",
        "create_cgsnapshot",
        "delete_cgsnapshot",
    )

    @abstractmethod
    def create_consistencygroup(self, context: object, group: Group) -> ModelUpdate | None:
        """Make a consistency group without members."""

    @abstractmethod
    def delete_consistencygroup(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """Delete it and its volumes."""

    @abstractmethod
    def create_cgsnapshot(
        self, context: object, cgsnapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """Snapshot all members at one instant."""

    @abstractmethod
    def delete_cgsnapshot(
        self, context: object, cgsnapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """Delete the snapshots."""


class Group(Protocol):
    """What a driver reads of a group."""

    @property
    def id(self) -> str: ...


class GroupSnapshot(Protocol):
    """What a driver reads of a group's snapshot."""

    @property
    def id(self) -> str: ...


class Backup(Protocol):
    """What a driver reads of a backup that is being made or restored.

    ``previous_status`` is the volume's before the backup began; ``snapshot`` is set when a
    snapshot and not the volume's present bytes are backed up.
    """

    @property
    def id(self) -> str: ...
    @property
    def volume(self) -> Volume: ...
    @property
    def snapshot(self) -> Snapshot | None: ...
    @property
    def previous_status(self) -> str | None: ...


ABILITIES: Mapping[str, type] = MappingProxyType(
    {
        "active_active_replication": ActiveActiveReplication,
        "consistency_groups": ConsistencyGroups,
        "export_snapshots": ExportsSnapshots,
        "extend_in_use": ExtendInUse,
        "group_replication": GroupReplication,
        "groups": Groups,
        "list_own_objects": ListsOwnObjects,
        "replication": Replication,
        "restore_backups": RestoresBackups,
        "revert_to_snapshot": RevertToSnapshot,
    }
)
"""Every ability under the name that a backend's report has it by."""
