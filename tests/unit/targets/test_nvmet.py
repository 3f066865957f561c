"""nvmet as far as it needs no kernel: names, locations, connection information, options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.backend_options import backend_options

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.targets.errors import TargetError
from breezeblock.targets.nvmet import NVMET
from breezeblock.targets.nvmet_connection import connection_info, location
from breezeblock.targets.nvmet_kernel import Port, ports_of_record, ports_record, serial_of
from breezeblock.targets.nvmet_shared import NvmetShared
from breezeblock.targets.registry import create_target

UUID = "11111111-2222-3333-4444-555555555555"
NQN = f"nqn.2010-10.org.openstack-{UUID}"
TCP = (Port(1, "10.0.0.1", "4420", "tcp"), Port(2, "fd00::1", "4420", "tcp"))


def options(tmp_path: Path, **values: object) -> Any:
    wanted = {"target_helper": "nvmet", "target_protocol": "nvmet_tcp", **values}
    return backend_options(state_path=tmp_path, **wanted)


def test_the_location_names_all_addresses() -> None:
    assert location(TCP, NQN, 10) == f"10.0.0.1,fd00::1:4420 tcp {NQN} 10"


def test_the_first_shape_of_connection_information() -> None:
    assert connection_info(TCP[:1], NQN, 10, UUID, 1) == {
        "driver_volume_type": "nvmeof",
        "data": {
            "target_portal": "10.0.0.1",
            "target_port": "4420",
            "nqn": NQN,
            "transport_type": "tcp",
            "ns_id": "10",
        },
    }


@pytest.mark.parametrize(("transport", "told"), [("tcp", "tcp"), ("rdma", "RoCEv2")])
def test_the_second_shape_of_connection_information(transport: str, told: str) -> None:
    ports = [Port(1, "10.0.0.1", "4420", transport), Port(2, "10.0.0.2", "4420", transport)]
    assert connection_info(ports, NQN, 10, UUID, 2) == {
        "driver_volume_type": "nvmeof",
        "data": {
            "target_nqn": NQN,
            "vol_uuid": UUID,
            "portals": [("10.0.0.1", "4420", told), ("10.0.0.2", "4420", told)],
            "ns_id": "10",
        },
    }


def test_ports_in_a_record() -> None:
    assert ports_of_record({"ports": ports_record(TCP)}) == TCP
    assert [port.attributes["addr_adrfam"] for port in TCP] == ["ipv4", "ipv6"]


def test_a_serial_number_has_room_for_20_characters() -> None:
    assert serial_of(UUID) == "11111111222233334444"


def test_options_choose_the_kind(tmp_path: Path) -> None:
    own = create_target(options(tmp_path))
    shared = create_target(options(tmp_path, lvm_share_target=True))
    assert type(own) is NVMET
    assert type(shared) is NvmetShared
    assert own.storage_protocol == shared.storage_protocol == "NVMe-oF"
    for target in (own, shared):
        assert target.list_exports() == []
        assert target.restore() == 0


def test_secondary_addresses_need_the_second_shape(tmp_path: Path) -> None:
    several = {"target_secondary_ip_addresses": ["10.0.0.2"], "target_protocol": "nvmet_rdma"}
    with pytest.raises(TargetError, match="nvmeof_conn_info_version to 2"):
        create_target(options(tmp_path, **several))
    create_target(options(tmp_path, **several, nvmeof_conn_info_version=2))


def test_connectors(tmp_path: Path) -> None:
    own = create_target(options(tmp_path))
    shared = create_target(options(tmp_path, lvm_share_target=True))
    own.validate_connector({"nqn": "nqn.one"})
    with pytest.raises(InvalidConnector, match="nqn"):
        own.validate_connector({"initiator": "iqn.one", "host": "one"})
    with pytest.raises(InvalidConnector, match="host"):
        shared.validate_connector({"nqn": "nqn.one"})
    assert own.are_same_connector({"nqn": "nqn.one"}, {"nqn": "nqn.one", "host": "one"})
    assert not own.are_same_connector({}, {})


def test_a_shared_volume_is_nowhere_until_a_host_asks(tmp_path: Path) -> None:
    target = create_target(options(tmp_path, lvm_share_target=True))
    volume = Volume(id=UUID, project_id="p", user_id="u", size=1, status="available")
    assert target.create_export(volume, "/dev/vg/lv") == {"provider_location": "/dev/vg/lv"}
    assert target.is_exported(volume.name)
    with target.paused(volume.name, "/dev/vg/lv"):
        assert target.list_exports() == [volume.name]
    assert target.terminate_connection(volume, {"nqn": "nqn.one", "host": "one"}) is False
    target.remove_export(volume)
    assert target.list_exports() == []
