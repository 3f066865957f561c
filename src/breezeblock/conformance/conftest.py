"""Fixtures of the kit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from breezeblock.config.settings import ConfigurationError, load
from breezeblock.conformance.backend import Backend
from breezeblock.conformance.bench import Bench, broken
from breezeblock.conformance.plugin import FINDINGS, Findings
from breezeblock.conformance.volume_data import VolumeData, local_path
from breezeblock.drivers.abilities import ABILITIES
from breezeblock.drivers.interface import ListsOwnObjects, VolumeDriver


@pytest.fixture(scope="session")
def backend(pytestconfig: pytest.Config) -> Backend:
    """The backend that the options name."""
    name = pytestconfig.getoption("--breezeblock-backend")
    if not name:
        pytest.exit("name the backend to test: --breezeblock-backend NAME", returncode=4)
    paths = [Path(path) for path in pytestconfig.getoption("--breezeblock-config") or ()]
    files = [path for path in paths if not path.is_dir()]
    try:
        settings = load(files or None, [path for path in paths if path.is_dir()])
    except ConfigurationError as error:
        pytest.exit(f"the configuration cannot be used: {error}", returncode=4)
    if name not in settings.backends:
        known = ", ".join(settings.backends)
        pytest.exit(f"no enabled backend is called {name}; there are: {known}", returncode=4)
    return Backend(settings, name)


@pytest.fixture(scope="session")
def driver(backend: Backend, pytestconfig: pytest.Config) -> Iterator[VolumeDriver]:
    """A started driver, the same for all tests that need no fresh one."""
    driver = backend.started()
    before = _names(driver)
    pytestconfig.stash[FINDINGS] = Findings(
        backend=backend.name,
        driver=f"{type(driver).__module__}.{type(driver).__qualname__}",
        version=driver.get_version(),
        abilities={name: isinstance(driver, ability) for name, ability in ABILITIES.items()},
        holds_bytes=_holds_bytes(backend, driver),
    )
    yield driver
    if lost := before - _names(driver):
        broken("a driver touches only what it is told to", f"gone: {', '.join(sorted(lost))}")


@pytest.fixture
def bench(backend: Backend, driver: VolumeDriver) -> Iterator[Bench]:
    """A workbench; what is made on it is deleted after the test."""
    bench = Bench(backend, driver)
    yield bench
    bench.clear()


@pytest.fixture
def holds_bytes(driver: VolumeDriver, pytestconfig: pytest.Config) -> bool:
    """Whether the backend stores anything that outlives its driver."""
    return pytestconfig.stash[FINDINGS].holds_bytes


@pytest.fixture
def data(holds_bytes: bool, pytestconfig: pytest.Config) -> VolumeData:
    """Access to the volumes' bytes; the test is skipped where there are none."""
    if not holds_bytes:
        pytest.skip("the backend holds no bytes")
    return VolumeData(whole=pytestconfig.getoption("--breezeblock-full"))


def _names(driver: VolumeDriver) -> set[str]:
    """All that the backend lists."""
    if not isinstance(driver, ListsOwnObjects):
        return set()
    return driver.list_volume_names() | driver.list_snapshot_names()


def _holds_bytes(backend: Backend, driver: VolumeDriver) -> bool:
    """What the driver says in ``SURVIVES_PROCESS``, else whether a new volume can be found.

    A pretending backend names a local path at which nothing is.
    """
    declared = getattr(type(driver), "SURVIVES_PROCESS", None)
    if declared is not None:
        return bool(declared)
    bench = Bench(backend, driver)
    volume = bench.created()
    try:
        path = local_path(driver, volume)
        return path is None or Path(path).exists()
    finally:
        bench.clear()
