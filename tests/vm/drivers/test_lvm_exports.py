"""Logical volumes in use over iSCSI while they are changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from tests import tgtd
from tests.vm.drivers import lvm_lab
from tests.vm.drivers.lvm_lab import GIB, Options, size, snapshot_of, started, volume

from breezeblock.drivers.errors import VolumeIsBusy

CONNECTOR = {"initiator": "iqn.1994-05.com.example:one"}
OTHER = {"initiator": "iqn.1994-05.com.example:two"}
BLOCKS = 16


@pytest.fixture
def options(volume_group: str) -> Iterator[Options]:
    with tgtd.options() as exported:
        made = Options(
            **{
                **dataclasses.asdict(exported),
                "volume_backend_name": "lvm",
                "volume_group": volume_group,
                "lvm_type": "default",
                "volume_clear_size": 1,
            }
        )
        yield made
    lvm_lab.clean(volume_group)


def test_a_thick_volume_in_use(options: Options) -> None:
    """Snapshots are of one instant, and a growing origin loses no write."""
    driver, one = started(options), volume()
    driver.create_volume(one)
    driver.validate_connector(CONNECTOR)
    model = driver.create_export(None, one, CONNECTOR)
    assert model
    one = dataclasses.replace(one, **model)  # type: ignore[arg-type]
    assert driver.initialize_connection(one, CONNECTOR)["driver_volume_type"] == "iscsi"
    writer = tgtd.Writer(tgtd.url(one), BLOCKS)
    writer.wait_for(10)

    snapshot, before = snapshot_of(one), writer.acknowledged
    driver.create_snapshot(snapshot)
    after = len(writer.log)
    writer.wait_for(5)
    seen = tgtd.blocks_of(driver.vg.path(f"_{snapshot.name}"), BLOCKS)
    assert seen in [writer.state_after(count) for count in range(before, after + 1)]

    driver.extend_volume(one, 2)
    writer.wait_for(5)
    with pytest.raises(VolumeIsBusy):
        driver.delete_volume(one)
    state = writer.stop()
    assert tgtd.blocks_of(driver.local_path(one), BLOCKS) == state
    assert size(driver, one) == 2 * GIB

    assert driver.ensure_export(None, one)
    assert driver.terminate_connection(one, CONNECTOR, force=False, others=[OTHER]) is True
    assert driver.terminate_connection(one, CONNECTOR) is False
    driver.remove_export(None, one)
    driver.remove_export(None, one)
    driver.delete_snapshot(snapshot)
    driver.delete_volume(one)
    assert lvm_lab.logical_volumes(options.volume_group) == set()
