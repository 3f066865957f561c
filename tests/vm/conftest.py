"""Fixtures for tests in a guest of the lab, and the plug-in that brings them there.

On the host, the tests below this directory are only collected; see ``tests/vm_lab/plugin.py``.
In the guest they run as root, with two scratch disks ``/dev/vda`` and ``/dev/vdb`` (other guests:
``tests/vm_lab/profiles.py``), and may load modules, change /etc and start daemons at will.
To wait for something, use ``tests.vm_lab.polling.wait_until``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.vm_lab.environment import in_guest
from tests.vm_lab.plugin import GuestTests
from tests.vm_lab.polling import wait_until

from breezeblock.execution.command import run

HERE = Path(__file__).parent
#: The address that RDMA is reached at.
RDMA_ADDRESS = "10.9.0.1"
#: A block on one line would be misread: one keyword a line.
MULTIPATH_CONF = """\
defaults {
    user_friendly_names no
    find_multipaths no
    polling_interval 2
}
blacklist {
    devnode "^vd"
}
"""


def pytest_configure(config: pytest.Config) -> None:
    """On the host, hand the tests to guests."""
    if not in_guest():
        config.pluginmanager.register(GuestTests(config, HERE), "guest-tests")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Show the end of the kernel's log with what failed in a guest."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and in_guest():
        report.sections.append(("kernel log", run(["dmesg"]).text[-6000:]))
    return report  # type: ignore[return-value]


def load_modules(*names: str) -> None:
    """Load kernel modules; nothing happens if they are there."""
    run(["modprobe", "-a", *names])


@pytest.fixture(scope="session")
def modules() -> Callable[..., None]:
    """``modules("nvmet", "nvmet-tcp")`` loads kernel modules."""
    return load_modules


@contextmanager
def _volume_group(name: str, disk: str) -> Iterator[str]:
    run(["vgcreate", "--yes", name, disk])
    try:
        yield name
    finally:
        run(["vgremove", "--force", "--yes", name])
        run(["pvremove", "--yes", disk])
        # A device that somebody still holds open would have stayed.
        left = run(["lvs", "--noheadings", "--select", f"vg_name={name}"]).text
        mapped = run(["dmsetup", "ls"]).text
        assert not left.strip()
        assert name.replace("-", "--") + "-" not in mapped


@pytest.fixture(scope="module")
def volume_group() -> Iterator[str]:
    """The name of a fresh volume group of 8 GiB; it and all in it go after the module."""
    with _volume_group("bb-test", "/dev/vda") as name:
        yield name


@pytest.fixture(scope="module")
def second_volume_group(volume_group: str) -> Iterator[str]:
    """Another one, on the second disk of the default guest."""
    with _volume_group("bb-second", "/dev/vdb") as name:
        yield name


@pytest.fixture(scope="session")
def iscsid() -> Iterator[None]:
    """The iSCSI initiator: ``iscsiadm`` works. Sessions left over are ended."""
    load_modules("iscsi_tcp")
    run(["iscsid"])
    yield
    run(["iscsiadm", "-m", "node", "--logoutall=all"], accept=(0, 21))  # 21: no records
    run(["iscsiadm", "-k", "0"])


@pytest.fixture(scope="module")
def multipathd() -> Iterator[None]:
    """Device mapper multipath for every SCSI disk, even one with a single path."""
    Path("/etc/multipath.conf").write_text(MULTIPATH_CONF)
    load_modules("dm-multipath", "dm-service-time")
    run(["multipathd"])
    wait_until(lambda: run(["multipathd", "show", "daemon"], accept=(0, 1)).exit_code == 0)
    yield
    run(["multipath", "-F"], accept=(0, 1))
    run(["multipathd", "shutdown"])


@pytest.fixture(scope="session")
def soft_rdma() -> str:
    """RDMA in software over a dummy network card, and the address it is reached at.

    It stays until the guest's end: targets and initiators hold on to it.
    """
    load_modules("rdma_rxe")
    # Not dummy0: the module makes that by itself, if systemd's configuration does not forbid it.
    run(["ip", "link", "add", "card0", "type", "dummy"])
    run(["ip", "address", "add", f"{RDMA_ADDRESS}/24", "dev", "card0"])
    run(["ip", "link", "set", "card0", "up"])
    run(["rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "card0"])
    return RDMA_ADDRESS
