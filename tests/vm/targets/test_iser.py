"""iSER by LIO, over RDMA in software."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.vm.targets.consumers import (
    BLOCK,
    Options,
    after,
    block,
    disk,
    initiator_name,
    log_in,
    log_out,
    logical_volume,
    lvm,
    read_directly,
    session_state,
    volume,
    write_directly,
)
from tests.vm_lab.polling import wait_until

from breezeblock.execution.command import run
from breezeblock.targets.registry import create_target


def test_data_over_iser(
    tmp_path: Path,
    volume_group: str,
    iscsid: None,
    soft_rdma: str,
    modules: Callable[..., None],
) -> None:
    modules("ib_iser")
    options = Options(
        volumes_dir=str(tmp_path / "volumes"), target_protocol="iser", target_ip_address=soft_rdma
    )
    target = create_target(options)
    target.check_for_setup_error()
    fresh, portal = volume(), f"{soft_rdma}:3260"
    path = logical_volume(volume_group, fresh.name)
    one = after(fresh, target.create_export(fresh, path))
    assert log_in(one, portal=portal, transport="iser") == 24
    info = target.initialize_connection(one, {"initiator": initiator_name()})
    assert info["driver_volume_type"] == "iser"
    assert info["data"]["target_portal"] == portal
    assert log_in(one, portal=portal, transport="iser") == 0
    assert "Iface Transport: iser" in run(["iscsiadm", "-m", "session", "-P", "1"]).text
    wait_until(disk(one, portal).exists)
    write_directly(disk(one, portal), 0, block(1))
    assert read_directly(path, 0, BLOCK) == block(1)
    # Made right, not anew.
    assert after(fresh, target.create_export(one, path)) == one
    assert session_state(one) == "LOGGED_IN"
    target.terminate_connection(one, {"initiator": initiator_name()})
    wait_until(lambda: session_state(one) != "LOGGED_IN")
    log_out(one)
    target.remove_export(one)
    lvm("lvremove", path)
