"""The pool ``volumes`` of the session's cluster for one test at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ceph.drivers.workbench import Workbench
from tests.ceph_lab.cluster import Cluster

from breezeblock.drivers.rbd import RBDDriver


@pytest.fixture
def bench(ceph: Cluster, tmp_path: Path) -> Iterator[Workbench]:
    """A workbench; the test leaves nothing behind in the pool."""
    bench = Workbench(ceph, tmp_path)
    yield bench
    try:
        bench.expect_nothing_left(bench.driver())
    finally:
        bench.wipe()


@pytest.fixture
def driver(bench: Workbench) -> RBDDriver:
    """A driver with the options' defaults."""
    return bench.driver()
