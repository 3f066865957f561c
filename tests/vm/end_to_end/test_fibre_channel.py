"""Fibre channel for real: FCoE between two cards of the guest, and volumes on LVM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cloud import Cloud, cloud
from tests.vm.end_to_end.life import Consumer, initiator, live_briefly, nothing_left
from tests.vm.fibre_channel_fabric import INITIATOR, TARGET, port, wait_for_target, wipe_targets

pytestmark = [
    pytest.mark.guest("fibre_channel"),
]


@pytest.fixture(scope="module")
def service(volume_group: str, modules: Callable[..., None]) -> Iterator[Cloud]:
    modules("e1000", "fcoe", "tcm_fc")
    backend = {
        "volume_driver": "lvm-fc",
        "volume_group": volume_group,
        "lvm_type": "thin",
        "fc_target_wwpns": TARGET,
        "fc_initiator_wwpns": INITIATOR,
    }
    with port(TARGET):
        with cloud({"fc": backend}) as made, port(INITIATOR):
            wait_for_target()
            yield made
        wipe_targets()


def test_a_volumes_life(service: Cloud, volume_group: str) -> None:
    consumer = Consumer(service, initiator(Path("/run/scratch/locks")))
    assert set(consumer.connector["wwpns"]) == {INITIATOR, TARGET}
    live_briefly(service, consumer, "fc")
    nothing_left(volume_group)
