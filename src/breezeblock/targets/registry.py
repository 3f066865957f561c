"""Which target the options of a backend mean; modules are imported when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from breezeblock.targets.errors import TargetError
from breezeblock.targets.interface import Target, TargetConfiguration

#: ``target_helper`` -> the class of its target; its module's ``create`` makes one.
HELPERS: Mapping[str, str] = MappingProxyType(
    {
        "fake": "breezeblock.targets.fake.FakeTarget",
        "ietadm": "breezeblock.targets.iet.IetAdm",
        "iscsictl": "breezeblock.targets.chelsio.CxtAdm",
        "lioadm": "breezeblock.targets.lio.LioAdm",
        "nvmet": "breezeblock.targets.nvmet.NVMET",
        "scstadmin": "breezeblock.targets.scst.SCSTAdm",
        "spdk-nvmeof": "breezeblock.targets.spdk.SpdkNvmf",
        "tgtadm": "breezeblock.targets.tgt.TgtAdm",
    }
)

#: ``target_protocol`` -> the helpers that speak it.
_SPEAKERS = {
    "iscsi": ("tgtadm", "lioadm", "scstadmin", "iscsictl", "ietadm", "fake"),
    "iser": ("tgtadm", "lioadm", "fake"),
    "nvmet_tcp": ("nvmet", "spdk-nvmeof"),
    "nvmet_rdma": ("nvmet", "spdk-nvmeof"),
}

_FIBRE_CHANNEL = "breezeblock.targets.lio_fibre_channel"


def create_target(configuration: TargetConfiguration) -> Target:
    """The target of a backend; nothing outside is touched yet.

    Raises ``TargetError`` for a helper that is unknown, that does not speak the protocol asked
    for, or that lacks what the options ask of it.
    """
    helper, protocol = configuration.target_helper, configuration.target_protocol
    if helper not in HELPERS:
        raise TargetError(
            reason=f"target_helper '{helper}' is unknown. Set it to one of: "
            + ", ".join(sorted(HELPERS))
        )
    speakers = _SPEAKERS.get(protocol, ())
    if helper not in speakers:
        raise TargetError(
            reason=f"target_helper '{helper}' does not speak target_protocol '{protocol}'. "
            f"These do: {', '.join(speakers)}"
        )
    target = _factory(HELPERS[helper].rpartition(".")[0])(configuration)
    if configuration.target_secondary_ip_addresses and not target.secondary_ip_support:
        raise TargetError(
            reason=f"target_helper '{helper}' offers volumes at one address only. Remove "
            "target_secondary_ip_addresses, or use another helper"
        )
    if configuration.lvm_share_target and not target.shared_target_support:
        raise TargetError(
            reason=f"target_helper '{helper}' has no targets that volumes share. Remove "
            "lvm_share_target, or set target_helper to nvmet"
        )
    return target


def create_fibre_channel_target(configuration: TargetConfiguration) -> Target:
    """The fibre channel target of a backend (the kernel's tcm_fc).  Raises ``TargetError``."""
    return _factory(_FIBRE_CHANNEL)(configuration)


def _factory(module: str) -> Callable[[TargetConfiguration], Target]:
    return cast(Callable[[TargetConfiguration], Target], import_module(module).create)
