"""The RBD driver passes the whole kit on a real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ceph.forgetful import forgetful
from tests.ceph_lab.cluster import Cluster
from tests.conformance import kit


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_conforms(ceph: Cluster, tmp_path: Path) -> None:
    with forgetful(ceph, tmp_path) as conf:
        answer = kit.run(
            tmp_path,
            volume_driver="rbd",
            rbd_pool="volumes",
            rbd_user="cinder",
            rbd_ceph_conf=conf,
            rados_connect_timeout=20,
            # So that the kit sees what is left behind.
            rbd_exclusive_cinder_pool=False,
        )
    answer.expect_conforming()
    assert set(answer.reasons) == {
        "the backend is thin or does not tell its free space: no size is too large",
        "the driver asks nothing of a consumer",
        "the driver has not the ability ExportsSnapshots",
    }
    assert ceph.ask_rbd("ls", "volumes") == []
    assert ceph.ask_rbd("trash", "ls", "volumes") == []
