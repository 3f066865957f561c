"""The names that operators' files and drivers' users know."""

from __future__ import annotations

import inspect
import socket
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from tests import tgtd
from tests.unit.drivers.lvm import captured
from tests.unit.drivers.lvm.test_commands import Script
from tests.vm.drivers.lvm_lab import Options

from breezeblock.config.lvm import LVM_OPTIONS
from breezeblock.domain.errors import InvalidConnector
from breezeblock.drivers.interface import (
    ExtendInUse,
    ListsOwnObjects,
    ManageableSnapshotsVD,
    ManageableVD,
    MigrateVD,
    RevertToSnapshot,
)
from breezeblock.drivers.lvm.commands import Lvm
from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.drivers.lvm.fibre_channel import LVMFibreChannelDriver
from breezeblock.drivers.lvm.volume_group import VolumeGroup
from breezeblock.drivers.protocols import FibreChannelDriver
from breezeblock.targets import fake

#: Method -> its arguments, as the reference names them.
CONTRACT = {
    "check_for_setup_error": "",
    "create_volume": "volume",
    "delete_volume": "volume",
    "create_snapshot": "snapshot",
    "delete_snapshot": "snapshot",
    "create_volume_from_snapshot": "volume snapshot",
    "create_cloned_volume": "volume src_vref",
    "clone_image": "context volume image_location image_meta image_service",
    "copy_image_to_volume": "context volume image_service image_id disable_sparse",
    "copy_volume_to_image": "context volume image_service image_meta",
    "create_export": "context volume connector vg",
    "ensure_export": "context volume",
    "remove_export": "context volume",
    "initialize_connection": "volume connector",
    "terminate_connection": "volume connector kwargs",
    "validate_connector": "connector",
    "extend_volume": "volume new_size",
    "local_path": "volume vg",
    "get_pool": "volume",
    "get_volume_stats": "refresh",
    "manage_existing": "volume existing_ref",
    "manage_existing_get_size": "volume existing_ref",
    "manage_existing_object_get_size": "existing_object existing_ref object_type",
    "manage_existing_snapshot": "snapshot existing_ref",
    "manage_existing_snapshot_get_size": "snapshot existing_ref",
    "get_manageable_volumes": "cinder_volumes marker limit offset sort_keys sort_dirs",
    "get_manageable_snapshots": "cinder_snapshots marker limit offset sort_keys sort_dirs",
    "migrate_volume": "ctxt volume host thin mirror_count",
    "update_migrated_volume": "ctxt volume new_volume original_volume_status",
    "retype": "context volume new_type diff host",
    "revert_to_snapshot": "context volume snapshot",
}


def options(tmp_path: Path, **changed: Any) -> Options:
    return Options(
        state_path=str(tmp_path),
        volumes_dir=str(tmp_path),
        file_volumes_directory="",
        target_port=3260,
        volume_group="a-b",
        **changed,
    )


def driver(tmp_path: Path, *answers: str, **changed: Any) -> LVMVolumeDriver:
    return LVMVolumeDriver(
        Script(*answers), configuration=options(tmp_path, **changed), host="here@lvm"
    )


@pytest.mark.parametrize(("method", "arguments"), CONTRACT.items())
def test_names(method: str, arguments: str) -> None:
    found = inspect.signature(getattr(LVMVolumeDriver, method)).parameters
    assert [name for name in found if name != "self"] == arguments.split()


def test_constants_and_abilities(tmp_path: Path) -> None:
    made = driver(tmp_path)
    assert (made.VERSION, made.CI_WIKI_NAME) == ("3.0.0", "Cinder_Jenkins")
    assert made.SUPPORTS_ACTIVE_ACTIVE is False
    for ability in (
        *(ExtendInUse, ListsOwnObjects, RevertToSnapshot),
        *(ManageableVD, ManageableSnapshotsVD, MigrateVD),
    ):
        assert isinstance(made, ability)
    assert made.clone_image(None, tgtd.volume(), None, {}, None) == (None, False)  # type: ignore[arg-type]


def test_the_group_may_be_given(tmp_path: Path) -> None:
    given = VolumeGroup("other", Lvm(Script(), options(tmp_path)))
    made = LVMVolumeDriver(Script(), vg_obj=given, configuration=options(tmp_path), host="here@lvm")
    assert made.vg is given


def test_paths(tmp_path: Path) -> None:
    one = tgtd.volume()
    name = one.name.replace("-", "--")
    assert driver(tmp_path).local_path(one) == f"/dev/mapper/a--b-{name}"
    assert driver(tmp_path).local_path(one, "c-d") == f"/dev/mapper/c--d-{name}"


def test_stats(tmp_path: Path) -> None:
    made = driver(tmp_path, captured.fullreport(), reserved_percentage=7)
    found = made.get_volume_stats()
    (pool,) = found["pools"]
    assert found["volume_backend_name"] == pool["pool_name"] == "lvm"
    assert made.get_pool(tgtd.volume()) == "lvm"
    assert (found["driver_version"], found["storage_protocol"]) == ("3.0.0", "iSCSI")
    assert pool["location_info"] == f"LVMVolumeDriver:{socket.gethostname()}:a-b:default:0"
    assert pool["reserved_percentage"] == 7
    assert pool["thick_provisioning_support"] is not pool["thin_provisioning_support"]
    assert (pool["QoS_support"], pool["multiattach"]) == (False, True)
    assert made.pools == [pool]


def test_fibre_channel(tmp_path: Path) -> None:
    configuration = options(tmp_path)
    made = LVMFibreChannelDriver(
        Script(), configuration=configuration, host="here@fc", target=fake.create(configuration)
    )
    assert isinstance(made, LVMVolumeDriver | FibreChannelDriver)
    with pytest.raises(InvalidConnector, match="wwpns"):
        made.validate_connector({"initiator": "iqn.x"})


def test_options() -> None:
    conf = cfg.ConfigOpts()
    conf.register_opts(LVM_OPTIONS, group="lvm")
    conf([], default_config_files=[], default_config_dirs=[])
    assert {option.name: conf.lvm[option.name] for option in LVM_OPTIONS} == {
        "volume_group": "cinder-volumes",
        "lvm_mirrors": 0,
        "lvm_type": "auto",
        "lvm_conf_file": "/etc/cinder/lvm.conf",
        "lvm_suppress_fd_warnings": False,
        "lvm_clear_new_volumes": True,
    }
    with pytest.raises(ValueError, match="fat"):
        conf.set_override("lvm_type", "fat", group="lvm")
