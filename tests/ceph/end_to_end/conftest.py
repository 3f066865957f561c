"""A whole service on the real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.ceph.end_to_end.images import Images, backend, looking
from tests.ceph_lab.cluster import Cluster
from tests.cloud import Cloud, cloud


@pytest.fixture(scope="module")
def service(ceph: Cluster) -> Iterator[Cloud]:
    """A service with one backend for each way in which clones are made."""
    backends = {
        "deep": backend(ceph),
        "shallow": backend(ceph, rbd_max_clone_depth=2),
        "full": backend(ceph, rbd_max_clone_depth=0),
        "flat": backend(ceph, rbd_pool="volumes2", rbd_flatten_volume_from_snapshot=True),
        "later": backend(ceph, rbd_pool="volumes2", enable_deferred_deletion=True),
    }
    with cloud(backends) as made:
        yield made


@pytest.fixture
def images(ceph: Cluster) -> Iterator[Images]:
    """The volumes' bytes; at the test's end all volumes must be gone without a trace."""
    with looking(ceph) as images:
        yield images
