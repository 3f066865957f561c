"""The methods a driver may leave out, under the names and with the answers of the field.

A ``placeholder`` says that the backend cannot do it, and the service then refuses or takes a
generic way; the others are hooks that have nothing to do here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.abilities import (
    Backup,
    Group,
    GroupSnapshot,
    MembersUpdate,
    is_implemented,
    placeholder,
)
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate

#: A host that a volume shall move to: ``{"host", "cluster_name", "capabilities"}``.
Host = dict[str, Any]


class Hooks:
    """What the service tells a driver; doing nothing is right for most."""

    def attach_volume(
        self,
        context: object,
        volume: Volume,
        instance_uuid: str | None,
        host_name: str | None,
        mountpoint: str | None,
    ) -> None:
        """A consumer has attached the volume."""

    def detach_volume(
        self, context: object, volume: Volume, attachment: object | None = None
    ) -> None:
        """A consumer has detached it."""

    def before_volume_copy(
        self, context: object, src_vol: Volume, dest_vol: Volume, remote: str | None = None
    ) -> None:
        """A migration is about to copy ``src_vol`` to ``dest_vol``."""

    def after_volume_copy(
        self, context: object, src_vol: Volume, dest_vol: Volume, remote: str | None = None
    ) -> None:
        """It has."""

    def accept_transfer(
        self, context: object, volume: Volume, new_user: str, new_project: str
    ) -> ModelUpdate | None:
        """The volume changes hands; what to remember."""
        return None

    def update_provider_info(
        self, volumes: Sequence[Volume], snapshots: Sequence[Snapshot]
    ) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
        """At start: provider ids that changed, ``[{"id", "provider_id"}]`` of each; or None."""
        return None, None

    def freeze_backend(self, context: object) -> bool:
        """No changes from now on.  Whether it worked."""
        return True

    def thaw_backend(self, context: object) -> bool:
        """Changes again.  Whether it worked."""
        return True

    def retype(
        self,
        context: object,
        volume: Volume,
        new_type: Any,
        diff: dict[str, Any],
        host: Host,
    ) -> bool | tuple[bool, ModelUpdate | None]:
        """Change the volume to ``new_type`` in place.  Whether it could, and what to remember.

        ``diff`` holds what differs: ``{"extra_specs": {key: (old, new)}, "qos_specs",
        "encryption"}``.
        """
        return False, None

    def migrate_volume(
        self, context: object, volume: Volume, host: Host
    ) -> tuple[bool, ModelUpdate | None]:
        """Move the volume without the service's help.  Whether it did, and what to remember."""
        return False, None

    def secure_file_operations_enabled(self) -> bool:
        """Whether files of volumes belong to an unprivileged user."""
        return False

    def snapshot_revert_use_temp_snapshot(self) -> bool:
        """Whether a revert is preceded by a snapshot of the present bytes."""
        return True

    def snapshot_remote_attachable(self) -> bool:
        """Whether other hosts can attach snapshots of this backend."""
        return False

    def remove_export_snapshot(self, context: object, snapshot: Snapshot) -> None:
        """Stop offering the snapshot; not offered is success."""

    def terminate_connection_snapshot(
        self, snapshot: Snapshot, connector: Connector | None, **kwargs: Any
    ) -> None:
        """End a consumer's use of the snapshot."""

    def get_replication_updates(self, context: object) -> list[dict[str, Any]]:
        """Older drivers' way to tell of replication; nothing."""
        return []

    def get_replication_error_status(
        self, context: object, groups: Sequence[Group]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Groups and volumes whose replication has failed: ``[{"group_id" or "volume_id",
        "replication_status"}]`` of each."""
        return [], []


class OptionalVerbs:
    """What a backend may be able to do."""

    @placeholder
    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate | None:
        """Make a volume with the source's bytes as of one point in time; it may be larger.

        When the volume's type asks for replication, the clone is replicated as well.
        """
        raise NotImplementedError

    @placeholder
    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """Grow to ``new_size`` GiB; already that large is success.

        Raises ``TargetUpdateFailed`` if only its consumers do not see it yet.
        """
        raise NotImplementedError

    @placeholder
    def manage_existing(self, volume: Volume, existing_ref: Any) -> ModelUpdate | None:
        """Take over what the backend has under ``existing_ref`` as ``volume``."""
        raise NotImplementedError

    @placeholder
    def unmanage(self, volume: Volume) -> None:
        """Let go of the volume; its bytes stay."""
        raise NotImplementedError

    @placeholder
    def update_migrated_volume(
        self, ctxt: object, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate | None:
        """After a copy by the service: give ``new_volume``'s object the name of ``volume``.

        Returns ``{"_name_id", "provider_location"}``.
        """
        raise NotImplementedError

    @placeholder
    def create_volume_from_backup(self, volume: Volume, backup: Backup) -> ModelUpdate | None:
        """See ``abilities.RestoresBackups``."""
        raise NotImplementedError

    @placeholder
    def create_export_snapshot(
        self, context: object, snapshot: Snapshot, connector: Connector | None
    ) -> ModelUpdate | None:
        """See ``abilities.ExportsSnapshots``."""
        raise NotImplementedError

    @placeholder
    def initialize_connection_snapshot(
        self, snapshot: Snapshot, connector: Connector, **kwargs: Any
    ) -> ConnectionInfo:
        """See ``abilities.ExportsSnapshots``."""
        raise NotImplementedError


class OptionalReplication:
    """Replication, see ``abilities``."""

    #: Feature -> the method that a driver with it overrides.
    REPLICATION_FEATURE_CHECKERS: ClassVar[Mapping[str, str]] = {
        "v2.1": "failover_host",
        "a/a": "failover_completed",
    }

    def supports_replication_feature(self, feature: str) -> bool:
        """Whether the driver has ``v2.1`` (switching sites) or ``a/a`` (in a cluster)."""
        method = self.REPLICATION_FEATURE_CHECKERS.get(feature)
        return method is not None and not self._is_base_method(method)

    def _is_base_method(self, method_name: str) -> bool:
        """Whether a method is only the base's placeholder."""
        return not is_implemented(type(self), method_name)

    @placeholder
    def failover_host(
        self,
        context: object,
        volumes: Sequence[Volume],
        secondary_id: str | None = None,
        groups: Sequence[Group] | None = None,
    ) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        """See ``abilities.Replication``."""
        raise NotImplementedError

    def failover(
        self,
        context: object,
        volumes: Sequence[Volume],
        secondary_id: str | None = None,
        groups: Sequence[Group] | None = None,
    ) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        """``failover_host`` in a cluster, where ``failover_completed`` follows on every host."""
        return self.failover_host(context, volumes, secondary_id, groups)

    @placeholder
    def failover_completed(self, context: object, active_backend_id: str | None = None) -> None:
        """See ``abilities.ActiveActiveReplication``."""
        raise NotImplementedError

    @placeholder
    def enable_replication(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """See ``abilities.GroupReplication``."""
        raise NotImplementedError

    @placeholder
    def disable_replication(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """See ``abilities.GroupReplication``."""
        raise NotImplementedError

    @placeholder
    def failover_replication(
        self,
        context: object,
        group: Group,
        volumes: Sequence[Volume],
        secondary_backend_id: str | None = None,
    ) -> MembersUpdate:
        """See ``abilities.GroupReplication``."""
        raise NotImplementedError


class OptionalGroups:
    """Groups, see ``abilities``; without them the service works volume by volume."""

    @placeholder
    def create_group(self, context: object, group: Group) -> ModelUpdate | None:
        """See ``abilities.Groups``."""
        raise NotImplementedError

    @placeholder
    def delete_group(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """See ``abilities.Groups``."""
        raise NotImplementedError

    @placeholder
    def update_group(
        self,
        context: object,
        group: Group,
        add_volumes: Sequence[Volume] | None = None,
        remove_volumes: Sequence[Volume] | None = None,
    ) -> tuple[ModelUpdate | None, list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
        """Change the members: updates of the group, of those added, of those removed."""
        raise NotImplementedError

    @placeholder
    def create_group_from_src(  # noqa: PLR0917 - the field's signature
        self,
        context: object,
        group: Group,
        volumes: Sequence[Volume],
        group_snapshot: GroupSnapshot | None = None,
        snapshots: Sequence[Snapshot] | None = None,
        source_group: Group | None = None,
        source_vols: Sequence[Volume] | None = None,
    ) -> MembersUpdate:
        """Make a group of the members' bytes in a group snapshot or in another group."""
        raise NotImplementedError

    @placeholder
    def create_group_snapshot(
        self, context: object, group_snapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """See ``abilities.Groups``."""
        raise NotImplementedError

    @placeholder
    def delete_group_snapshot(
        self, context: object, group_snapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """See ``abilities.Groups``."""
        raise NotImplementedError


class OptionalConsistencyGroups:
    """Consistency groups, see ``abilities``.

    An error of a member (``error``, ``error_deleting``) makes the whole's status unless that is
    one already; ``(None, None)`` says that all went well.
    """

    @placeholder
    def create_consistencygroup(self, context: object, group: Group) -> ModelUpdate | None:
        """See ``abilities.ConsistencyGroups``."""
        raise NotImplementedError

    @placeholder
    def create_consistencygroup_from_src(  # noqa: PLR0917 - the field's signature
        self,
        context: object,
        group: Group,
        volumes: Sequence[Volume],
        cgsnapshot: GroupSnapshot | None = None,
        snapshots: Sequence[Snapshot] | None = None,
        source_cg: Group | None = None,
        source_vols: Sequence[Volume] | None = None,
    ) -> MembersUpdate:
        """Make a consistency group of a snapshot of one, or of another one."""
        raise NotImplementedError

    @placeholder
    def delete_consistencygroup(
        self, context: object, group: Group, volumes: Sequence[Volume]
    ) -> MembersUpdate:
        """See ``abilities.ConsistencyGroups``."""
        raise NotImplementedError

    @placeholder
    def update_consistencygroup(
        self,
        context: object,
        group: Group,
        add_volumes: Sequence[Volume] | None = None,
        remove_volumes: Sequence[Volume] | None = None,
    ) -> tuple[ModelUpdate | None, list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
        """Change the members: updates of the group, of those added, of those removed."""
        raise NotImplementedError

    @placeholder
    def create_cgsnapshot(
        self, context: object, cgsnapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """See ``abilities.ConsistencyGroups``."""
        raise NotImplementedError

    @placeholder
    def delete_cgsnapshot(
        self, context: object, cgsnapshot: GroupSnapshot, snapshots: Sequence[Snapshot]
    ) -> MembersUpdate:
        """See ``abilities.ConsistencyGroups``."""
        raise NotImplementedError
