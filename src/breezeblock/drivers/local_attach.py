"""How a driver attaches its volumes to this very host, to copy their bytes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import DeviceUnavailable, VolumeBackendError
from breezeblock.drivers.initiator import AttachedDevice, Initiator
from breezeblock.drivers.settings import DriverConfiguration
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate

LOG = logging.getLogger(__name__)

_Record = TypeVar("_Record", Volume, Snapshot)
_EXPORT_FIELDS = ("provider_id", "provider_location", "provider_auth")


class RemoteBackend(Protocol):
    """A backend on another host, as the service reaches it."""

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """Export the volume there for this host."""

    def terminate_connection(
        self, volume: Volume, connector: Connector, *, force: bool = False
    ) -> None:
        """End that."""


class LocalAttach:
    """The part of a driver that attaches; every driver has it, most need no more than this."""

    configuration: DriverConfiguration
    #: How volumes of other hosts are reached; set by the service where there are any.
    remote_backend: RemoteBackend | None = None

    if TYPE_CHECKING:
        # What the rest of the driver brings.
        def create_export(
            self, context: object, volume: Volume, connector: Connector | None
        ) -> ModelUpdate | None: ...
        def remove_export(self, context: object, volume: Volume) -> None: ...
        def validate_connector(self, connector: Connector) -> None: ...
        def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo: ...
        def terminate_connection(
            self, volume: Volume, connector: Connector | None, **kwargs: Any
        ) -> bool | None: ...
        def create_export_snapshot(
            self, context: object, snapshot: Snapshot, connector: Connector | None
        ) -> ModelUpdate | None: ...
        def remove_export_snapshot(self, context: object, snapshot: Snapshot) -> None: ...
        def initialize_connection_snapshot(
            self, snapshot: Snapshot, connector: Connector, **kwargs: Any
        ) -> Any: ...
        def terminate_connection_snapshot(
            self, snapshot: Snapshot, connector: Connector | None, **kwargs: Any
        ) -> None: ...

    def initiator(self) -> Initiator:
        """This host as a consumer, by the backend's options."""
        options = self.configuration
        return Initiator(
            Path(options.state_path) / "os-brick-locks",
            address=options.my_ip,
            multipath=options.use_multipath_for_image_xfer,
            enforce_multipath=options.enforce_multipath_for_image_xfer,
            scan_tries=options.num_volume_device_scan_tries,
        )

    @contextmanager
    def attached(
        self, context: object, volume: Volume, *, remote: bool = False
    ) -> Iterator[AttachedDevice]:
        """The volume as a device of this host for the block; ``remote`` as for attaching."""
        properties = self.initiator().properties()
        device, volume = self._attach_volume(context, volume, properties, remote)
        try:
            yield device
        except BaseException:
            self._detach_volume(
                context, device, volume, properties, True, remote, ignore_errors=True
            )
            raise
        self._detach_volume(context, device, volume, properties, remote=remote)

    def _attach_volume(
        self, context: object, volume: Volume, properties: Connector, remote: bool = False
    ) -> tuple[AttachedDevice, Volume]:
        """Export the volume for this host (``properties``) and attach it.

        ``remote``: it belongs to another host's backend, which does the exporting.  Returns the
        device and the record with what its driver asked to remember.  On failure everything is
        taken back.  Raises ``DeviceUnavailable`` or the driver's error.
        """
        if remote:
            connection = self._remote().initialize_connection(volume, properties)
        else:
            self.validate_connector(properties)
            volume = _updated(volume, self.create_export(context, volume, properties))
            try:
                connection = self.initialize_connection(volume, properties)
            except Exception:
                self._end(lambda: self.remove_export(context, volume), "the export")
                raise
        try:
            return self._connect_device(connection), volume
        except Exception:
            self._unmap(context, volume, properties, force=True, remote=remote)
            raise

    def _attach_snapshot(
        self, ctxt: object, snapshot: Snapshot, properties: Connector
    ) -> tuple[AttachedDevice, Snapshot]:
        """As ``_attach_volume``, for a snapshot of a backend that exports snapshots."""
        self.validate_connector(properties)
        snapshot = _updated(snapshot, self.create_export_snapshot(ctxt, snapshot, properties))
        try:
            connection = self.initialize_connection_snapshot(snapshot, properties)
            return self._connect_device(connection), snapshot
        except Exception:
            self._end(
                lambda: self.terminate_connection_snapshot(snapshot, properties, force=True),
                "the connection",
            )
            self._end(lambda: self.remove_export_snapshot(ctxt, snapshot), "the export")
            raise

    def _detach_volume(  # noqa: PLR0917 - the field's signature
        self,
        context: object,
        attach_info: AttachedDevice,
        volume: Volume,
        properties: Connector,
        force: bool = False,
        remote: bool = False,
        ignore_errors: bool = False,
    ) -> None:
        """Disconnect, end the connection, remove the export: all three, whatever fails.

        What failed is raised at the end as one ``VolumeBackendError``, or only logged with
        ``ignore_errors``.
        """
        failures = [
            self._end(lambda: self.initiator().disconnect(attach_info, force=force), "the device"),
            *self._unmap(context, volume, properties, force=force, remote=remote),
        ]
        reasons = [failure for failure in failures if failure]
        if reasons and not ignore_errors:
            raise VolumeBackendError(reason="; ".join(reasons))

    def _connect_device(self, conn: ConnectionInfo) -> AttachedDevice:
        """Attach by connection info.  Raises ``DeviceUnavailable`` if it cannot be read."""
        return self.initiator().connect(conn)

    def _remote(self) -> RemoteBackend:
        if self.remote_backend is None:
            raise DeviceUnavailable(
                path="of another host", reason="this process knows no way to the host that has it"
            )
        return self.remote_backend

    def _unmap(
        self, context: object, volume: Volume, properties: Connector, *, force: bool, remote: bool
    ) -> list[str | None]:
        if remote:
            far = self._remote()
            return [
                self._end(
                    lambda: far.terminate_connection(volume, properties, force=force),
                    "the connection",
                )
            ]
        return [
            self._end(
                lambda: self.terminate_connection(volume, properties, force=force),
                "the connection",
            ),
            self._end(lambda: self.remove_export(context, volume), "the export"),
        ]

    def _end(self, action: Callable[[], object], what: str) -> str | None:
        """Do it; the reason why not."""
        try:
            action()
        except Exception as failure:
            LOG.warning("%s of a volume attached to this host did not end: %s", what, failure)
            return str(failure)
        return None


def _updated(record: _Record, update: ModelUpdate | None) -> _Record:
    fields: dict[str, Any] = {k: v for k, v in (update or {}).items() if k in _EXPORT_FIELDS}
    return dataclasses.replace(record, **fields) if fields else record
