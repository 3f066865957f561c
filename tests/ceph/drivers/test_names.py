"""The names that code of the field imports and calls, and in which form; the rest of the directory
looks at what they do."""

from __future__ import annotations

import inspect

import pytest
from tests.ceph.drivers.workbench import Workbench

import breezeblock.drivers.rbd as package
from breezeblock.drivers.interface import (
    BaseVD,
    CloneableImageVD,
    ExtendInUse,
    ListsOwnObjects,
    ManageableSnapshotsVD,
    ManageableVD,
    MigrateVD,
    RevertToSnapshot,
)
from breezeblock.drivers.rbd import RBDDriver
from breezeblock.drivers.registry import create_driver

#: What is called with so many arguments by position.
METHODS = {
    "RBDProxy": 0,
    "_ceph_args": 0,
    "_clone": 4,
    "_connect_to_rados": 1,
    "_delete_backup_snaps": 2,
    "_delete_clone_parent_refs": 3,
    "_disconnect_from_rados": 2,
    "_ensure_tmp_exists": 0,
    "_flatten": 2,
    "_get_backup_snaps": 1,
    "_get_clone_depth": 3,
    "_get_clone_info": 3,
    "_get_fsid": 0,
    "_get_mon_addrs": 0,
    "_is_cloneable": 2,
    "_parse_location": 1,
    "_resize": 1,
    "_supports_layering": 0,
    "_update_volume_stats": 0,
    "backup_volume": 3,
    "check_for_setup_error": 0,
    "clone_image": 5,
    "copy_image_to_encrypted_volume": 4,
    "copy_image_to_volume": 4,
    "copy_volume_to_image": 4,
    "create_cloned_volume": 2,
    "create_export": 3,
    "create_snapshot": 1,
    "create_volume": 1,
    "create_volume_from_snapshot": 2,
    "delete_snapshot": 1,
    "delete_volume": 1,
    "do_setup": 1,
    "ensure_export": 2,
    "extend_volume": 2,
    "failover_host": 4,
    "get_manageable_volumes": 6,
    "get_volume_stats": 1,
    "initialize_connection": 2,
    "manage_existing": 2,
    "manage_existing_get_size": 2,
    "manage_existing_snapshot": 2,
    "manage_existing_snapshot_get_size": 2,
    "migrate_volume": 3,
    "remove_export": 2,
    "restore_backup": 4,
    "retype": 5,
    "terminate_connection": 2,
    "unmanage": 1,
    "update_migrated_volume": 4,
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name: str) -> None:
    signature = inspect.signature(getattr(RBDDriver, name))
    signature.bind(*range(METHODS[name] + 1))


def test_what_it_is() -> None:
    kinds = (BaseVD, CloneableImageVD, MigrateVD, ManageableVD, ManageableSnapshotsVD)
    abilities = (ExtendInUse, ListsOwnObjects, RevertToSnapshot)
    for kind in (*kinds, *abilities):
        assert issubclass(RBDDriver, kind), kind
    assert RBDDriver.SUPPORTS_ACTIVE_ACTIVE


def test_what_the_package_has() -> None:
    names = {"RADOSClient", "RBDDriver", "RBDImageIOWrapper", "RBDImageMetadata"}
    assert set(package.__all__) == names | {"RBDVolumeProxy", "ascii_str"}
    metadata = package.RBDImageMetadata("image", 1, None, "conf")
    assert (metadata.image, metadata.pool, metadata.user, metadata.conf) == (
        *("image", "1", None, "conf"),
    )


def test_how_a_configuration_names_it(bench: Workbench) -> None:
    for path in ("rbd", "cinder.volume.drivers.rbd.RBDDriver"):
        driver = create_driver(path, bench.options(), host="h@b", active_backend_id=None)
        assert type(driver) is RBDDriver


def test_replication_is_not_there_yet(driver: RBDDriver) -> None:
    assert not driver.supports_replication_feature("v2.1")
    with pytest.raises(NotImplementedError):
        driver.failover_host(None, [])
