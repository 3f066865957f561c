"""A real Ceph cluster for all tests of the part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.ceph_lab.cluster import Cluster
from tests.vm_lab.scratch import scratch_directory


@contextmanager
def new_cluster() -> Iterator[Cluster]:
    """A cluster that runs, of which nothing is left afterwards."""
    with scratch_directory("breezeblock-ceph-") as directory, Cluster(directory / "lab") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def ceph() -> Iterator[Cluster]:
    """One cluster for the session.  A test that stops or kills its daemons takes its own."""
    with new_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own_ceph() -> Iterator[Cluster]:
    """A cluster that a module may stop and kill at will."""
    with new_cluster() as cluster:
        yield cluster
