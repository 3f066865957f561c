"""The management protocol of tgtd, spoken over its unix socket.

One connection carries one request: a fixed header in the machine's byte order, then parameters
as text ended by a zero byte; the answer is a code, a length, and for questions a text.  Speaking
it directly saves a process per request, keeps secrets off command lines, and gives error codes
instead of messages.  tgtd answers only the user (and group) it runs as.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from breezeblock.targets.errors import TargetError, TargetUnavailable

#: Where the distribution's tgtd listens; a dot and the control port follow.
SYSTEM_SOCKET = "/var/run/tgtd/socket"

_INITIATOR_NAME = re.compile(r"(?:iqn|eui|naa)\.[^\s,\0]{1,219}")

# mode, operation, driver, length of all, tid, session, lun, connection, host number,
# device type, account direction, pack, force
_REQUEST = struct.Struct("@ii64sIiQQIIIIII")
_ANSWER = struct.Struct("@II")
#: tgtd refuses more parameter bytes than this.
_MAX_PARAMETERS = 8 * 1024
#: An answer larger than this is not one of tgtd's (some hundred bytes per target and session).
_MAX_ANSWER = 256 * 1024 * 1024


class Op(IntEnum):
    """What to do."""

    NEW = 0
    DELETE = 1
    SHOW = 2
    BIND = 3
    UNBIND = 4
    UPDATE = 5
    STATS = 6


class Mode(IntEnum):
    """With what kind of thing."""

    SYSTEM = 0
    TARGET = 1
    DEVICE = 2
    PORTAL = 3
    DRIVER = 4
    SESSION = 5
    CONNECTION = 6
    ACCOUNT = 7


#: Why tgtd has no driver ``iser``, and what to do.
NO_ISER = (
    "tgtd has no iSER: it found no RDMA device when it started, or another process listens at "
    "RDMA port 3260. Set up the device, run: modprobe rdma_ucm; then start tgtd anew (it must "
    "not serve volumes meanwhile)"
)

#: A target id that no volume gets: those have 28 bits.
_NOBODYS_TID = 0x7FFFFFF0


class Code(IntEnum):
    """How tgtd answered."""

    SUCCESS = 0
    UNKNOWN_ERROR = 1
    NO_MEMORY = 2
    NO_DRIVER = 3
    NO_TARGET = 4
    NO_LUN = 5
    NO_SESSION = 6
    NO_CONNECTION = 7
    NO_BINDING = 8
    TARGET_EXISTS = 9
    LUN_EXISTS = 10
    BINDING_EXISTS = 11
    ACL_EXISTS = 12
    NO_ACL = 13
    USER_EXISTS = 14
    NO_USER = 15
    TOO_MANY_USERS = 16
    INVALID_REQUEST = 17
    OUT_ACCOUNT_EXISTS = 18
    TARGET_ACTIVE = 19
    LUN_ACTIVE = 20
    DRIVER_ACTIVE = 21
    UNSUPPORTED_OPERATION = 22
    UNKNOWN_PARAMETER = 23
    PREVENT_REMOVAL = 24


class TgtdError(TargetError):
    """tgtd refused a request; ``code`` says why."""

    symbol = "tgtd-error"
    template = "tgtd refused to {what}: {code_name}"

    def __init__(self, what: str, code: Code) -> None:
        super().__init__(
            what=what,
            code_name=code.name.lower().replace("_", " "),
            transient=code in {Code.TARGET_ACTIVE, Code.LUN_ACTIVE, Code.NO_MEMORY},
        )
        self.code = code


@dataclass(frozen=True, slots=True)
class Connection:
    """One initiator's TCP connection into a target."""

    session: int
    connection: int
    initiator: str


@dataclass(frozen=True, slots=True)
class Lun:
    """One logical unit of a target; ``path`` is None for tgtd's own controller."""

    number: int
    path: str | None
    online: bool


@dataclass(frozen=True, slots=True)
class TargetState:
    """A target as tgtd describes it."""

    tid: int
    name: str
    driver: str
    ready: bool
    luns: tuple[Lun, ...]
    accounts: tuple[str, ...]
    acl: tuple[str, ...]
    sessions: int


def _header(  # noqa: PLR0913 - the fields of the protocol's header
    mode: Mode,
    op: Op,
    *,
    driver: bytes,
    body_size: int = 0,
    tid: int = 0,
    session: int = 0,
    lun: int = 0,
    connection: int = 0,
    direction: int = 0,
) -> bytes:
    """``struct tgtadm_req``; host number, device type, pack and force stay 0."""
    size = _REQUEST.size + body_size
    return _REQUEST.pack(
        mode, op, driver, size, tid, session, lun, connection, 0, 0, direction, 0, 0
    )


class TgtdClient:
    """Requests to one tgtd.  Holds no connection; safe to use from any thread."""

    def __init__(
        self,
        socket_path: str | Path,
        control_port: int = 0,
        *,
        timeout: float = 10.0,
    ) -> None:
        """``timeout`` bounds, in seconds, each wait for tgtd (it answers in microseconds
        unless the machine is in trouble)."""
        self.socket_path = f"{socket_path}.{control_port}"
        self._timeout = timeout

    # ---- transport ---------------------------------------------------------------------------

    def _request(  # noqa: PLR0913 - the fields of the protocol's header
        self,
        what: str,
        mode: Mode,
        op: Op,
        parameters: str = "",
        *,
        tid: int = 0,
        session: int = 0,
        connection: int = 0,
        lun: int = 0,
        direction: int = 0,
        driver: str = "iscsi",
    ) -> str:
        """Send one request and return the text of the answer.

        ``what`` says in an error what was tried; it holds no secret.  Raises ``TgtdError`` and
        ``TargetUnavailable``.
        """
        body = parameters.encode() + b"\0" if parameters else b""
        if len(body) > _MAX_PARAMETERS:
            raise TgtdError(what, Code.INVALID_REQUEST)
        header = _header(
            mode,
            op,
            driver=driver.encode(),
            body_size=len(body),
            tid=tid,
            session=session,
            lun=lun,
            connection=connection,
            direction=direction,
        )
        _, code, text = self._exchange(header + body)
        if code != Code.SUCCESS:
            raise TgtdError(what, _code(code))
        return text.rstrip(b"\0").decode("utf-8", "replace")

    def _exchange(self, message: bytes) -> tuple[int, int, bytes]:
        """Send a whole request; returns (tgtd's process id, answer's code, answer's text).

        Nothing connects without asking something: tgtd does not notice that a peer leaves
        before its request is complete, keeps its descriptor for good and spins on it.
        """
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.settimeout(self._timeout)
                peer.connect(self.socket_path)
                credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                peer.sendall(message)
                code, length = _ANSWER.unpack(_receive(peer, _ANSWER.size))
                length -= _ANSWER.size
                if not 0 <= length <= _MAX_ANSWER:
                    raise OSError("nonsense answer")
                text = _receive(peer, length) if length and code == Code.SUCCESS else b""
        except OSError as failure:
            reason = failure.strerror or str(failure)
            raise TargetUnavailable(
                reason=f"{self.socket_path}: {reason}. Is tgtd running, as the same user?",
                transient=True,
            ) from failure
        pid: int = struct.unpack("iII", credentials)[0]
        return pid, code, text

    def peer_pid(self) -> int:
        """The process that answers on the socket.  Raises ``TargetUnavailable``."""
        pid, _, _ = self._exchange(_header(Mode.PORTAL, Op.SHOW, driver=b"iscsi"))
        return pid

    # ---- the daemon --------------------------------------------------------------------------

    def ping(self) -> None:
        """Return if tgtd serves iSCSI.  Raises ``TargetUnavailable`` or ``TgtdError``."""
        self._request("show its portals", Mode.PORTAL, Op.SHOW)

    def has_driver(self, driver: str) -> bool:
        """Whether tgtd serves ``iscsi`` or ``iser``; iSER only if it began with an RDMA device."""
        try:
            self._request("show its portals", Mode.PORTAL, Op.SHOW, driver=driver)
        except TgtdError as refused:
            if refused.code is Code.NO_DRIVER:
                return False
            raise
        return True

    def portals(self) -> list[str]:
        """Where it listens, as ``ip:port``."""
        text = self._request("show its portals", Mode.PORTAL, Op.SHOW)
        return re.findall(r"^Portal: (\S+),\d+$", text, re.MULTILINE)

    def add_portal(self, portal: str) -> None:
        """Listen on ``ip:port`` as well."""
        self._request(f"listen on {portal}", Mode.PORTAL, Op.NEW, f"portal={portal}")

    def shut_down(self) -> None:
        """End the daemon; it refuses while it has targets."""
        self._request("shut down", Mode.SYSTEM, Op.DELETE)

    def shake_off_dead_peers(self) -> None:
        """Make tgtd let go of peers that died between connecting and asking.

        It reads nothing from them, again and again with a whole core, because it then looks at
        an ``errno`` that an earlier read of another socket left at EAGAIN.  A request that makes
        it fail to open a file changes that, and the next look at the dead ones ends them.
        """
        nowhere = "path=/nonexistent/breezeblock"
        for what, mode, op, parameters in (
            ("make room", Mode.TARGET, Op.NEW, "targetname=iqn.2010-10.org.openstack:nobody"),
            ("open nothing", Mode.DEVICE, Op.NEW, nowhere),
            ("make room again", Mode.TARGET, Op.DELETE, ""),
        ):
            # Another worker may be at the same: whichever comes second does no harm.
            with suppress(TgtdError):
                self._request(what, mode, op, parameters, tid=_NOBODYS_TID, lun=1)

    # ---- targets -----------------------------------------------------------------------------

    def target_names(self) -> dict[int, str]:
        """All targets' names by tid; the cheapest list there is."""
        text = self._request("list its targets", Mode.DRIVER, Op.SHOW)
        return {int(tid): name for tid, name in re.findall(r"Target (\d+): (\S+)", text)}

    def targets(self) -> list[TargetState]:
        """Everything about all targets; costs with their number."""
        text = self._request("show its targets", Mode.TARGET, Op.SHOW, tid=-1)
        return list(parse_targets(text))

    def new_target(self, tid: int, name: str, driver: str = "iscsi") -> None:
        """Make an empty target that nobody may enter yet.

        ``driver`` is ``iscsi`` or ``iser``.  Afterwards tgtd knows a target's driver by itself.
        """
        self._request(
            f"create target {name}",
            Mode.TARGET,
            Op.NEW,
            f"targetname={name}",
            tid=tid,
            driver=driver,
        )

    def delete_target(self, tid: int) -> None:
        """Remove a target without sessions.

        There is a forced variant; it is not used, because tgtd ends itself when a command of
        such a target is still in flight.
        """
        self._request(f"delete target {tid}", Mode.TARGET, Op.DELETE, tid=tid)

    def set_state(self, tid: int, *, ready: bool) -> None:
        """Offline: no login is let in, and a command that still comes is dropped unanswered."""
        state = "ready" if ready else "offline"
        self._request(
            f"set target {tid} {state}", Mode.TARGET, Op.UPDATE, f"state={state}", tid=tid
        )

    def allow(self, tid: int, whom: str) -> None:
        """Let the initiator of this name, or those at this address (or ``ALL``), in.

        One of the two is enough over TCP; over iSER tgtd wants both.
        """
        self._request(
            f"allow {whom} into target {tid}", Mode.TARGET, Op.BIND, _admission(whom), tid=tid
        )

    def disallow(self, tid: int, whom: str) -> None:
        self._request(
            f"disallow {whom} into target {tid}", Mode.TARGET, Op.UNBIND, _admission(whom), tid=tid
        )

    # ---- logical units -----------------------------------------------------------------------

    def new_lun(self, tid: int, lun: int, parameters: str) -> None:
        self._request(
            f"add unit {lun} to target {tid}", Mode.DEVICE, Op.NEW, parameters, tid=tid, lun=lun
        )

    def update_lun(self, tid: int, lun: int, parameters: str) -> None:
        self._request(
            f"set up unit {lun} of target {tid}",
            Mode.DEVICE,
            Op.UPDATE,
            parameters,
            tid=tid,
            lun=lun,
        )

    def delete_lun(self, tid: int, lun: int) -> None:
        """Close a unit; refused (``LUN_ACTIVE``) while a command is in flight."""
        self._request(
            f"remove unit {lun} of target {tid}", Mode.DEVICE, Op.DELETE, tid=tid, lun=lun
        )

    # ---- consumers ---------------------------------------------------------------------------

    def connections(self, tid: int) -> list[Connection]:
        """Who is connected.  A closed one is listed until its last command is done."""
        text = self._request(f"show connections of target {tid}", Mode.CONNECTION, Op.SHOW, tid=tid)
        return [
            Connection(int(session), int(connection), initiator)
            for session, connection, initiator in re.findall(
                r"Session: (\d+)\s+Connection: (\d+)\s+Initiator: (\S*)", text
            )
        ]

    def requests(self, tid: int) -> dict[tuple[int, int], tuple[int, int]]:
        """Reads and writes begun and done, by (unit, session) of those who are connected."""
        text = self._request(f"count requests of target {tid}", Mode.TARGET, Op.STATS, tid=tid)
        rows = [[int(field) for field in line.split()] for line in text.splitlines()[1:]]
        # target, unit, session; then bytes and requests: reads begun, done, writes begun, done
        return {(row[1], row[2]): (row[4] + row[8], row[6] + row[10]) for row in rows}

    def close_connection(self, tid: int, connection: Connection) -> None:
        self._request(
            f"close a connection of target {tid}",
            Mode.CONNECTION,
            Op.DELETE,
            tid=tid,
            session=connection.session,
            connection=connection.connection,
        )

    # ---- accounts ----------------------------------------------------------------------------

    def new_account(self, user: str, password: str) -> None:
        self._request("add an account", Mode.ACCOUNT, Op.NEW, f"user={user},password={password}")

    def delete_account(self, user: str) -> None:
        self._request("remove an account", Mode.ACCOUNT, Op.DELETE, f"user={user}")

    def bind_account(self, tid: int, user: str) -> None:
        """Demand this account of whoever logs in."""
        self._request(
            f"bind an account to target {tid}",
            Mode.ACCOUNT,
            Op.BIND,
            f"user={user}",
            tid=tid,
            direction=0,
        )

    def unbind_account(self, tid: int, user: str) -> None:
        """Demand it no more; a target without any account asks nothing."""
        self._request(
            f"unbind an account from target {tid}",
            Mode.ACCOUNT,
            Op.UNBIND,
            f"user={user}",
            tid=tid,
            direction=0,
        )


def is_initiator_name(text: str) -> bool:
    """Whether this is a name that tgtd can hold of an initiator (RFC 7143, 4.2.7), no address."""
    return _INITIATOR_NAME.fullmatch(text) is not None


def _admission(whom: str) -> str:
    return f"initiator-{'name' if is_initiator_name(whom) else 'address'}={whom}"


def parse_targets(text: str) -> Iterator[TargetState]:
    """The targets in tgtd's description of itself."""
    for block in re.split(r"^(?=Target \d+: )", text, flags=re.MULTILINE):
        head = re.match(r"Target (\d+): (\S+)", block)
        if head is None:
            continue
        parts = re.split(r"^    (?=\S)", block, flags=re.MULTILINE)
        sections = {part.partition("\n")[0]: part.partition("\n")[2] for part in parts[1:]}
        driver = re.search(r"Driver: (\S+)", sections.get("System information:", ""))
        yield TargetState(
            tid=int(head[1]),
            name=head[2],
            driver=driver[1] if driver else "",
            ready="State: ready" in sections.get("System information:", ""),
            luns=tuple(_luns(sections.get("LUN information:", ""))),
            accounts=tuple(sections.get("Account information:", "").split()),
            acl=tuple(sections.get("ACL information:", "").split()),
            sessions=sections.get("I_T nexus information:", "").count("I_T nexus: "),
        )


def _luns(text: str) -> Iterator[Lun]:
    for block in re.split(r"^(?=\s+LUN: \d+$)", text, flags=re.MULTILINE):
        number = re.match(r"\s+LUN: (\d+)$", block, re.MULTILINE)
        path = re.search(r"Backing store path: (.*)$", block, re.MULTILINE)
        if number and path:
            yield Lun(
                number=int(number[1]),
                path=None if path[1] == "None" else path[1],
                online="Online: Yes" in block,
            )


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        return Code.UNKNOWN_ERROR


def _receive(peer: socket.socket, length: int) -> bytes:
    """Exactly ``length`` bytes, else ``OSError``."""
    received = bytearray()
    while len(received) < length:
        part = peer.recv(min(length - len(received), 1 << 20))
        if not part:
            raise OSError("connection closed before the answer was complete")
        received += part
    return bytes(received)
