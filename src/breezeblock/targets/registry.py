"""Which target ``target_helper`` means, and how it is made of a backend's options."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from breezeblock.targets.errors import TargetError
from breezeblock.targets.fake import FakeTarget
from breezeblock.targets.interface import Target, TargetConfiguration
from breezeblock.targets.iscsi import Portals
from breezeblock.targets.tgt import TgtAdm, TgtSettings
from breezeblock.targets.tgt_daemon import TgtDaemon, TgtDaemonSettings

#: Helpers of the field that are not built yet.
_LATER = ("lioadm", "scstadmin", "iscsictl", "nvmet", "spdk-nvmeof", "ietadm")


class TargetFactoryConfiguration(TargetConfiguration, Protocol):
    """The options that choose and set up a target."""

    @property
    def target_helper(self) -> str: ...
    @property
    def iscsi_write_cache(self) -> str: ...
    @property
    def iscsi_target_flags(self) -> str: ...
    @property
    def report_discard_supported(self) -> bool: ...
    @property
    def state_path(self) -> str: ...
    @property
    def tgt_control_port(self) -> int: ...
    @property
    def tgt_daemon_managed(self) -> bool: ...
    @property
    def tgt_io_threads(self) -> int: ...


def create_target(configuration: TargetFactoryConfiguration) -> Target:
    """The target of a backend.  Touches nothing.  Raises ``TargetError``."""
    helper = configuration.target_helper
    if helper == "fake":
        return FakeTarget()
    if helper == "tgtadm":
        return _create_tgt(configuration)
    if helper in _LATER:
        raise TargetError(reason=f"target_helper '{helper}' is not supported yet. Set it to tgtadm")
    raise TargetError(reason=f"target_helper '{helper}' is unknown. Set it to tgtadm or fake")


def create_tgt_daemon(configuration: TargetFactoryConfiguration) -> TgtDaemon:
    """The tgtd that a backend with these options uses."""
    return TgtDaemon(
        TgtDaemonSettings(
            state_path=Path(configuration.state_path),
            portals=_portals(configuration).each,
            control_port=configuration.tgt_control_port,
            managed=configuration.tgt_daemon_managed,
            io_threads=configuration.tgt_io_threads,
        )
    )


def _create_tgt(configuration: TargetFactoryConfiguration) -> TgtAdm:
    if configuration.target_protocol != "iscsi":
        raise TargetError(
            reason=f"tgtadm does not speak target_protocol '{configuration.target_protocol}' "
            "yet. Set it to iscsi"
        )
    settings = TgtSettings(
        portals=_portals(configuration),
        target_prefix=configuration.target_prefix,
        volumes_dir=Path(configuration.volumes_dir),
        write_cache=configuration.iscsi_write_cache != "off",
        bsoflags=configuration.iscsi_target_flags or "",
        discard=configuration.report_discard_supported,
    )
    return TgtAdm(settings, create_tgt_daemon(configuration))


def _portals(configuration: TargetFactoryConfiguration) -> Portals:
    return Portals(
        (configuration.target_ip_address, *configuration.target_secondary_ip_addresses),
        configuration.target_port,
    )
