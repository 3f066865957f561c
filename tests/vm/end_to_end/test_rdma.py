"""iSER and NVMe over RDMA, on LVM, over software RDMA, with a real initiator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cloud import Cloud, cloud
from tests.vm.end_to_end.life import Backends, Consumer, initiator, live_briefly, nothing_left

TARGETS: Backends = {
    "iser": {"target_helper": "lioadm", "target_protocol": "iser", "target_port": 3260},
    "nvme": {
        "target_helper": "nvmet",
        "target_protocol": "nvmet_rdma",
        "target_port": 4420,
        # Port 1 may still be that of other tests, by TCP.
        "nvmet_port_id": 2,
    },
}


@pytest.fixture(scope="module")
def service(
    volume_group: str, iscsid: None, soft_rdma: str, modules: Callable[..., None]
) -> Iterator[Cloud]:
    modules("ib_iser", "nvme-rdma")
    backends = {
        name: {
            "volume_driver": "lvm",
            "volume_group": volume_group,
            "lvm_type": "thin",
            "target_ip_address": soft_rdma,
            **options,
        }
        for name, options in TARGETS.items()
    }
    with cloud(backends) as made:
        yield made


@pytest.mark.parametrize("target", TARGETS)
def test_a_volumes_life(service: Cloud, volume_group: str, soft_rdma: str, target: str) -> None:
    consumer = Consumer(service, initiator(Path("/run/scratch/locks"), address=soft_rdma))
    live_briefly(service, consumer, target)
    nothing_left(volume_group)
