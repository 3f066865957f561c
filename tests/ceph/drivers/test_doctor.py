"""`breezeblock doctor` on a Ceph backend: what is wrong, and what to do about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ceph.drivers.workbench import POOL
from tests.ceph_lab.cluster import Cluster

Doctor = Callable[..., str]


@pytest.fixture
def doctor(ceph: Cluster, tmp_path: Path) -> Doctor:
    """Runs it on a backend with these options."""

    def report(**options: object) -> str:
        values = {
            "volume_driver": "rbd",
            "rbd_ceph_conf": ceph.conf,
            "rbd_user": "cinder",
            "rbd_pool": POOL,
            "rados_connect_timeout": 2,
            "rados_connection_retries": 1,
            **options,
        }
        lines = ["[DEFAULT]", "enabled_backends = tested", f"state_path = {tmp_path / 'state'}"]
        lines += ["[tested]", *(f"{name} = {value}" for name, value in values.items())]
        file = tmp_path / "breezeblock.conf"
        file.write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "breezeblock.cli.main", "doctor", "--config-file"]
        done = subprocess.run(
            [*command, str(file)], capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout + done.stderr

    return report


def test_a_backend_that_works(doctor: Doctor) -> None:
    assert "backend [tested] (rbd):" in doctor()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rbd_ceph_conf": "/nowhere.conf"}, "there is no Ceph configuration file /nowhere.conf"),
        ({"rbd_user": "nobody"}, "no keyring of client.nobody"),
        ({"rbd_pool": "no-such-pool"}, "ceph osd pool create no-such-pool"),
    ],
)
def test_what_is_wrong(doctor: Doctor, options: dict[str, str], words: str) -> None:
    report = doctor(**options)
    assert "backend [tested] does not work" in report
    assert words in " ".join(report.split())


def test_a_mute_cluster(doctor: Doctor, own_ceph: Cluster) -> None:
    with own_ceph.paused("mon"):
        report = doctor(rbd_ceph_conf=own_ceph.conf)
    assert "look at `ceph status`" in " ".join(report.split())
