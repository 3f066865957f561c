"""iSCSI by tgt: one target per volume, its only unit (LUN 1) the volume's file or device.

Security: a target always demands CHAP, and it lets nobody in before its account is bound, so
there is no moment in which a login needs no secret.

Consumers in use: tgt can neither grow an open unit nor hold back its requests.  Closing a unit
while a request is in flight would lose the request silently, and a request that meets an offline
target is dropped without an answer.  ``paused`` therefore goes by the initiators' own recovery:
the target goes offline (no login), all connections are closed, in-flight requests are waited for,
and the unit is closed, which tgt refuses as long as one is left.  Initiators keep what was not
answered, log in again as soon as the target is back, and repeat it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

from breezeblock.domain.resources import Volume
from breezeblock.execution.durable import make_private_directory
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets import iscsi, tgt_export
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
from breezeblock.targets.tgt_protocol import Code, TargetState, TgtdError

LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")

#: Seconds to wait for requests in flight; the storage below may be slow, not dead.
DRAIN_SECONDS = 20.0
#: Seconds to wait for another worker at the same export (it may be within a pause).
LOCK_SECONDS = 90.0
#: How often a pause's end is repeated because a login slipped in.
_RESUME_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtSettings:
    """What a backend wants of its exports."""

    portals: iscsi.Portals
    target_prefix: str
    volumes_dir: Path
    write_cache: bool = True
    bsoflags: str = ""
    discard: bool = False


class TgtAdm(Target):
    """See the module."""

    storage_protocol = "iSCSI"

    def __init__(self, settings: TgtSettings, daemon: TgtDaemon) -> None:
        self._settings = settings
        self._daemon = daemon
        self._tgtd = daemon.client
        self._directory = settings.volumes_dir
        self._restored_into: str | None = None

    # ---- set-up --------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        if "," in self._settings.bsoflags or "\n" in self._settings.bsoflags:
            raise TargetError(reason="iscsi_target_flags must not hold a comma or a line break")
        make_private_directory(self._directory / ".locks")
        make_private_directory(self._directory)
        self._daemon.ensure_running()

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
        if export is None or _is_right(export, there.get(export.iqn)):
            return 0
        with self._locked(name):
            # Read again: another worker may have removed it meanwhile.
            export = tgt_export.read(self._directory, name)
            if export is not None:
                self._put(export)
        return 1

    # ---- exports -------------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        if "," in path or "\n" in path:
            raise TargetCreateFailed(volume=volume.name, reason=f"tgt cannot open {path!r}")
        try:
            with self._locked(volume.name):
                export = self._export(volume, path)
                tgt_export.write(self._directory, export)
                tid = self._with_daemon(volume.name, lambda: self._put(export))
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
            tid = self._tid(known.iqn)
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
                self._with_daemon(name, lambda: self._take_away(iqn, export))
                (self._directory / name).unlink(missing_ok=True)
        except (TargetError, OSError) as failure:
            raise TargetRemoveFailed(
                volume=name, reason=str(failure), transient=getattr(failure, "transient", False)
            ) from failure

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        return iscsi.connection_info(volume, connector)

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
            tid = self._tid(export.iqn) if export else None
            if export is None or tid is None:
                yield
                return
            self._pause(name, tid, export)
            try:
                yield
            finally:
                self._resume(tid, export)

    def _pause(self, name: str, tid: int, export: Export) -> None:
        try:
            self._empty(tid)
            with _tolerating(Code.NO_LUN):
                self._tgtd.delete_lun(tid, LUN)
        except TargetError as failure:
            with suppress(TargetError):
                self._resume(tid, export)
            raise TargetPauseFailed(volume=name, reason=str(failure), transient=True) from failure

    def _empty(self, tid: int) -> None:
        """Take a target offline and wait until nobody is connected and nothing is in flight."""
        self._tgtd.set_state(tid, ready=False)
        deadline = time.monotonic() + DRAIN_SECONDS
        wait = 0.0005
        while connections := self._tgtd.connections(tid):
            for connection in connections:
                # Gone meanwhile is what we want.
                with _tolerating(Code.NO_SESSION, Code.NO_CONNECTION):
                    self._tgtd.close_connection(tid, connection)
            if time.monotonic() > deadline:
                raise TargetError(
                    reason=f"requests are still in flight after {DRAIN_SECONDS:.0f} s. "
                    "Look at the storage below, then try again",
                    transient=True,
                )
            time.sleep(wait)
            wait = min(wait * 2, 0.05)

    def _resume(self, tid: int, export: Export) -> None:
        """Open the unit and let consumers in.

        A login that began before the target went offline may end within the pause; tgt then
        drops its requests without an answer.  Such a session is there before or right after
        the target is ready, so it is looked for at both moments and sent away, to come back.
        """
        self._open_unit(tid, export)
        for _ in range(_RESUME_TRIES):
            self._empty(tid)
            self._tgtd.set_state(tid, ready=True)
            if not self._tgtd.connections(tid):
                return
        LOG.warning("initiators of %s logged in faster than could be looked", export.iqn)

    # ---- one target ----------------------------------------------------------------------------

    def _put(self, export: Export) -> int:
        """Make tgtd offer ``export``, whatever it offers now; return the tid."""
        tid = self._tid(export.iqn)
        if tid is None:
            tid = self._new_target(export)
            self._fill(tid, export)
            return tid
        state = next((s for s in self._tgtd.targets() if s.tid == tid), None)
        if state is None or not _is_right(export, state):
            LOG.info("mending the export %s", export.iqn)
            self._empty(tid)
            self._close_entrance(tid, state)
            for user in state.accounts if state else ():
                with _tolerating(Code.NO_USER):
                    self._tgtd.delete_account(user)
            with _tolerating(Code.NO_LUN):
                self._tgtd.delete_lun(tid, LUN)
            self._fill(tid, export)
        return tid

    def _new_target(self, export: Export) -> int:
        for tid in export.tids():
            try:
                self._tgtd.new_target(tid, export.iqn)
            except TgtdError as refused:
                if refused.code is not Code.TARGET_EXISTS:
                    raise
                continue
            return tid
        raise TargetError(reason=f"no free target id for {export.iqn}")

    def _close_entrance(self, tid: int, state: TargetState | None) -> None:
        """Nobody may log in while the account is changed: a target without one asks nothing."""
        for address in state.acl if state else ():
            with _tolerating(Code.NO_ACL):
                self._tgtd.disallow(tid, address)

    def _fill(self, tid: int, export: Export) -> None:
        """Account, unit, and only then the entrance."""
        with _tolerating(Code.NO_USER):
            self._tgtd.delete_account(export.user)
        self._tgtd.new_account(export.user, export.secret)
        self._tgtd.bind_account(tid, export.user)
        self._open_unit(tid, export)
        with _tolerating(Code.ACL_EXISTS):
            self._tgtd.allow(tid, "ALL")
        self._tgtd.set_state(tid, ready=True)

    def _open_unit(self, tid: int, export: Export) -> None:
        with _tolerating(Code.LUN_EXISTS):
            self._tgtd.new_lun(tid, LUN, export.unit_creation)
        self._tgtd.update_lun(tid, LUN, export.unit_settings)

    def _take_away(self, iqn: str, export: Export | None) -> None:
        tid = self._tid(iqn)
        if tid is not None:
            self._empty(tid)
            with _tolerating(Code.NO_TARGET):
                self._tgtd.delete_target(tid)
        if export is not None:
            with _tolerating(Code.NO_USER):
                self._tgtd.delete_account(export.user)

    def _tid(self, iqn: str) -> int | None:
        return next((tid for tid, name in self._tgtd.target_names().items() if name == iqn), None)

    # ---- records -------------------------------------------------------------------------------

    def _export(self, volume: Volume, path: str) -> Export:
        """What is to be offered; credentials are those on record, else on file, else new."""
        known = tgt_export.read(self._directory, volume.name)
        credentials = iscsi.parse_auth(volume.provider_auth)
        if credentials is None:
            credentials = (known.user, known.secret) if known else None
        user, secret = credentials or tgt_export.generate_credentials()
        return Export(
            name=volume.name,
            iqn=self._settings.target_prefix + volume.name,
            path=path,
            user=user,
            secret=secret,
            write_cache=self._settings.write_cache,
            bsoflags=self._settings.bsoflags,
            discard=self._settings.discard,
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


def _is_right(export: Export, state: TargetState | None) -> bool:
    """Whether tgtd offers exactly this (a unit's size is not looked at)."""
    return (
        state is not None
        and state.ready
        and state.accounts == (export.user,)
        and state.acl == ("ALL",)
        and any(u.number == LUN and u.path == export.path and u.online for u in state.luns)
    )


@contextmanager
def _tolerating(*codes: Code) -> Iterator[None]:
    """Let these refusals of tgtd pass: they say that what is asked is so already."""
    try:
        yield
    except TgtdError as refused:
        if refused.code not in codes:
            raise


class TgtConfiguration(TargetConfiguration, Protocol):
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
        )
    )


def create(configuration: TargetConfiguration) -> TgtAdm:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(TgtConfiguration, configuration)
    settings = TgtSettings(
        portals=iscsi.portals_of(options),
        target_prefix=options.target_prefix,
        volumes_dir=Path(options.volumes_dir),
        write_cache=options.iscsi_write_cache != "off",
        bsoflags=options.iscsi_target_flags or "",
        discard=options.report_discard_supported,
    )
    return TgtAdm(settings, create_daemon(options))
