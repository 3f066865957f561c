"""Sending the consumers of one of tgtd's targets away, until nothing of theirs is in flight.

A connection's end in tgtd is not at once: it is listed until its last request is done, so an
empty list means that nothing is in flight.  The two drivers differ in what they survive:

- iSCSI (TCP): an offline target lets nobody in and drops requests without an answer, which
  initiators repeat.  A connection may be closed again and again.
- iSER (RDMA): a dropped request is never given back, and its connection never ends; each close
  gives back one reference too many, so a second one frees a connection that is in use.  The
  entrance is closed by the access list instead while each connection is closed once, and the
  target goes offline when nobody is left.  And tgtd dies of a request that is done later than
  RDMA's own end of the connection (about 2 s), so slow storage is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

from breezeblock.targets.errors import TargetError
from breezeblock.targets.tgt_protocol import (
    Code,
    Connection,
    TgtdClient,
    TgtdError,
    is_initiator_name,
)

#: Seconds to wait for requests in flight; the storage below may be slow, not dead.
DRAIN_SECONDS = 20.0
#: Seconds in which a login that had passed the access list ends.
_LOGIN_SECONDS = 0.05
#: An iSER request in flight for longer than this keeps its connection from being closed.
_PROMPT_SECONDS = 1.0


@contextmanager
def tolerating(*codes: Code) -> Iterator[None]:
    """Let these refusals of tgtd pass: they say that what is asked is so already."""
    try:
        yield
    except TgtdError as refused:
        if refused.code not in codes:
            raise


class Consumers:
    """Those who are logged in, of all targets of one tgtd."""

    def __init__(self, tgtd: TgtdClient) -> None:
        self._tgtd = tgtd
        #: What was closed and may still be listed, as (tid, session): RDMA only.
        self._closed: set[tuple[int, int]] = set()

    def send_away(self, tid: int, driver: str) -> None:
        """Take a target offline with nobody connected and nothing in flight.

        Raises ``TargetError``; an iSER target is then open as it was, another one is offline.
        """
        if driver == "iser":
            self._require_prompt_storage(tid)
            with self._shut(tid):
                self._drain(tid, self._close_once)
                time.sleep(_LOGIN_SECONDS)
                self._drain(tid, self._close_once)
                self._tgtd.set_state(tid, ready=False)
        else:
            self._tgtd.set_state(tid, ready=False)
            self._drain(tid, self._close)

    def end_sessions(self, tid: int, staying: Container[str]) -> None:
        """Close the iSER connections of all initiators but some; the others must be shut out.

        Raises ``TargetError`` with no session ended if requests are not done promptly.
        """
        self._require_prompt_storage(tid)
        for connection in self._tgtd.connections(tid):
            if connection.initiator not in staying:
                self._close_once(tid, connection)

    def _require_prompt_storage(self, tid: int) -> None:
        """See that what is in flight now is done soon."""
        begun = {key: counts[0] for key, counts in self._tgtd.requests(tid).items()}
        deadline = time.monotonic() + _PROMPT_SECONDS
        # A session that has left meanwhile is missing.
        while any(done < begun.get(key, 0) for key, (_, done) in self._tgtd.requests(tid).items()):
            if time.monotonic() > deadline:
                raise TargetError(
                    reason=f"requests over iSER have been in flight for {_PROMPT_SECONDS:.0f} s, "
                    "and tgtd would not survive the end of their sessions. Look at the storage "
                    "below, then try again",
                    transient=True,
                )
            time.sleep(0.01)

    @contextmanager
    def _shut(self, tid: int) -> Iterator[None]:
        """Let nobody in whose name is on the list."""
        lists = (state.acl for state in self._tgtd.targets() if state.tid == tid)
        names = [entry for acl in lists for entry in acl if is_initiator_name(entry)]
        for name in names:
            with tolerating(Code.NO_ACL):
                self._tgtd.disallow(tid, name)
        try:
            yield
        finally:
            for name in names:
                with tolerating(Code.ACL_EXISTS):
                    self._tgtd.allow(tid, name)

    def _drain(self, tid: int, close: Callable[[int, Connection], None]) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        wait = 0.0005
        while connections := self._tgtd.connections(tid):
            for connection in connections:
                close(tid, connection)
            if time.monotonic() > deadline:
                raise TargetError(
                    reason=f"requests are still in flight after {DRAIN_SECONDS:.0f} s. "
                    "Look at the storage below, then try again",
                    transient=True,
                )
            time.sleep(wait)
            wait = min(wait * 2, 0.05)
        self._closed = {(target, session) for target, session in self._closed if target != tid}

    def _close(self, tid: int, connection: Connection) -> None:
        # Gone meanwhile is what we want.
        with tolerating(Code.NO_SESSION, Code.NO_CONNECTION):
            self._tgtd.close_connection(tid, connection)

    def _close_once(self, tid: int, connection: Connection) -> None:
        if (tid, connection.session) not in self._closed:
            self._closed.add((tid, connection.session))
            self._close(tid, connection)
