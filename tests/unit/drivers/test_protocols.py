"""The bases by protocol: iSCSI, iSER, fibre channel, and the fakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import pytest
from tests.backend_options import backend_options
from tests.unit.drivers.toy import CONNECTOR, VOLUME

from breezeblock.domain.errors import InvalidConnector
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.protocol_fakes import FakeISCSIDriver, FakeISERDriver
from breezeblock.drivers.protocols import FibreChannelDriver, ISCSIDriver, ISERDriver
from breezeblock.execution.command import Completed, Execute

LOCATION = "10.0.0.1:3260;10.0.0.2:3260,1 iqn.2010-10.org.openstack:volume-v1"


def located(lun: str = " 3", auth: str | None = "CHAP user secret") -> Any:
    return dataclasses.replace(VOLUME, provider_location=LOCATION + lun, provider_auth=auth)


def driver_of(kind: Any, **options: object) -> Any:
    return kind(configuration=backend_options(**options), host="h@quick")


def test_iscsi_by_location() -> None:
    info = driver_of(ISCSIDriver).initialize_connection(located(), CONNECTOR)
    iqn = "iqn.2010-10.org.openstack:volume-v1"
    assert info == {
        "driver_volume_type": "iscsi",
        "data": {
            "target_discovered": False,
            "target_portal": "10.0.0.1:3260",
            "target_iqn": iqn,
            "target_lun": 3,
            "target_portals": ["10.0.0.1:3260", "10.0.0.2:3260"],
            "target_iqns": [iqn, iqn],
            "target_luns": [3, 3],
            "volume_id": "v1",
            "auth_method": "CHAP",
            "auth_username": "user",
            "auth_password": "secret",
            "encrypted": False,
        },
    }


@pytest.mark.parametrize(("helper", "lun"), [("tgtadm", 1), ("lioadm", 0)])
def test_the_lun_of_a_location_without_one(helper: str, lun: int) -> None:
    info = driver_of(ISCSIDriver, target_helper=helper).initialize_connection(
        located(lun=""), CONNECTOR
    )
    assert info["data"]["target_lun"] == lun


def discovering(answer: str) -> Execute:
    def execute(command: Any, **_: Any) -> Completed:
        assert command == ["iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", "h"]
        return Completed(0, answer.encode(), "")

    return cast(Execute, execute)


def test_iscsi_by_discovery() -> None:
    answer = "10.0.0.9:3260,1 iqn.x:other\n10.0.0.9:3260,1 iqn.x:volume-v1\n"
    driver = ISCSIDriver(discovering(answer), configuration=backend_options(), host="h@quick")
    volume = dataclasses.replace(VOLUME, provider_auth="CHAP user secret")
    data: Mapping[str, Any] = driver.initialize_connection(volume, CONNECTOR)["data"]
    assert (data["target_discovered"], data["target_iqn"]) == (True, "iqn.x:volume-v1")
    assert (data["target_portal"], data["auth_password"]) == ("10.0.0.9:3260", "secret")
    lost = ISCSIDriver(discovering(""), configuration=backend_options(), host="h@quick")
    with pytest.raises(VolumeBackendError, match="no iSCSI target"):
        lost.initialize_connection(volume, CONNECTOR)


def test_iscsi_asks_for_an_initiator() -> None:
    driver = driver_of(ISCSIDriver)
    driver.validate_connector(CONNECTOR)
    with pytest.raises(InvalidConnector):
        driver.validate_connector({"host": "here"})


def test_iser() -> None:
    driver = driver_of(ISERDriver, iser_helper="tgtadm", iser_port=3333)
    info = driver.initialize_connection(located(lun=""), CONNECTOR)
    assert (info["driver_volume_type"], info["data"]["target_lun"]) == ("iser", 1)
    assert driver.get_volume_stats()["storage_protocol"] == "iSER"
    assert driver.get_target_admin().storage_protocol == "iSER"


def test_target_admin() -> None:
    target = driver_of(ISCSIDriver, target_helper="fake").get_target_admin()
    assert type(target).__name__ == "FakeTarget"


@pytest.mark.parametrize("missing", ["wwpns", "wwnns"])
def test_fibre_channel_asks_for_ports_and_nodes(missing: str) -> None:
    connector = {"wwpns": ["50014380186b3f65"], "wwnns": ["50014380186b3f64"]}
    driver = driver_of(FibreChannelDriver)
    driver.validate_connector(connector)
    with pytest.raises(InvalidConnector, match=missing):
        driver.validate_connector({**connector, missing: []})
    with pytest.raises(NotImplementedError):
        driver.initialize_connection(VOLUME, connector)


@pytest.mark.parametrize(
    ("kind", "name", "protocol"),
    [
        (ISCSIDriver, "Generic_iSCSI", "iSCSI"),
        (ISERDriver, "Generic_iSER", "iSER"),
        (FibreChannelDriver, "Generic_FC", "FC"),
    ],
)
def test_generic_stats(kind: Any, name: str, protocol: str) -> None:
    stats = driver_of(kind).get_volume_stats()
    assert (stats["vendor_name"], stats["driver_version"]) == ("Open Source", "1.0")
    assert stats["storage_protocol"] == protocol
    assert stats["volume_backend_name"] in (name, "quick")


@pytest.mark.parametrize(("kind", "type_"), [(FakeISCSIDriver, "iscsi"), (FakeISERDriver, "iser")])
def test_the_fakes_work_without_a_backend(kind: Any, type_: str) -> None:
    driver = driver_of(kind)
    driver.check_for_setup_error()
    driver.create_volume(VOLUME)
    info = driver.initialize_connection(VOLUME, CONNECTOR)
    assert info["driver_volume_type"] == type_
    assert info["data"]["volume_id"] == "v1"
    driver.terminate_connection(VOLUME, CONNECTOR)
    assert driver._try_execute("rm", "-rf", "/") is True
    assert kind.fake_execute(["anything"]).exit_code == 0
