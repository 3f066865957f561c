"""Labs for the target contract: the real tgtd, and simulators of what cannot run here."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import tgtd
from tests.simulators import chelsio as chelsio_simulator
from tests.simulators import iet as iet_simulator
from tests.simulators import program
from tests.simulators import scst as scst_simulator
from tests.simulators import spdk as spdk_simulator
from tests.target_contract import Lab

from breezeblock.domain.resources import Volume
from breezeblock.execution.command import run
from breezeblock.targets import chelsio, fake, iet, scst, spdk
from breezeblock.targets.interface import Connector, Target


@dataclasses.dataclass
class Options:
    """A backend's options, as a target gets them."""

    volumes_dir: str
    target_helper: str = ""
    target_prefix: str = "iqn.2010-10.org.openstack:"
    target_ip_address: str = "192.0.2.200"
    target_port: int = 3260
    target_secondary_ip_addresses: list[str] = dataclasses.field(default_factory=list)
    target_protocol: str = "iscsi"
    lvm_share_target: bool = False
    chap_username: str = ""
    chap_password: str = ""
    scst_target_iqn_name: str | None = None
    scst_target_driver: str = "iscsi"
    chiscsi_conf: str = ""
    iet_conf: str = ""
    iscsi_iotype: str = "auto"
    spdk_rpc_ip: str | None = "127.0.0.1"
    spdk_rpc_port: int = 8000
    spdk_rpc_username: str | None = None
    spdk_rpc_password: str | None = None
    spdk_rpc_protocol: str = "http"
    spdk_max_queue_depth: int = 64
    nvmet_ns_id: int = 10
    nvmeof_conn_info_version: int = 1
    driver_ssl_cert_verify: bool = False
    driver_ssl_cert_path: str | None = None


class FakeLab(Lab):
    """Nothing is offered, so nobody is asked."""

    def start(self) -> Target:
        return fake.create(Options(str(self.directory)))

    def forget(self) -> None:
        """Nothing is known."""

    def reach(self, volume: Volume, connector: Connector) -> int:
        raise PermissionError


class TgtLab(Lab):
    """The real daemon, with libiscsi's initiator."""

    admits_by_consumer = False
    holds_back = True

    def __init__(self, options: tgtd.Options) -> None:
        self.options = options
        super().__init__(Path(options.state_path))

    def start(self) -> Target:
        return tgtd.target_of(self.options)

    def forget(self) -> None:
        tgtd.daemon_of(self.options).stop()

    def reach(self, volume: Volume, connector: Connector) -> int:
        done = subprocess.run(
            ["iscsi-readcapacity16", "-s", tgtd.url(volume)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise PermissionError(done.stderr)
        return int(done.stdout)

    def command_lines(self) -> str:
        pid = tgtd.daemon_of(self.options).pid()
        return Path(f"/proc/{pid}/cmdline").read_text()


class SpdkLab(Lab):
    """A server that answers as SPDK's proxy does."""

    has_chap = False

    def __init__(self, directory: Path, simulator: spdk_simulator.SpdkSimulator) -> None:
        self.simulator = simulator
        self.options = Options(
            str(directory / "volumes"),
            target_protocol="nvmet_tcp",
            target_port=4420,
            spdk_rpc_port=simulator.url_port,
            spdk_rpc_username=simulator.user,
            spdk_rpc_password=simulator.password,
        )
        super().__init__(directory)

    def start(self) -> Target:
        target = spdk.create(self.options)
        target.check_for_setup_error()
        return target

    def forget(self) -> None:
        self.simulator.restart()

    def reach(self, volume: Volume, connector: Connector) -> int:
        assert volume.provider_id
        if not self.simulator.may_connect(volume.provider_id, connector["nqn"]):
            raise PermissionError
        (namespace,) = self.simulator.subsystems[volume.provider_id]["namespaces"]
        bdev = self.simulator.bdevs[namespace["bdev_name"]]
        return int(bdev["num_blocks"] * bdev["block_size"])


class ProgramLab(Lab):
    """A target whose program is a simulator on PATH, with its state in ``simulated``."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.simulated = directory / "simulated"
        self.options = dataclasses.replace(
            Options(
                str(directory / "volumes"),
                chiscsi_conf=str(directory / "chiscsi.conf"),
                iet_conf=str(self.simulated / "etc" / "ietd.conf"),
            ),
            **changes,
        )
        self.prepare(directory, monkeypatch)
        super().__init__(directory)

    def prepare(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Install the program and what it needs."""
        raise NotImplementedError

    def make(self) -> Target:
        """The target on the present options."""
        raise NotImplementedError

    def start(self) -> Target:
        target = self.make()
        target.check_for_setup_error()
        return target

    def command_lines(self) -> str:
        return program.calls(self.simulated)


class ScstLab(ProgramLab):
    def prepare(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program.install(self.simulated, monkeypatch, scstadmin="scst")
        self.conf = directory / "scst.conf"

    def make(self) -> Target:
        return scst.create(self.options, run, self.conf)

    def forget(self) -> None:
        scst_simulator.restart(self.simulated)

    def reach(self, volume: Volume, connector: Connector) -> int:
        _, iqn, lun = str(volume.provider_location).split()
        account = str(volume.provider_auth).removeprefix("CHAP ")
        luns = scst_simulator.seen(self.simulated, iqn, connector["initiator"], account)
        if int(lun) not in luns:
            raise PermissionError("logged in, but there is nothing to see")
        return scst_simulator.size(self.simulated, Path(luns[int(lun)]).stem.split("-moved")[0])


class IetLab(ProgramLab):
    def prepare(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program.install(self.simulated, monkeypatch, ietadm="iet")
        iet_simulator.start(self.simulated)
        (self.simulated / "etc").mkdir()

    def make(self) -> Target:
        return iet.create(self.options, run, self.simulated / "proc")

    def forget(self) -> None:
        iet_simulator.start(self.simulated)

    def reach(self, volume: Volume, connector: Connector) -> int:
        _, iqn, lun = str(volume.provider_location).split()
        units = iet_simulator.login(
            self.simulated,
            iqn,
            connector["initiator"],
            connector["ip"],
            str(volume.provider_auth).removeprefix("CHAP "),
        )
        return int(units[int(lun)]["size"])

    def leave(self, connector: Connector) -> None:
        iet_simulator.logout(self.simulated, connector["initiator"])

    def command_lines(self) -> str:
        """ietadm takes an account on its command line alone; that one exception is looked over."""
        lines = super().command_lines().splitlines()
        return "\n".join(line for line in lines if "--user" not in line)


class ChelsioLab(ProgramLab):
    def prepare(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program.install(self.simulated, monkeypatch, iscsictl="chelsio")
        Path(self.options.chiscsi_conf).write_text("global:\n\tiscsi_auth_order=ACL\n")

    def make(self) -> Target:
        return chelsio.create(self.options)

    def forget(self) -> None:
        chelsio_simulator.restart(self.simulated)

    def reach(self, volume: Volume, connector: Connector) -> int:
        _, iqn, _ = str(volume.provider_location).split()
        account = str(volume.provider_auth).removeprefix("CHAP ")
        chelsio_simulator.login(self.simulated, iqn, connector["initiator"], account)
        return chelsio_simulator.size(self.simulated, iqn)


@contextmanager
def tgt_lab() -> Iterator[TgtLab]:
    tgtd.need("tgtd", "iscsi-inq")
    with tgtd.options() as options:
        yield TgtLab(options)


@contextmanager
def spdk_lab(directory: Path) -> Iterator[SpdkLab]:
    with spdk_simulator.running() as simulator:
        yield SpdkLab(directory, simulator)
