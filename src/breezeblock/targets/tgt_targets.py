"""The targets of one tgtd: made, mended and removed so that it offers what exports ask for."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from breezeblock.targets.errors import TargetError, TargetUnavailable
from breezeblock.targets.tgt_consumers import Consumers, tolerating
from breezeblock.targets.tgt_export import LUN, Export
from breezeblock.targets.tgt_protocol import NO_ISER, Code, TargetState, TgtdClient, TgtdError

LOG = logging.getLogger(__name__)

#: How often a pause's end is repeated because a login slipped in.
_RESUME_TRIES = 5


class Targets:
    """See the module; calls for one target must not overlap."""

    def __init__(self, tgtd: TgtdClient) -> None:
        self._tgtd = tgtd
        self._consumers = Consumers(tgtd)

    def pause(self, tid: int, export: Export) -> None:
        """Close the unit with nothing in flight; nobody gets in until ``resume``."""
        self._consumers.send_away(tid, export.driver)
        with tolerating(Code.NO_LUN):
            self._tgtd.delete_lun(tid, LUN)

    def end_sessions(self, tid: int, export: Export) -> None:
        """Send those away from an iSER target who may not enter it any more."""
        self._consumers.end_sessions(tid, export.initiators)

    def resume(self, tid: int, export: Export) -> None:
        """Open the unit and let consumers in.

        A login that began before the target went offline may end within the pause; tgt then
        drops its requests without an answer.  Such a session is there before or right after
        the target is ready, so it is looked for at both moments and sent away, to come back.
        """
        self._open_unit(tid, export)
        for _ in range(_RESUME_TRIES):
            self._consumers.send_away(tid, export.driver)
            self._tgtd.set_state(tid, ready=True)
            if not self._tgtd.connections(tid):
                return
        LOG.warning("initiators of %s logged in faster than could be looked", export.iqn)

    def put(self, export: Export) -> int:
        """Make tgtd offer ``export``, whatever it offers now; return the tid."""
        tid = self.tid(export.iqn)
        if tid is None:
            tid = self._new_target(export)
            self._fill(tid, export)
            return tid
        state = self._state(tid)
        if state is not None and is_right(export, state):
            self._align_entrance(tid, export, state)
            return tid
        LOG.info("mending the export %s", export.iqn)
        if state is not None and state.driver != export.driver:
            self.take_away(export.iqn, export)
            return self.put(export)
        self._consumers.send_away(tid, export.driver)
        self._close_entrance(tid, state)
        for user in state.accounts if state else ():
            # Not deleted: that would take it from all targets, which then ask for nothing.
            with tolerating(Code.NO_USER):
                self._tgtd.unbind_account(tid, user)
        with tolerating(Code.NO_LUN):
            self._tgtd.delete_lun(tid, LUN)
        self._fill(tid, export)
        return tid

    def _new_target(self, export: Export) -> int:
        for tid in export.tids():
            try:
                self._tgtd.new_target(tid, export.iqn, export.driver)
            except TgtdError as refused:
                if refused.code is Code.NO_DRIVER:
                    raise TargetUnavailable(reason=NO_ISER) from refused
                if refused.code is not Code.TARGET_EXISTS:
                    raise
                continue
            return tid
        raise TargetError(reason=f"no free target id for {export.iqn}")

    def _close_entrance(self, tid: int, state: TargetState | None) -> None:
        """Nobody may log in while the account is changed: a target without one asks nothing."""
        for whom in state.acl if state else ():
            with tolerating(Code.NO_ACL):
                self._tgtd.disallow(tid, whom)

    def _align_entrance(self, tid: int, export: Export, state: TargetState) -> None:
        """Let in whom the export names, and nobody else; those inside stay."""
        for whom in set(state.acl) - set(export.acl):
            with tolerating(Code.NO_ACL):
                self._tgtd.disallow(tid, whom)
        self._open_entrance(tid, export, except_for=state.acl)

    def _open_entrance(self, tid: int, export: Export, except_for: Sequence[str] = ()) -> None:
        for whom in export.acl:
            if whom not in except_for:
                with tolerating(Code.ACL_EXISTS):
                    self._tgtd.allow(tid, whom)

    def _fill(self, tid: int, export: Export) -> None:
        """Account, unit, and only then the entrance."""
        self._delete_account(export)
        with tolerating(*([Code.USER_EXISTS] if export.shared_account else [])):
            self._tgtd.new_account(export.user, export.secret)
        self._tgtd.bind_account(tid, export.user)
        self._open_unit(tid, export)
        self._open_entrance(tid, export)
        self._tgtd.set_state(tid, ready=True)

    def _open_unit(self, tid: int, export: Export) -> None:
        with tolerating(Code.LUN_EXISTS):
            self._tgtd.new_lun(tid, LUN, export.unit_creation)
        self._tgtd.update_lun(tid, LUN, export.unit_settings)

    def take_away(self, iqn: str, export: Export | None) -> None:
        tid = self.tid(iqn)
        state = None if tid is None else self._state(tid)
        if tid is not None and state is not None:
            self._consumers.send_away(tid, state.driver)
            with tolerating(Code.NO_TARGET):
                self._tgtd.delete_target(tid)
        if export is not None:
            self._delete_account(export)

    def _delete_account(self, export: Export) -> None:
        """Unless it is others' as well."""
        if not export.shared_account:
            with tolerating(Code.NO_USER):
                self._tgtd.delete_account(export.user)

    def _state(self, tid: int) -> TargetState | None:
        return next((state for state in self._tgtd.targets() if state.tid == tid), None)

    def tid(self, iqn: str) -> int | None:
        return next((tid for tid, name in self._tgtd.target_names().items() if name == iqn), None)


def is_right(export: Export, state: TargetState | None) -> bool:
    """Whether tgtd offers exactly this; neither a unit's size nor who may enter is looked at."""
    return (
        state is not None
        and state.ready
        and state.driver == export.driver
        and state.accounts == (export.user,)
        and any(u.number == LUN and u.path == export.path and u.online for u in state.luns)
    )


def admits(export: Export, state: TargetState | None) -> bool:
    """Whether tgtd lets in whom the export names, and nobody else."""
    return state is not None and set(state.acl) == set(export.acl)
