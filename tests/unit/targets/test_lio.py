"""LIO as far as it needs no kernel: names, records, options, what a port's name means."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.backend_options import backend_options

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution.command import CommandFailed, Completed
from breezeblock.targets.configfs import Configfs, ConfigfsError
from breezeblock.targets.errors import TargetError
from breezeblock.targets.kernel_modules import require_modules
from breezeblock.targets.lio import LioAdm
from breezeblock.targets.lio_backstore import Backstore, Backstores
from breezeblock.targets.lio_fc_ports import FibreChannelPorts, colon_wwpn, plain_wwpn
from breezeblock.targets.lio_fibre_channel import LioFibreChannel
from breezeblock.targets.lio_iscsi import IscsiExport
from breezeblock.targets.registry import create_fibre_channel_target, create_target

VOLUME = Volume(
    id="11111111-2222-3333-4444-555555555555",
    project_id="p",
    user_id="u",
    size=1,
    status="available",
)
EXPORT = IscsiExport(
    name=VOLUME.name,
    iqn=f"iqn.2010-10.org.openstack:{VOLUME.name}",
    path="/dev/vg/lv",
    serial=VOLUME.id,
    user="user",
    secret="sixteencharacter",
    portals=("10.0.0.1:3260", "[fd00::1]:3260"),
    initiators=("iqn.one", "iqn.two"),
)


def test_a_record_holds_all_of_an_export() -> None:
    assert IscsiExport.of(EXPORT.record()) == EXPORT
    assert "sixteencharacter" not in repr(EXPORT)


@pytest.mark.parametrize(("protocol", "told"), [("iscsi", "iSCSI"), ("iser", "iSER")])
def test_protocols(tmp_path: Path, protocol: str, told: str) -> None:
    options = backend_options(state_path=tmp_path, target_helper="lioadm", target_protocol=protocol)
    target = create_target(options)
    assert isinstance(target, LioAdm)
    assert target.storage_protocol == told
    assert target.list_exports() == []
    assert target.restore() == 0


def test_what_is_not_exported(tmp_path: Path) -> None:
    target = create_target(backend_options(state_path=tmp_path, target_helper="lioadm"))
    connector = {"initiator": "iqn.one"}
    located = dataclasses.replace(VOLUME, provider_location="10.0.0.1:3260,0 iqn.x 0")
    with pytest.raises(TargetError, match="not exported"):
        target.initialize_connection(located, connector)
    assert target.terminate_connection(VOLUME, connector) is False
    assert target.terminate_connection(VOLUME, connector, others=[connector]) is True
    with target.paused(VOLUME.name, "/dev/null"):
        assert not target.is_exported(VOLUME.name)
    target.extend_target(VOLUME, "/dev/null")


@pytest.mark.parametrize("path", ["/dev/a,b", "/dev/a\nb"])
def test_paths_the_kernel_would_misread(path: str) -> None:
    with pytest.raises(TargetError, match="cannot open"):
        Backstores(Configfs(Path("/nowhere"))).open(Backstore(name="v", path=path, serial="s"))


def test_configfs_says_what_it_was_at(tmp_path: Path) -> None:
    kernel = Configfs(tmp_path)
    with pytest.raises(ConfigfsError, match=r"set .*/enable: No such file") as caught:
        kernel.write(tmp_path / "enable", "secret")
    assert "secret" not in str(caught.value)
    assert kernel.read(tmp_path / "enable") is None
    assert kernel.make(tmp_path / "one") is True
    assert kernel.make(tmp_path / "one") is False
    kernel.link(tmp_path / "one" / "link", tmp_path)
    kernel.link(tmp_path / "one" / "link", tmp_path)
    assert kernel.links(tmp_path / "one") == [tmp_path / "one" / "link"]
    for _ in range(2):
        kernel.unlink(tmp_path / "one" / "link")
        kernel.remove(tmp_path / "one")
    assert kernel.names(tmp_path / "one") == []


def test_a_module_that_cannot_be_loaded() -> None:
    def refuse(command: object, **_: object) -> Completed:
        raise CommandFailed("modprobe", 1, "not found")

    with pytest.raises(TargetError, match="no_such_module cannot be loaded"):
        require_modules(refuse, ["no_such_module"])


# ---- fibre channel -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["200052540000FC01", "0x200052540000fc01", "naa.200052540000fc01", "20:00:52:54:00:00:fc:01"],
)
def test_port_names(text: str) -> None:
    assert plain_wwpn(text) == "200052540000fc01"
    assert colon_wwpn(plain_wwpn(text)) == "20:00:52:54:00:00:fc:01"


def test_nonsense_is_no_port_name() -> None:
    with pytest.raises(TargetError, match="world wide port name"):
        plain_wwpn("host7")


def _port(sysfs: Path, number: int, name: str, symbolic: str) -> Path:
    host = sysfs / "fc_host" / f"host{number}"
    host.mkdir(parents=True)
    (host / "port_name").write_text(f"0x{name}\n")
    (host / "symbolic_name").write_text(symbolic)
    return host


def test_ports_that_can_serve(tmp_path: Path) -> None:
    _port(tmp_path, 1, "2000525400000002", "fcoe v0.1 over eth1\n")
    _port(tmp_path, 2, "2000525400000001", "fcoe v0.1 over eth0\n")
    _port(tmp_path, 3, "2100001b32000000", "QLE2562 FW:v8\n")
    assert FibreChannelPorts(tmp_path).serving() == ("2000525400000001", "2000525400000002")


def test_fibre_channel_connectors(tmp_path: Path) -> None:
    target = create_fibre_channel_target(backend_options(state_path=tmp_path))
    assert isinstance(target, LioFibreChannel)
    assert target.storage_protocol == "FC"
    good = {"wwpns": ["200052540000fc01"], "wwnns": ["100052540000fc01"]}
    target.validate_connector(good)
    for missing in good:
        with pytest.raises(InvalidConnector, match=missing):
            target.validate_connector({**good, missing: []})
    same = {"wwpns": ["20:00:52:54:00:00:FC:01", "200052540000fc02"]}
    assert target.are_same_connector(good, same)
    assert not target.are_same_connector(good, {"wwpns": ["200052540000fc02"]})
    assert not target.are_same_connector({}, {})
