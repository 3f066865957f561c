"""All backends of one worker process: set up, kept alive, reported, and taken down again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from breezeblock.config.settings import BackendConfiguration, Settings
from breezeblock.domain.context import RequestContext
from breezeblock.drivers.errors import BackendMisconfigured
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.drivers.progress import using
from breezeblock.drivers.registry import create_driver
from breezeblock.flows.backend import Backend, remembered
from breezeblock.flows.definitions import DEFINITIONS
from breezeblock.operations import journal
from breezeblock.operations.runner import Observer, unobserved
from breezeblock.operations.wakeup import Hints
from breezeblock.operations.worker import Pace, Worker
from breezeblock.scheduling.placement import Scheduler
from breezeblock.store import events, messages, pools, services, volumes
from breezeblock.store.database import Database, Transaction
from breezeblock.worker import report

LOG = logging.getLogger(__name__)

BINARY = "cinder-volume"
"""The name under which the field's clients know the part that serves backends."""

SHORTEST_SETUP_PAUSE_SECONDS = 1.0
LONGEST_SETUP_PAUSE_SECONDS = 60.0
PRUNE_INTERVAL_SECONDS = 3600.0
TICK_SECONDS = 1.0

_SYSTEM = RequestContext(user_id="", project_id="", request_id="", is_admin=True)


@dataclass(slots=True)
class _Member:
    """A backend of the configuration and how far it is.  ``ready`` is None until it is set up."""

    service_host: str
    configuration: BackendConfiguration
    ready: Backend | None = None
    next_try: float = 0.0
    pause: float = SHORTEST_SETUP_PAUSE_SECONDS
    reported_at: float = field(default=float("-inf"))


class WorkerHost:
    """Serves the enabled backends of ``settings``.

    A backend that cannot be set up is tried again and again; the others work meanwhile.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        scheduler: Scheduler,
        hints: Hints,
        *,
        observer: Observer = unobserved,
    ) -> None:
        self._settings = settings
        self._database = database
        self._scheduler = scheduler
        own = settings.conf.breezeblock
        self.worker = Worker(
            database,
            DEFINITIONS,
            host=settings.host,
            hints=hints,
            pace=Pace(
                lease_seconds=own.operation_lease,
                threads=own.worker_threads,
                longest_poll=own.operation_poll_interval,
            ),
            surroundings=using,
            observer=observer,
        )
        self._members: dict[str, _Member] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._tick = threading.Event()
        self._pruned_at = time.monotonic()
        self._beat_at = float("-inf")
        self._served: Mapping[str, Backend] = {}
        self._beating: Mapping[str, Backend] = {}
        self._keeper = threading.Thread(target=self._keep_forever, name="backends", daemon=True)
        self.apply(settings)

    # ---- life --------------------------------------------------------------------------------

    def start(self) -> None:
        self.worker.start()
        self._keeper.start()

    def stop(self, grace_seconds: float) -> bool:
        """End; running operations are handed over.  Whether that took less than the grace."""
        self._stopping.set()
        self._tick.set()
        handed_over = self.worker.stop(grace_seconds)
        if self._keeper.is_alive():
            self._keeper.join(min(grace_seconds, TICK_SECONDS))
        return handed_over

    def apply(self, settings: Settings) -> None:
        """Serve the backends of these settings from now on.

        What did not change keeps its driver; operations that run go on with theirs.
        """
        with self._guard:
            self._settings = settings
            members = {}
            for name, configuration in settings.backends.items():
                host = settings.service_host(name)
                old = self._members.get(host)
                unchanged = old is not None and _same(old.configuration, configuration)
                members[host] = old if old and unchanged else _Member(host, configuration)
            for host in self._members.keys() - members.keys():
                LOG.info("Backend %s is not served any more", host)
            self._members = members
        self._tick.set()

    def ready(self) -> Mapping[str, Backend]:
        """The backends that are set up, by ``host@backend``."""
        with self._guard:
            return {m.service_host: m.ready for m in self._members.values() if m.ready is not None}

    # ---- the keeper --------------------------------------------------------------------------

    def _keep_forever(self) -> None:
        while not self._stopping.is_set():
            try:
                self._keep()
            except Exception:
                LOG.exception("Looking after the backends failed; it is tried again")
            self._tick.wait(TICK_SECONDS)
            # Before the next look, so that what is asked for from now on wakes again.
            self._tick.clear()

    def _keep(self) -> None:
        with self._guard:
            members = list(self._members.values())
        for member in members:
            if member.ready is None and time.monotonic() >= member.next_try:
                self._set_up(member)
        ready = self.ready()
        if ready != self._served:
            self.worker.serve(ready)
            self._served = ready
        now = time.monotonic()
        interval = self._settings.conf.backend_stats_polling_interval
        for member in members:
            if member.ready is not None and now - member.reported_at >= interval:
                self._report(member, member.ready.driver)
        if now - self._beat_at >= self._settings.conf.report_interval or ready != self._beating:
            self._beat_at, self._beating = now, ready
            self._beat(members)
        if now - self._pruned_at >= PRUNE_INTERVAL_SECONDS:
            self._pruned_at = now
            self._prune()

    def _set_up(self, member: _Member) -> None:
        host, configuration = member.service_host, member.configuration
        zone = configuration.backend_availability_zone or (
            self._settings.conf.storage_availability_zone
        )
        try:
            service = self._database.transact(
                lambda tx: services.register(
                    tx, host, BINARY, zone, enabled=self._settings.conf.enable_new_services
                )
            )
            driver = create_driver(
                configuration.volume_driver,
                configuration,
                host=host,
                cluster_name=service.cluster_name,
                active_backend_id=service.active_backend_id,
            )
            _check_support(driver, configuration)
            driver.do_setup(_SYSTEM)
            driver.check_for_setup_error()
            driver.set_throttle()
            driver.recover(self._unfinished(host))
            self._restore_exports(host, driver)
            driver.set_initialized()
            stats = driver.get_volume_stats(refresh=True)
            member.ready = Backend(
                service_host=host,
                service_uuid=service.uuid,
                driver=driver,
                scheduler=self._scheduler,
                shared_targets=report.shared_targets(stats),
            )
            LOG.info("Backend %s is ready", host)
        except Exception as error:
            defect = not hasattr(error, "symbol")
            LOG.error(
                "Backend %s is not ready, next try in %.0f s: %s",
                *(host, member.pause, error),
                exc_info=defect,
            )
            member.next_try = time.monotonic() + member.pause
            member.pause = min(member.pause * 2, LONGEST_SETUP_PAUSE_SECONDS)

    def _unfinished(self, service_host: str) -> set[str]:
        """Backend names of resources that an operation will go on with."""
        with self._database.read() as connection:
            resources = journal.unfinished_resources(connection, service_host)
        return {f"{kind}-{resource_id}" for kind, resource_id in resources}

    def _restore_exports(self, service_host: str, driver: VolumeDriver) -> None:
        with self._database.read() as connection:
            held = volumes.with_exports(connection, service_host)
        for volume in held:
            try:
                update = remembered(driver.ensure_export(_SYSTEM, volume))
            except Exception:
                LOG.exception("The export of volume %s could not be restored", volume.id)
                continue
            if update:
                self._database.transact(
                    lambda tx, id_=volume.id, fields=update: volumes.update(tx, id_, **fields)  # type: ignore[misc]
                )

    def _report(self, member: _Member, driver: VolumeDriver) -> None:
        host = member.service_host
        first = member.reported_at == float("-inf")
        member.reported_at = time.monotonic()
        try:
            stats = driver.get_volume_stats(refresh=not first)
            reported = report.pools(host, stats, member.configuration.extra_capabilities)
            document = report.document(driver)
        except Exception:
            LOG.exception("Backend %s does not tell its state", host)
            return
        zone = member.configuration.backend_availability_zone or (
            self._settings.conf.storage_availability_zone
        )

        def work(tx: Transaction) -> None:
            pools.report(tx, host, zone, reported)
            services.change(tx, host, BINARY, capabilities=document)

        self._database.transact(work)

    def _beat(self, members: list[_Member]) -> None:
        alive = [(m.service_host, BINARY) for m in members if m.ready is not None]
        if alive:
            self._database.transact(lambda tx: services.beat(tx, alive))

    def _prune(self) -> None:
        own = self._settings.conf.breezeblock
        self._database.transact(lambda tx: journal.prune(tx, own.operation_retention))
        self._database.transact(lambda tx: events.prune(tx, own.event_retention))
        self._database.transact(messages.prune)


def _check_support(driver: VolumeDriver, configuration: BackendConfiguration) -> None:
    if not driver.supported and not configuration.enable_unsupported_driver:
        raise BackendMisconfigured(
            backend=configuration.section,
            reason=f"its driver {configuration.volume_driver} is no longer supported by its "
            "authors. Set enable_unsupported_driver to use it nevertheless",
        )


def _same(one: BackendConfiguration, other: BackendConfiguration) -> bool:
    return one.section == other.section and all(
        one.get(name) == other.get(name) for name in {*one, *other}
    )
