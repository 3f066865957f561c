"""Volumes on LVM thin and thick, by tgt, LIO and NVMe over TCP, with a real initiator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cloud import Cloud, cloud
from tests.vm.end_to_end.life import Backends, Consumer, initiator, live, nothing_left

LOCKS = Path("/run/scratch/locks")
TARGETS: Backends = {
    "tgt": {"target_helper": "tgtadm", "target_port": 3260},
    "lio": {
        "target_helper": "lioadm",
        "target_port": 3261,
        "target_secondary_ip_addresses": "127.0.0.2",
    },
    "nvme": {"target_helper": "nvmet", "target_protocol": "nvmet_tcp", "target_port": 4420},
}


@pytest.fixture(scope="module")
def groups(volume_group: str, second_volume_group: str) -> dict[str, str]:
    """The volume group of each kind of volume."""
    return {"thin": volume_group, "default": second_volume_group}


@pytest.fixture(scope="module")
def service(groups: dict[str, str], iscsid: None, modules: Callable[..., None]) -> Iterator[Cloud]:
    """One service with a backend of every kind and target."""
    # Before os-brick looks what this host can do.
    modules("nvme-tcp")
    backends = {
        f"{kind}-{target}": {
            "volume_driver": "cinder.volume.drivers.lvm.LVMVolumeDriver",
            "volume_group": group,
            "lvm_type": kind,
            "target_ip_address": "127.0.0.1",
            **options,
        }
        for kind, group in groups.items()
        for target, options in TARGETS.items()
    }
    with cloud(backends) as made:
        yield made


@pytest.fixture(scope="module")
def consumer(service: Cloud) -> Consumer:
    return Consumer(service, initiator(LOCKS))


@pytest.mark.parametrize("kind", ["thin", "default"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_volumes_life(
    service: Cloud, consumer: Consumer, groups: dict[str, str], kind: str, target: str
) -> None:
    live(service, consumer, f"{kind}-{target}")
    nothing_left(*groups.values())


def test_two_paths_to_one_volume(service: Cloud, groups: dict[str, str], multipathd: None) -> None:
    consumer = Consumer(service, initiator(LOCKS, multipath=True))
    assert consumer.connector["multipath"]
    live(service, consumer, "thin-lio")
    nothing_left(*groups.values())
