"""The stock clients, each pointed to the service it can talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.clients.commands import WORKED, Program
from tests.service import Service, http_basic_service, noauth_service

from breezeblock.cli.block_storage import BlockStorage

__all__ = ["http_basic_service", "noauth_service"]

PROJECT = "demo"


@pytest.fixture
def openstack(http_basic_service: Service) -> Program:
    """``. openrc && openstack ...``"""
    return Program("openstack", http_basic_service)


@pytest.fixture
def cinder_by_openrc(http_basic_service: Service) -> Program:
    """``. openrc && cinder ...``: the function that hands over name and password."""
    return Program("cinder", http_basic_service)


def cinder_as(service: Service, project: str, version: str = "3.71") -> Program:
    """``cinder`` with its own ``noauth`` plug-in, as ann in ``project``."""
    variables = {
        "OS_AUTH_TYPE": "noauth",
        "OS_USER_ID": "ann",
        "OS_PROJECT_ID": project,
        "CINDER_ENDPOINT": f"{service.url}/v3",
        "OS_VOLUME_API_VERSION": version,
    }
    return Program("cinder", service, openrc=False, variables=variables)


@pytest.fixture
def cinder(noauth_service: Service) -> Program:
    return cinder_as(noauth_service, PROJECT)


@pytest.fixture
def api(http_basic_service: Service) -> Iterator[BlockStorage]:
    """The API of the service that ``openstack`` talks to, as the same user."""
    with http_basic_service.client() as client:
        yield client


@pytest.fixture
def noauth_api(noauth_service: Service) -> Iterator[BlockStorage]:
    """The API of the service that ``cinder`` talks to, in the same project."""
    with noauth_service.client(PROJECT) as client:
        yield client


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WORKED:
        terminalreporter.write_line(f"different commands of stock clients: {len(WORKED)}")
