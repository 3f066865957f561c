"""This host as a consumer of volumes: attach and detach by os-brick.

The only module that knows os-brick, which is imported when the first volume is attached: it is
heavy, and most workers copy without it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breezeblock.drivers.errors import DeviceUnavailable, VolumeBackendError

LOG = logging.getLogger(__name__)

_set_up = threading.Lock()
_is_set_up = False

#: ``driver_volume_type`` -> os-brick's name of the protocol, where that differs by more than case.
_PROTOCOLS = {"nvmeof": "NVMEOF", "iser": "ISER", "fibre_channel": "FIBRE_CHANNEL"}
#: By Ceph's defaults, the first is five minutes, even for a wrong key; the others are none.
_CEPH_LIMITS = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")


@dataclass(frozen=True, slots=True)
class AttachedDevice:
    """A volume that this host has attached.

    ``connection`` is ``{"driver_volume_type", "data"}``, ``device`` what os-brick said of it;
    ``path`` is the block device (or, for network protocols in user space, os-brick's handle).
    """

    connection: Mapping[str, Any]
    device: Mapping[str, Any]
    connector: Any

    @property
    def path(self) -> Any:
        return self.device["path"]


class _Unshown(str):
    """A secret that os-brick's traces do not know to mask."""

    def __repr__(self) -> str:
        return "'***'"


class Initiator:
    """Attaches volumes to this host.

    ``lock_directory`` serialises os-brick between the processes of this host, ``address`` is
    told as this host's, ``scan_tries`` is how often a device is looked for, ``ceph_timeout``
    how many seconds a Ceph cluster may be mute.
    """

    def __init__(
        self,
        lock_directory: Path,
        *,
        address: str,
        multipath: bool = False,
        enforce_multipath: bool = False,
        scan_tries: int = 3,
        ceph_timeout: int = 60,
    ) -> None:
        self._locks = lock_directory
        self._address = address
        self._multipath = multipath
        self._enforce = enforce_multipath
        self._tries = scan_tries
        # os-brick writes the keyring at the end of the global section of a ceph.conf of its own.
        # There is no other way to tell it that nothing may last for ever.
        self._ceph_limits = "".join(f"{name} = {ceph_timeout}\n" for name in _CEPH_LIMITS)

    def properties(self) -> dict[str, Any]:
        """This host's connector: ``initiator``, ``nqn``, ``wwpns``, ``host``, ``ip``, ...

        Raises ``VolumeBackendError`` when multipath is enforced and multipathd does not run.
        """
        self._prepare()
        from os_brick.initiator import connector

        try:
            found: dict[str, Any] = connector.get_connector_properties(
                "", self._address, self._multipath, self._enforce
            )
        except Exception as failure:
            raise VolumeBackendError(
                reason=f"this host cannot attach volumes: {failure}. Start multipathd, or unset "
                "enforce_multipath_for_image_xfer"
            ) from failure
        return found

    def connect(
        self, connection: Mapping[str, Any], *, keyring: str | None = None
    ) -> AttachedDevice:
        """Attach what ``connection`` describes and check that it can be read.

        ``keyring`` is the text of a Ceph user's keyring that this host alone knows: what others
        get to see of a connection has none.  Without any, os-brick reads
        ``/etc/ceph/<cluster>.client.<user>.keyring``.

        Raises ``DeviceUnavailable``; nothing stays attached then.
        """
        kind, data = str(connection["driver_volume_type"]), dict(connection["data"])
        keyring = keyring or data.get("keyring")
        if keyring is not None:
            data["keyring"] = _Unshown(self._ceph_limits + keyring)
        connection = {"driver_volume_type": kind, "data": data}
        connector = self._connector(kind, data)
        try:
            device = connector.connect_volume(data)
        except Exception as failure:
            raise DeviceUnavailable(path=kind, reason=_reason(failure)) from failure
        attached = AttachedDevice(connection, device, connector)
        try:
            readable = connector.check_valid_device(attached.path)
        except Exception as failure:
            self._disconnect_quietly(attached)
            raise DeviceUnavailable(path=attached.path, reason=str(failure)) from failure
        if not readable:
            self._disconnect_quietly(attached)
            raise DeviceUnavailable(path=attached.path, reason="it cannot be read")
        return attached

    def disconnect(self, attached: AttachedDevice, *, force: bool = False) -> None:
        """Flush and detach.  ``force``: also if flushing fails.  Raises ``VolumeBackendError``."""
        try:
            attached.connector.disconnect_volume(
                dict(attached.connection["data"]), attached.device, force=force
            )
        except Exception as failure:
            raise VolumeBackendError(
                reason=f"{attached.path} could not be detached from this host: {failure}"
            ) from failure

    def extend(self, attached: AttachedDevice) -> int | None:
        """Make this host see a new size; the size in bytes."""
        size: int | None = attached.connector.extend_volume(dict(attached.connection["data"]))
        return size

    def _connector(self, kind: str, data: Mapping[str, Any]) -> Any:
        self._prepare()
        from os_brick.initiator.connector import InitiatorConnector

        return InitiatorConnector.factory(
            _PROTOCOLS.get(kind, kind.upper()),
            "",
            use_multipath=self._multipath,
            device_scan_attempts=self._tries,
            conn=data,
        )

    def _disconnect_quietly(self, attached: AttachedDevice) -> None:
        try:
            self.disconnect(attached, force=True)
        except VolumeBackendError as failure:
            LOG.warning("%s", failure)

    def _prepare(self) -> None:
        """os-brick's own settings are global to the process: they are made once."""
        global _is_set_up  # noqa: PLW0603
        with _set_up:
            if _is_set_up:
                return
            _keep_plain_threads()
            import os_brick
            from os_brick import privileged
            from oslo_concurrency import lockutils
            from oslo_config import cfg

            self._locks.mkdir(mode=0o700, parents=True, exist_ok=True)
            lockutils.set_defaults(str(self._locks))
            cfg.CONF([], project="breezeblock", default_config_files=[], default_config_dirs=[])
            os_brick.setup(cfg.CONF)
            if os.geteuid() == 0:
                # Root already: no helper process is needed.
                privileged.default.set_client_mode(False)
            _is_set_up = True


def _reason(failure: Exception) -> str:
    """What went wrong; some errors of os-brick have their text elsewhere and show a stock one."""
    aside = getattr(failure, "kwargs", {}).get("msg")
    return str(aside or failure)


def _keep_plain_threads() -> None:
    """Keep eventlet out: os-brick's libraries take it where it is installed.

    It would only be imported, never used, but it warns at its import and at every fork.
    """
    from oslo_service import backend

    sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]
    backend.init_backend(backend.BackendType.THREADING)
