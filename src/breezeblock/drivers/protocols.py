"""Bases of drivers whose volumes are reached by one protocol: iSCSI, iSER, fibre channel.

They bring the connection info and the check of the connector; storage is the heir's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.execution.command import CommandError
from breezeblock.targets import iscsi
from breezeblock.targets.interface import ConnectionInfo, Connector, Target
from breezeblock.targets.registry import create_target

#: One line of a sendtargets discovery: ``<ip>:<port>,<portal group> <target name>``.
_DISCOVERED = re.compile(r"(?P<portal>\S+),(?P<group>\d+) (?P<iqn>\S+)")


class _ProtocolDriver(VolumeDriver):
    """A driver that knows its protocol and, by itself, no capacity."""

    STORAGE_PROTOCOL = ""
    GENERIC_NAME = ""

    def _collect_stats(self) -> dict[str, Any]:
        return self._update_pools_and_stats(
            {
                "volume_backend_name": self.configuration.volume_backend_name or self.GENERIC_NAME,
                "vendor_name": "Open Source",
                "driver_version": "1.0",
                "storage_protocol": self.STORAGE_PROTOCOL,
            }
        )


class ISCSIDriver(_ProtocolDriver):
    """Volumes offered as iSCSI targets.

    ``provider_location`` is ``<ip>:<port>[;<ip>:<port>...],<portal group> <target IQN> [<lun>]``,
    ``provider_auth`` is ``<auth method> <user> <secret>`` with CHAP as the only method
    (RFC 7143).
    """

    STORAGE_PROTOCOL = "iSCSI"
    GENERIC_NAME = "Generic_iSCSI"

    def get_target_admin(self) -> Target:
        """What runs the target tool that ``target_helper`` names.  Raises ``TargetError``."""
        options: Any = self.configuration
        return create_target(options)

    def validate_connector(self, connector: Connector) -> None:
        if not connector.get("initiator"):
            raise InvalidConnector(missing="initiator")

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """The target, portals, LUN and credentials of the volume's record.

        A record without a location is completed by a discovery at the volume's host.
        """
        if volume.provider_location:
            return iscsi.connection_info(
                volume, connector, self._volume_type(), default_lun=self._default_lun()
            )
        return {
            "driver_volume_type": self._volume_type(),
            "data": self._discovered_properties(volume),
        }

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool | None:
        return None

    def _volume_type(self) -> str:
        options: Any = self.configuration
        return str(options.target_protocol)

    def _default_lun(self) -> int:
        """tgt keeps LUN 0 for itself."""
        options: Any = self.configuration
        return 1 if options.target_helper == "tgtadm" else 0

    def _discovered_properties(self, volume: Volume) -> dict[str, Any]:
        portal, iqn = self._do_iscsi_discovery(volume)
        data: dict[str, Any] = {
            "target_discovered": True,
            "target_portal": portal,
            "target_iqn": iqn,
            "target_lun": self._default_lun(),
            "volume_id": volume.id,
            "encrypted": volume.encrypted,
        }
        credentials = iscsi.parse_auth(volume.provider_auth)
        if credentials is not None:
            data["auth_method"] = "CHAP"
            data["auth_username"], data["auth_password"] = credentials
        return data

    def _do_iscsi_discovery(self, volume: Volume) -> tuple[str, str]:
        """Portal and name of the volume's target, asked of the portals of its host."""
        address = (volume.host or "").partition("@")[0]
        answer = self._iscsiadm(["-m", "discovery", "-t", "sendtargets", "-p", address])
        for match in _DISCOVERED.finditer(answer):
            if match["iqn"].endswith(volume.name):
                return match["portal"], match["iqn"]
        raise VolumeBackendError(
            reason=f"no iSCSI target of {volume.name} is offered at {address}. Export it anew"
        )

    def _run_iscsiadm(
        self, iscsi_properties: Mapping[str, Any], iscsi_command: Sequence[str]
    ) -> str:
        """Run iscsiadm on the record of one target at one portal; its output."""
        target = ["-T", iscsi_properties["target_iqn"], "-p", iscsi_properties["target_portal"]]
        return self._iscsiadm(["-m", "node", *target, *iscsi_command])

    def _iscsiadm(self, arguments: Sequence[str]) -> str:
        try:
            return self._execute(["iscsiadm", *arguments]).text
        except CommandError as failure:
            raise VolumeBackendError(reason=str(failure), transient=True) from failure


class ISERDriver(ISCSIDriver):
    """The same over RDMA (RFC 7145); the options are those that begin with ``iser_``."""

    STORAGE_PROTOCOL = "iSER"
    GENERIC_NAME = "Generic_iSER"

    def get_target_admin(self) -> Target:
        options: Any = _IserOptions(self.configuration)
        return create_target(options)

    def _volume_type(self) -> str:
        return "iser"

    def _default_lun(self) -> int:
        options: Any = self.configuration
        return 1 if options.iser_helper == "tgtadm" else 0


class _IserOptions:
    """A backend's options, with what iSER names differently under the general names."""

    _NAMES: Mapping[str, str] = {
        "target_prefix": "iser_target_prefix",
        "target_ip_address": "iser_ip_address",
        "target_port": "iser_port",
        "target_helper": "iser_helper",
        "num_volume_device_scan_tries": "num_iser_scan_tries",
    }

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    @property
    def target_protocol(self) -> str:
        return "iser"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._configuration, self._NAMES.get(name, name))


class FibreChannelDriver(_ProtocolDriver):
    """Volumes offered by fibre channel.

    ``initialize_connection`` is the heir's: ``{"driver_volume_type": "fibre_channel", "data":
    {"target_discovered", "target_lun", "target_wwn", "access_mode", "initiator_target_map"}}``,
    ``target_wwn`` one WWPN (16 hexadecimal digits) or a list.
    """

    STORAGE_PROTOCOL = "FC"
    GENERIC_NAME = "Generic_FC"

    def validate_connector(self, connector: Connector) -> None:
        """The consumer has to name its ports (``wwpns``) and nodes (``wwnns``)."""
        for setting in ("wwpns", "wwnns"):
            self.validate_connector_has_setting(connector, setting)

    @staticmethod
    def validate_connector_has_setting(connector: Connector, setting: str) -> None:
        if not connector.get(setting):
            raise InvalidConnector(missing=setting)
