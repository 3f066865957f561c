"""iSCSI and iSER by tgt: one target per volume, its only unit (LUN 1) the volume's file or device.

Security: a target always demands CHAP, and it lets nobody in before its account is bound, so
there is no moment in which a login needs no secret.

Consumers in use: tgt can neither grow an open unit nor hold back its requests.  Closing a unit
while a request is in flight would lose the request silently, and a request that meets an offline
target is dropped without an answer.  ``paused`` therefore goes by the initiators' own recovery:
the target goes offline (no login), all connections are closed, in-flight requests are waited for,
and the unit is closed, which tgt refuses as long as one is left.  Initiators keep what was not
answered, log in again as soon as the target is back, and repeat it.

iSER: tgtd listens at RDMA port 3260 of every IPv4 address.  (Its option for another port is read
wrongly: after a good number it looks at an ``errno`` that a library has left over from before.)
It lets in only those whose initiator's name is on the target's access list; so that is kept on
record with the export, which an attachment's beginning and end change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, cast

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution.durable import make_private_directory
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets import chap, iscsi, tgt_export
from breezeblock.targets.errors import (
    TargetCreateFailed,
    TargetError,
    TargetPauseFailed,
    TargetRemoveFailed,
    TargetUnavailable,
    TargetUpdateFailed,
)
from breezeblock.targets.interface import (
    ConnectionInfo,
    Connector,
    ModelUpdate,
    Target,
    TargetConfiguration,
)
from breezeblock.targets.tgt_daemon import TgtDaemon, TgtDaemonSettings
from breezeblock.targets.tgt_export import LUN, Export
from breezeblock.targets.tgt_protocol import TargetState, is_initiator_name
from breezeblock.targets.tgt_targets import Targets, admits, is_right

LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")

#: Seconds to wait for another worker at the same export (it may be within a pause).
LOCK_SECONDS = 90.0
#: The RDMA port that tgtd's iSER listens at.
_ISER_PORT = 3260


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtSettings:
    """What a backend wants of its exports."""

    portals: iscsi.Portals
    target_prefix: str
    volumes_dir: Path
    driver: str = "iscsi"
    write_cache: bool = True
    bsoflags: str = ""
    discard: bool = False
    account: tuple[str, str] | None = None


class TgtAdm(Target):
    """See the module."""

    def __init__(self, settings: TgtSettings, daemon: TgtDaemon) -> None:
        self.storage_protocol = "iSER" if settings.driver == "iser" else "iSCSI"
        self._settings = settings
        self._daemon = daemon
        self._tgtd = daemon.client
        self._targets = Targets(daemon.client)
        self._directory = settings.volumes_dir
        self._restored_into: str | None = None

    # ---- set-up --------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        if "," in self._settings.bsoflags or "\n" in self._settings.bsoflags:
            raise TargetError(reason="iscsi_target_flags must not hold a comma or a line break")
        iser = self._settings.driver == "iser"
        if iser:
            self._check_iser()
        make_private_directory(self._directory / ".locks")
        make_private_directory(self._directory)
        self._daemon.ensure_running()
        if iser:
            self._daemon.require_iser()

    def _check_iser(self) -> None:
        portals = self._settings.portals
        if portals.port != _ISER_PORT:
            raise TargetError(
                reason=f"tgt serves iSER at port {_ISER_PORT} only, not at {portals.port}. Set "
                f"target_port (iser_port, if the driver reads that) to {_ISER_PORT}, or "
                "target_helper to lioadm"
            )
        if any(":" in address for address in portals.addresses):
            raise TargetError(
                reason="tgt serves iSER at IPv4 addresses only. Change target_ip_address, or set "
                "target_helper to lioadm"
            )

    def restore(self) -> int:
        return self._restore(except_for=None)

    def _restore(self, except_for: str | None) -> int:
        self._daemon.ensure_running()
        identity = self._daemon.identity()
        if identity == self._restored_into:
            return 0
        # A worker that was killed may have left the daemon spinning.
        self._tgtd.shake_off_dead_peers()
        there = {state.name: state for state in self._tgtd.targets()}
        restored = failed = 0
        for name in tgt_export.names(self._directory):
            if name == except_for:
                continue
            try:
                restored += self._restore_one(name, there)
            except TargetError as failure:
                # One bad export must not keep the others down; it is tried again next time.
                failed += 1
                LOG.error("the export of %s was not restored: %s", name, failure)
        self._restored_into = None if failed else identity
        if restored:
            LOG.info("%d exports restored in tgtd", restored)
        return restored

    def _is_restored(self) -> bool:
        """Whether this run of the daemon was found to have every export."""
        restored = self._restored_into
        return restored is not None and restored == self._daemon.identity()

    def _restore_one(self, name: str, there: dict[str, TargetState]) -> int:
        export = tgt_export.read(self._directory, name)
        state = there.get(export.iqn) if export else None
        if export is None or (is_right(export, state) and admits(export, state)):
            return 0
        with self._locked(name):
            # Read again: another worker may have removed it meanwhile.
            export = tgt_export.read(self._directory, name)
            if export is not None:
                self._targets.put(export)
        return 1

    # ---- exports -------------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        if "," in path or "\n" in path:
            raise TargetCreateFailed(volume=volume.name, reason=f"tgt cannot open {path!r}")
        try:
            with self._locked(volume.name):
                export = self._export(volume, path)
                tgt_export.write(self._directory, export)
                tid = self._with_daemon(volume.name, lambda: self._targets.put(export))
        except (TargetError, OSError) as failure:
            raise TargetCreateFailed(
                volume=volume.name,
                reason=str(failure),
                transient=getattr(failure, "transient", False),
            ) from failure
        return self._model(tid, export)

    def ensure_export(self, volume: Volume, path: str) -> ModelUpdate:
        """As ``create_export``; at once if ``restore`` has found all exports right just now.

        A start asks this for every volume in use, and looking at one target costs as much as
        looking at all.
        """
        known = tgt_export.read(self._directory, volume.name)
        if known is not None and known == self._export(volume, path) and self._is_restored():
            tid = self._targets.tid(known.iqn)
            if tid is not None:
                return self._model(tid, known)
        return self.create_export(volume, path)

    def remove_export(self, volume: Volume) -> None:
        name = tgt_export.check_name(volume.name)
        try:
            with self._locked(name):
                export = tgt_export.read(self._directory, name)
                iqn = export.iqn if export else self._settings.target_prefix + name
                # The file goes last: if this is interrupted, the next call still knows the
                # account that has to go.
                self._with_daemon(name, lambda: self._targets.take_away(iqn, export))
                (self._directory / name).unlink(missing_ok=True)
        except (TargetError, OSError) as failure:
            raise TargetRemoveFailed(
                volume=name, reason=str(failure), transient=getattr(failure, "transient", False)
            ) from failure

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        export = tgt_export.read(self._directory, volume.name)
        kind = export.driver if export else self._settings.driver
        info = iscsi.connection_info(volume, connector, kind, default_lun=LUN)
        if kind == "iser":
            self._admit(volume.name, str(connector["initiator"]))
        return info

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        staying = {str(other.get("initiator")) for other in others}
        with self._locked(volume.name):
            export = tgt_export.read(self._directory, volume.name)
            if export is not None and export.driver == "iser":
                gone = {str(connector.get("initiator"))} if connector else set(export.initiators)
                self._dismiss(export, gone - staying, end_sessions=force or connector is None)
        return connector is not None and bool(others)

    def _admit(self, name: str, initiator: str) -> None:
        if not is_initiator_name(initiator):
            raise InvalidConnector(missing="a well-formed initiator name")
        with self._locked(name):
            export = tgt_export.read(self._directory, name)
            if export is None:
                raise TargetError(reason=f"volume {name} is not exported. Attach it anew")
            if initiator not in export.initiators:
                export = replace(export, initiators=(*export.initiators, initiator))
                tgt_export.write(self._directory, export)
            wanted = export
            self._with_daemon(name, lambda: self._targets.put(wanted))

    def _dismiss(self, export: Export, initiators: set[str], *, end_sessions: bool) -> None:
        remaining = tuple(name for name in export.initiators if name not in initiators)
        changed = replace(export, initiators=remaining)
        # First the record: a restart in between must not let them in again.
        tgt_export.write(self._directory, changed)
        tid = self._with_daemon(export.name, lambda: self._targets.put(changed))
        if end_sessions:
            self._targets.end_sessions(tid, changed)

    def is_exported(self, name: str) -> bool:
        return tgt_export.read(self._directory, name) is not None

    def list_exports(self) -> list[str]:
        return tgt_export.names(self._directory)

    # ---- changes under consumers ---------------------------------------------------------------

    def extend_target(self, volume: Volume, path: str) -> None:
        try:
            with self.paused(volume.name, path):
                LOG.debug("%s is opened anew in its new size", volume.name)
        except TargetError as failure:
            raise TargetUpdateFailed(
                volume=volume.name, reason=str(failure), transient=failure.transient
            ) from failure

    @contextmanager
    def paused(self, name: str, path: str) -> Iterator[None]:
        with self._locked(name):
            export = tgt_export.read(self._directory, name)
            tid = self._targets.tid(export.iqn) if export else None
            if export is None or tid is None:
                yield
                return
            self._pause(name, tid, export)
            try:
                yield
            finally:
                self._targets.resume(tid, export)

    def _pause(self, name: str, tid: int, export: Export) -> None:
        try:
            self._targets.pause(tid, export)
        except TargetError as failure:
            with suppress(TargetError):
                self._targets.resume(tid, export)
            raise TargetPauseFailed(volume=name, reason=str(failure), transient=True) from failure

    # ---- records -------------------------------------------------------------------------------

    def _export(self, volume: Volume, path: str) -> Export:
        """What is to be offered.

        What is exported already keeps its protocol: its consumers know it by that.
        """
        known = tgt_export.read(self._directory, volume.name)
        account = self._settings.account
        recorded = {"user": known.user, "secret": known.secret} if known else None
        user, secret = chap.choose(volume, recorded, account)
        return Export(
            name=volume.name,
            iqn=self._settings.target_prefix + volume.name,
            path=path,
            user=user,
            secret=secret,
            write_cache=self._settings.write_cache,
            bsoflags=self._settings.bsoflags,
            discard=self._settings.discard,
            driver=known.driver if known else self._settings.driver,
            initiators=known.initiators if known else (),
            shared_account=(known is not None and known.shared_account and known.user == user)
            or (account is not None and account[0] == user),
        )

    def _model(self, tid: int, export: Export) -> ModelUpdate:
        return {
            "provider_location": self._settings.portals.location(tid, export.iqn, LUN),
            "provider_auth": f"CHAP {export.user} {export.secret}",
        }

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """One worker at a time at one export."""
        locks = self._directory / ".locks"
        locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with lock(locks / tgt_export.check_name(name), LOCK_SECONDS):
                yield
        except LockTimeout as busy:
            raise TargetError(
                reason=f"another worker is at the export of {name}", transient=True
            ) from busy

    def _with_daemon(self, name: str, action: Callable[[], _Result]) -> _Result:
        """Do it; if the daemon is gone, bring it and all exports back and do it again.

        ``name`` is the export whose lock is held; ``action`` sees to it.
        """
        try:
            return action()
        except TargetUnavailable:
            if not self._daemon.ensure_running():
                raise
        self._restore(except_for=name)
        return action()


class TgtConfiguration(TargetConfiguration, chap.ChapConfiguration, Protocol):
    """The options of this target and of the daemon it speaks to."""

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


def create_daemon(configuration: TgtConfiguration) -> TgtDaemon:
    """The tgtd that a backend with these options uses."""
    return TgtDaemon(
        TgtDaemonSettings(
            state_path=Path(configuration.state_path),
            portals=iscsi.portals_of(configuration).each,
            control_port=configuration.tgt_control_port,
            managed=configuration.tgt_daemon_managed,
            io_threads=configuration.tgt_io_threads,
            iser=configuration.target_protocol == "iser",
        )
    )


def create(configuration: TargetConfiguration) -> TgtAdm:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(TgtConfiguration, configuration)
    settings = TgtSettings(
        portals=iscsi.portals_of(options),
        target_prefix=options.target_prefix,
        volumes_dir=Path(options.volumes_dir),
        driver=options.target_protocol,
        write_cache=options.iscsi_write_cache != "off",
        bsoflags=options.iscsi_target_flags or "",
        discard=options.report_discard_supported,
        account=chap.configured(options),
    )
    return TgtAdm(settings, create_daemon(options))
