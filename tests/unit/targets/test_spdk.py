"""SPDK: names, connection info, its protocol's failures, exports that were left half-made."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import target_labs
from tests.simulators import spdk as simulator
from tests.target_contract import MIB, host, new_volume
from tests.target_labs import Options, SpdkLab

from breezeblock.targets import spdk
from breezeblock.targets.errors import TargetCreateFailed, TargetError, TargetUnavailable
from breezeblock.targets.spdk_rpc import SpdkClient, SpdkEndpoint, SpdkError


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SpdkLab]:
    with target_labs.spdk_lab(tmp_path) as made:
        yield made


def changed(lab: SpdkLab, **options: object) -> spdk.SpdkNvmf:
    return spdk.create(dataclasses.replace(lab.options, **options))  # type: ignore[arg-type]


def test_location_and_first_connection_info(lab: SpdkLab) -> None:
    volume, _ = lab.export()
    assert volume.provider_id == "nqn.2010-10.org.openstack:cnode1"
    assert volume.provider_location == f"192.0.2.200:4420 tcp {volume.provider_id} 10"
    info = lab.target.initialize_connection(volume, host(1))
    assert info == {
        "driver_volume_type": "nvmeof",
        "data": {
            "target_portal": "192.0.2.200",
            "target_port": "4420",
            "nqn": volume.provider_id,
            "transport_type": "tcp",
            "ns_id": "10",
        },
    }
    (subsystem,) = lab.simulator.subsystems.values()
    assert 12 <= len(subsystem["serial_number"]) <= 20
    assert subsystem["namespaces"][0]["uuid"] == volume.id
    assert subsystem["allow_any_host"] is False


def test_second_connection_info_over_rdma(lab: SpdkLab) -> None:
    target = changed(
        lab,
        target_protocol="nvmet_rdma",
        nvmeof_conn_info_version=2,
        target_ip_address="2001:db8::1",
    )
    volume = new_volume()
    model = target.create_export(volume, str(lab.file(volume.name)))
    assert model["provider_location"] == (
        "[2001:db8::1]:4420 rdma nqn.2010-10.org.openstack:cnode1 10"
    )
    volume = dataclasses.replace(volume, **model)  # type: ignore[arg-type]
    assert target.initialize_connection(volume, host(1))["data"] == {
        "target_nqn": "nqn.2010-10.org.openstack:cnode1",
        "vol_uuid": volume.id,
        "portals": [("2001:db8::1", "4420", "RoCEv2")],
        "ns_id": "10",
    }
    (subsystem,) = lab.simulator.subsystems.values()
    assert subsystem["listen_addresses"][0]["adrfam"] == "IPv6"


def test_a_name_is_not_given_out_again(lab: SpdkLab) -> None:
    first, _ = lab.export()
    lab.target.remove_export(first)
    second, _ = lab.export()
    assert second.provider_id != first.provider_id
    # A volume that had a name gets it back.
    again, _ = lab.export(first)
    assert again.provider_id == first.provider_id


def test_what_others_made_is_left_alone(lab: SpdkLab) -> None:
    others = "nqn.2010-10.org.openstack:cnode1"
    lab.simulator.rpc_nvmf_create_subsystem(others)
    volume, _ = lab.export()
    assert volume.provider_id == "nqn.2010-10.org.openstack:cnode2"
    lab.target.remove_export(volume)
    assert list(lab.simulator.subsystems) == [others]
    assert lab.simulator.bdevs == {}


@pytest.mark.parametrize("calls", range(10))
def test_a_creation_that_broke_off_is_completed(lab: SpdkLab, calls: int) -> None:
    """SPDK goes away after so many calls; once it is back the same call succeeds."""
    volume = new_volume()
    path = lab.file(volume.name)
    answer = lab.simulator.answer

    def dying(request: simulator.Parameters) -> simulator.Parameters:
        lab.simulator.away = len(lab.simulator.calls) >= before + calls
        return answer(request)

    before = len(lab.simulator.calls)
    lab.simulator.answer = dying  # type: ignore[method-assign]
    with pytest.raises(TargetCreateFailed) as failed:
        lab.target.create_export(volume, str(path))
    assert failed.value.transient
    lab.simulator.answer = answer  # type: ignore[method-assign]
    lab.simulator.away = False
    volume, _ = lab.export(volume)
    with lab.attached(volume, host(1)):
        assert lab.reach(volume, host(1)) == 4 * MIB


def test_a_subsystem_that_lets_everybody_in_is_mended(lab: SpdkLab) -> None:
    volume, _ = lab.export()
    assert volume.provider_id
    lab.simulator.rpc_nvmf_subsystem_allow_any_host(volume.provider_id, True)
    lab.simulator.rpc_nvmf_subsystem_add_host(volume.provider_id, host(3)["nqn"])
    assert not lab.refuses(volume, host(2))
    assert lab.start().restore() == 1
    assert lab.refuses(volume, host(2))
    assert lab.refuses(volume, host(3))


def test_it_is_off(lab: SpdkLab) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = changed(lab, spdk_rpc_port=unused.getsockname()[1])
        with pytest.raises(TargetUnavailable) as failed:
            target.check_for_setup_error()
    assert failed.value.transient
    lab.simulator.away = True
    with pytest.raises(TargetUnavailable, match="500"):
        lab.start()


def test_it_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        client = SpdkClient(SpdkEndpoint(address="127.0.0.1", port=port, timeout=0.05))
        with pytest.raises(TargetUnavailable, match="timed out") as failed:
            client.call("nvmf_get_subsystems")
    assert failed.value.transient


def test_a_wrong_account_is_named(lab: SpdkLab) -> None:
    with pytest.raises(TargetError, match="spdk_rpc_username") as failed:
        changed(lab, spdk_rpc_password="wrong").check_for_setup_error()
    assert not failed.value.transient


def test_refusals_have_their_code(lab: SpdkLab) -> None:
    client = SpdkClient(
        SpdkEndpoint(
            address="127.0.0.1",
            port=lab.simulator.url_port,
            user=lab.simulator.user,
            password=lab.simulator.password,
        )
    )
    with pytest.raises(SpdkError, match="No such device") as failed:
        client.call("bdev_aio_delete", name="nothing")
    assert failed.value.code == -19
    with pytest.raises(SpdkError) as failed:
        client.call("no_such_method")
    assert failed.value.code == -32601
    assert "a secret" not in repr(client.__dict__)


def test_tls(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    key = tmp_path / "key.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
            *["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    with simulator.running(certificate=both) as running:
        options = Options(
            str(tmp_path / "volumes"),
            target_protocol="nvmet_tcp",
            spdk_rpc_port=running.url_port,
            spdk_rpc_username=running.user,
            spdk_rpc_password=running.password,
            spdk_rpc_protocol="https",
            driver_ssl_cert_verify=True,
        )
        with pytest.raises(TargetError, match="not trusted"):
            spdk.create(options).check_for_setup_error()
        options.driver_ssl_cert_path = str(certificate)
        spdk.create(options).check_for_setup_error()
        options.driver_ssl_cert_verify, options.driver_ssl_cert_path = False, None
        spdk.create(options).check_for_setup_error()


def test_names_that_nvme_does_not_have() -> None:
    assert spdk.nqn_prefix("nqn.2026-01.org.example") == "nqn.2026-01.org.example"
    with pytest.raises(TargetError, match="target_prefix"):
        spdk.nqn_prefix("something:")
    with pytest.raises(TargetError, match="spdk_rpc_ip"):
        spdk.create(Options("/nonexistent", spdk_rpc_ip=None, target_protocol="nvmet_tcp"))
