"""What every driver is, whatever it stores on."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from breezeblock.domain.resources import Volume
from breezeblock.drivers.capabilities import CapabilityReport
from breezeblock.drivers.errors import BackendMisconfigured
from breezeblock.drivers.image_copy import ImageCopy
from breezeblock.drivers.local_attach import LocalAttach
from breezeblock.drivers.optional import Hooks, OptionalGroups, OptionalReplication, OptionalVerbs
from breezeblock.drivers.settings import DriverConfiguration
from breezeblock.drivers.temporary import TemporaryCopies
from breezeblock.drivers.tracing import trace_methods, traced_execute
from breezeblock.drivers.volume_copy import VolumeCopy
from breezeblock.execution.command import CommandError, Execute, run
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate
from breezeblock.targets.registry import HELPERS

LOG = logging.getLogger(__name__)


class BaseVD(
    CapabilityReport,
    LocalAttach,
    TemporaryCopies,
    ImageCopy,
    VolumeCopy,
    Hooks,
    OptionalVerbs,
    OptionalReplication,
    OptionalGroups,
    ABC,
):
    """See the module.  ``docs/drivers.md`` shows how a driver is written.

    Every method that changes something is idempotent: it is called again after a crash, whether
    the first call did nothing, half, or all of its work.
    """

    #: The driver's own version, shown in its stats.
    VERSION: ClassVar[str] = "N/A"
    #: False: the service refuses to start it unless ``enable_unsupported_driver`` is set.
    SUPPORTED: ClassVar[bool] = True
    #: Whether several hosts may serve the same backend at once.
    SUPPORTS_ACTIVE_ACTIVE: ClassVar[bool] = False
    #: Whether volumes outlive the process that made them; false for what only pretends to store.
    SURVIVES_PROCESS: ClassVar[bool] = True
    #: ``target_helper`` -> the class that exports volumes with it.
    target_mapping: ClassVar[Mapping[str, str]] = HELPERS

    def __init__(
        self,
        execute: Execute = run,
        *,
        configuration: DriverConfiguration,
        host: str,
        cluster_name: str | None = None,
        active_backend_id: str | None = None,
    ) -> None:
        """Remember the settings; touch nothing.

        ``execute`` runs programs, ``host`` is ``<host>@<backend>``, ``cluster_name`` the cluster
        whose hosts share the backend, ``active_backend_id`` the replication target in use.
        Raises ``BackendMisconfigured`` for a clustered backend whose replication would not be.
        """
        super().__init__()
        self.configuration = configuration
        self.host = host
        self.cluster_name = cluster_name
        self.active_backend_id = active_backend_id
        self._initialized = False
        flags = configuration.trace_flags or ()
        self.set_execute(traced_execute(execute) if "api" in flags else execute)
        if "method" in flags:
            trace_methods(self)
        if cluster_name and configuration.replication_device:
            self._check_clustered_replication()

    def _check_clustered_replication(self) -> None:
        if not self.supports_replication_feature("a/a"):
            raise BackendMisconfigured(
                backend=self.backend_name,
                reason="its driver cannot replicate in a cluster. Remove `cluster` or "
                "replication_device",
            )

    def set_execute(self, execute: Execute) -> None:
        """Run programs by this from now on."""
        self._execute = execute

    def _driver_data_namespace(self) -> str:
        """The prefix of the driver's private data: option, else backend, else class name."""
        return (
            self.configuration.driver_data_namespace
            or self.configuration.volume_backend_name
            or type(self).__name__
        )

    # ---- life ------------------------------------------------------------------------------

    def do_setup(self, context: object) -> None:
        """Prepare what the driver needs (directories, connections).  Called before the check."""

    @abstractmethod
    def check_for_setup_error(self) -> None:
        """Raise ``VolumeBackendError`` if the backend cannot work; its text says the remedy."""

    def set_initialized(self) -> None:
        """The service calls it when set-up, check and recovery are through."""
        self._initialized = True

    @property
    def initialized(self) -> bool:
        """False: the service refuses every operation of this backend."""
        return self._initialized

    @property
    def supported(self) -> bool:
        return self.SUPPORTED

    def get_version(self) -> str:
        return self.VERSION

    @staticmethod
    def get_driver_options() -> Sequence[Any]:
        """The driver's own options (``oslo_config.cfg.Opt``), for documents and checks."""
        return ()

    def recover(self, unfinished: Collection[str] = ()) -> None:
        """Remove what interrupted calls left behind and restore the exports.

        Called once at start after the check.  ``unfinished`` are the names
        (``volume-<id>``, ``snapshot-<id>``) of resources whose operation will go on; what
        belongs to them stays, so that a long copy resumes where it was.
        """

    def get_pool(self, volume: Volume) -> str | None:
        """The pool ``volume`` lives in, for volumes whose record does not say."""
        return None

    # ---- programs ------------------------------------------------------------------------------

    @staticmethod
    def _is_non_recoverable(err: str, non_recoverable_list: Collection[str]) -> bool:
        """Whether one of the texts occurs in the error."""
        return any(text in err for text in non_recoverable_list)

    def _try_execute(
        self, *command: str, no_retry_list: Collection[str] = (), **kwargs: Any
    ) -> bool:
        """Run a program that may fail and pass: ``num_shell_tries`` times, true at the end.

        After the n-th failure n² seconds are waited.  An error that contains a text of
        ``no_retry_list`` is raised at once, the last one in any case.
        """
        tries = 0
        while True:
            tries += 1
            try:
                self._execute(command, **kwargs)
                return True
            except CommandError as failure:
                final = self._is_non_recoverable(failure.stderr, no_retry_list)
                if final or tries >= self.configuration.num_shell_tries:
                    raise
                LOG.warning("try %d of %s failed: %s", tries, command[0], failure)
                time.sleep(tries**2)

    # ---- volumes -----------------------------------------------------------------------------

    @abstractmethod
    def create_volume(self, volume: Volume) -> ModelUpdate | None:
        """Make an empty volume of ``volume.size`` GiB that reads as zeros."""

    @abstractmethod
    def delete_volume(self, volume: Volume) -> None:
        """Remove it; absent is success.  Raises ``VolumeIsBusy``."""

    # ---- exports -----------------------------------------------------------------------------

    @abstractmethod
    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        """Make sure that a volume in use is still offered (at start)."""

    @abstractmethod
    def create_export(
        self, context: object, volume: Volume, connector: Connector | None
    ) -> ModelUpdate | None:
        """Offer the volume; return ``provider_location`` and ``provider_auth`` to remember."""

    @abstractmethod
    def remove_export(self, context: object, volume: Volume) -> None:
        """Stop offering it; not offered is success."""

    @abstractmethod
    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """What the consumer needs to reach the volume.

        ``volume`` is the record after ``create_export``'s answer was remembered.
        """

    @abstractmethod
    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool | None:
        """End a consumer's use; ``connector`` None means all consumers'.

        Among the arguments may be ``force`` (the consumer does not play along) and ``others``
        (the connectors of attachments that stay).  True: the export is still shared by others
        and stays; otherwise ``remove_export`` follows.
        """

    def validate_connector(self, connector: Connector) -> None:
        """Raise ``InvalidConnector`` before anything is done for an unsuitable consumer."""

    @staticmethod
    def validate_connector_has_setting(connector: Connector, setting: str) -> None:
        """A hook for drivers that ask for one more setting of a consumer."""
