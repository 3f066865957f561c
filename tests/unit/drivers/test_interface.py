"""The contract by its names: what is abstract, what is refused, what does nothing."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from tests.backend_options import backend_options
from tests.unit.drivers.toy import CONNECTOR, SNAPSHOT, VOLUME

from breezeblock.drivers import abilities
from breezeblock.drivers.base import BaseVD
from breezeblock.drivers.errors import BackendMisconfigured
from breezeblock.drivers.interface import (
    CloneableImageVD,
    ManageableSnapshotsVD,
    ManageableVD,
    MigrateVD,
    VolumeDriver,
)

MANDATORY = {
    "check_for_setup_error",
    "create_volume",
    "delete_volume",
    "ensure_export",
    "create_export",
    "remove_export",
    "initialize_connection",
    "terminate_connection",
}
GROUP = object()

#: Method -> arguments.  A driver that overrides nothing cannot do any of these.
REFUSED: dict[str, tuple[Any, ...]] = {
    "check_for_setup_error": (),
    "create_volume": (VOLUME,),
    "create_volume_from_snapshot": (VOLUME, SNAPSHOT),
    "create_cloned_volume": (VOLUME, VOLUME),
    "create_volume_from_backup": (VOLUME, None),
    "delete_volume": (VOLUME,),
    "create_snapshot": (SNAPSHOT,),
    "delete_snapshot": (SNAPSHOT,),
    "local_path": (VOLUME,),
    "ensure_export": (None, VOLUME),
    "create_export": (None, VOLUME, CONNECTOR),
    "create_export_snapshot": (None, SNAPSHOT, CONNECTOR),
    "remove_export": (None, VOLUME),
    "remove_export_snapshot": (None, SNAPSHOT),
    "initialize_connection": (VOLUME, CONNECTOR),
    "extend_volume": (VOLUME, 3),
    "manage_existing": (VOLUME, {}),
    "manage_existing_get_size": (VOLUME, {}),
    "get_manageable_volumes": ([], None, 10, 0, [], []),
    "manage_existing_snapshot": (SNAPSHOT, {}),
    "manage_existing_snapshot_get_size": (SNAPSHOT, {}),
    "get_manageable_snapshots": ([], None, 10, 0, [], []),
    "revert_to_snapshot": (None, VOLUME, SNAPSHOT),
    "update_migrated_volume": (None, VOLUME, VOLUME, "available"),
    "failover_host": (None, [VOLUME]),
    "failover": (None, [VOLUME]),
    "enable_replication": (None, GROUP, [VOLUME]),
    "disable_replication": (None, GROUP, [VOLUME]),
    "failover_replication": (None, GROUP, [VOLUME]),
    "create_group": (None, GROUP),
    "delete_group": (None, GROUP, [VOLUME]),
    "update_group": (None, GROUP),
    "create_group_from_src": (None, GROUP, [VOLUME]),
    "create_group_snapshot": (None, GROUP, [SNAPSHOT]),
    "delete_group_snapshot": (None, GROUP, [SNAPSHOT]),
    "create_consistencygroup": (None, GROUP),
    "create_consistencygroup_from_src": (None, GROUP, [VOLUME]),
    "delete_consistencygroup": (None, GROUP, [VOLUME]),
    "update_consistencygroup": (None, GROUP),
    "create_cgsnapshot": (None, GROUP, [SNAPSHOT]),
    "delete_cgsnapshot": (None, GROUP, [SNAPSHOT]),
}

#: Method -> arguments and the answer of a driver that overrides nothing.
ANSWERED: dict[str, tuple[tuple[Any, ...], Any]] = {
    "do_setup": ((None,), None),
    "recover": ((), None),
    "get_version": ((), "N/A"),
    "get_driver_options": ((), ()),
    "get_pool": ((VOLUME,), None),
    "get_filter_function": ((), None),
    "get_goodness_function": ((), None),
    "get_default_filter_function": ((), None),
    "get_default_goodness_function": ((), None),
    "clone_image": ((None, VOLUME, None, {}, None), (None, False)),
    "clear_download": ((None, VOLUME), None),
    "migrate_volume": ((None, VOLUME, {}), (False, None)),
    "retype": ((None, VOLUME, None, {}, {}), (False, None)),
    "unmanage": ((VOLUME,), None),
    "unmanage_snapshot": ((SNAPSHOT,), None),
    "attach_volume": ((None, VOLUME, "i", "h", "/dev/vdb"), None),
    "detach_volume": ((None, VOLUME), None),
    "before_volume_copy": ((None, VOLUME, VOLUME), None),
    "after_volume_copy": ((None, VOLUME, VOLUME), None),
    "accept_transfer": ((None, VOLUME, "u", "p"), None),
    "update_provider_info": (([], []), (None, None)),
    "freeze_backend": ((None,), True),
    "thaw_backend": ((None,), True),
    "secure_file_operations_enabled": ((), False),
    "snapshot_revert_use_temp_snapshot": ((), True),
    "snapshot_remote_attachable": ((), False),
    "backup_use_temp_snapshot": ((), False),
    "validate_connector": ((CONNECTOR,), None),
    "validate_connector_has_setting": ((CONNECTOR, "initiator"), None),
    "terminate_connection": ((VOLUME, CONNECTOR), None),
    "initialize_connection_snapshot": ((SNAPSHOT, CONNECTOR), None),
    "terminate_connection_snapshot": ((SNAPSHOT, CONNECTOR), None),
    "get_replication_updates": ((None,), []),
    "get_replication_error_status": ((None, []), ([], [])),
    "supports_replication_feature": (("v2.1",), False),
    "get_prefixed_property": (("x",), None),
}


def bare(**options: object) -> VolumeDriver:
    return VolumeDriver(configuration=backend_options(**options), host="h@quick")


def test_the_base_is_abstract_in_what_every_backend_must_do() -> None:
    assert BaseVD.__abstractmethods__ >= MANDATORY
    assert BaseVD.__abstractmethods__ - MANDATORY == {"_collect_stats"}
    assert not inspect.isabstract(VolumeDriver)


@pytest.mark.parametrize("method", REFUSED)
def test_what_a_driver_leaves_out_is_not_implemented(method: str) -> None:
    with pytest.raises(NotImplementedError):
        getattr(bare(), method)(*REFUSED[method])


@pytest.mark.parametrize("method", ANSWERED)
def test_hooks_answer_for_a_driver_that_leaves_them_out(method: str) -> None:
    arguments, expected = ANSWERED[method]
    assert getattr(bare(), method)(*arguments) == expected


def test_the_mixins_by_themselves() -> None:
    assert CloneableImageVD.__abstractmethods__ == {"clone_image"}
    assert MigrateVD.__abstractmethods__ == {"migrate_volume"}
    assert ManageableVD.__abstractmethods__ == {
        "manage_existing",
        "manage_existing_get_size",
        "unmanage",
    }

    class Snapshots(ManageableSnapshotsVD):
        """Overrides nothing."""

    one = Snapshots()
    assert one.manage_existing_snapshot(SNAPSHOT, {}) is None
    assert one.manage_existing_snapshot_get_size(SNAPSHOT, {}) is None
    assert one.get_manageable_snapshots([], None, 1, 0, [], []) == []

    class Volumes(ManageableVD):
        """Only what it must."""

        def manage_existing(self, *_: Any) -> None:
            """Nothing."""

        def manage_existing_get_size(self, *_: Any) -> int:
            return 1

        def unmanage(self, *_: Any) -> None:
            """Nothing."""

    assert Volumes().get_manageable_volumes([], None, 1, 0, [], []) == []


def test_life() -> None:
    driver = bare()
    assert (driver.initialized, driver.supported) == (False, True)
    driver.set_initialized()
    assert driver.initialized
    assert not driver.SUPPORTS_ACTIVE_ACTIVE
    assert set(driver.target_mapping) == {
        *("fake", "ietadm", "lioadm", "tgtadm", "scstadmin", "iscsictl", "nvmet", "spdk-nvmeof")
    }


def test_abilities_are_found_by_type() -> None:
    class Reverting(VolumeDriver):
        """Only overrides, as an author who never heard of abilities would."""

        def revert_to_snapshot(self, context: object, volume: Any, snapshot: Any) -> None:
            """Done."""

    class Replicating(Reverting):
        """Two of them."""

        def failover_host(self, *_: Any, **__: Any) -> Any:
            return "there", [], []

    plain, reverting, replicating = (
        kind(configuration=backend_options(), host="h@quick")
        for kind in (VolumeDriver, Reverting, Replicating)
    )
    found = [
        {name for name, ability in abilities.ABILITIES.items() if isinstance(driver, ability)}
        for driver in (plain, reverting, replicating)
    ]
    assert found == [set(), {"revert_to_snapshot"}, {"revert_to_snapshot", "replication"}]
    assert replicating.supports_replication_feature("v2.1")
    assert not replicating.supports_replication_feature("a/a")
    assert not replicating.supports_replication_feature("nonsense")
    assert replicating.failover(None, []) == ("there", [], [])
    assert not replicating._is_base_method("failover_host")
    assert plain._is_base_method("failover_host")


def test_a_cluster_needs_replication_that_knows_it() -> None:
    class Clustered(VolumeDriver):
        """Switches with its cluster."""

        def failover_completed(self, context: object, active_backend_id: Any = None) -> None:
            """Done."""

    options = backend_options(replication_device="backend_id:other")
    with pytest.raises(BackendMisconfigured, match="cluster"):
        VolumeDriver(configuration=options, host="h@quick", cluster_name="c@quick")
    Clustered(configuration=options, host="h@quick", cluster_name="c@quick")
    VolumeDriver(configuration=options, host="h@quick")


def test_records_read_like_rows() -> None:
    assert (VOLUME["size"], VOLUME.get("name"), VOLUME.get("nothing", 3)) == (2, "volume-v1", 3)
    with pytest.raises(KeyError):
        VOLUME["nothing"]


def test_private_data_have_a_name_space() -> None:
    assert bare(driver_data_namespace="mine")._driver_data_namespace() == "mine"
    assert bare(volume_backend_name="shelf")._driver_data_namespace() == "shelf"
