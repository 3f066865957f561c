"""Run a program: the only module of the service that spawns child processes.

- The command is a list of arguments; no shell ever sees it.
- Messages are in English and in a stable form: ``LC_ALL=C``.
- A child that is not done in time is killed with everything it started (its process group).
- A secret travels by standard input (``stdin=``) or as a file that only this child can open
  (``SecretFile`` among the arguments), never on a command line, where every user of the machine
  could read it.  Neither is logged.
- Output is bounded, so that a program gone wild cannot take the service's memory.
"""

from __future__ import annotations

import logging
import math
import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from breezeblock.domain.errors import BreezeblockError

LOG = logging.getLogger(__name__)

#: Seconds a command gets if the caller names no limit.
DEFAULT_TIMEOUT = 60.0
#: Bytes of standard output a caller gets at most, unless it asks for more.
MAX_OUTPUT = 16 * 1024 * 1024
#: Bytes of standard error that are kept: the last ones, where programs say why they end.
MAX_STDERR = 64 * 1024
#: Bytes of a line that ``stream`` hands over at most.
MAX_LINE = 1024 * 1024
#: Seconds between two looks at whether a child has ended or is to be ended.
_TICK_SECONDS = 0.2
_LINE_END = re.compile(rb"[\r\n]+")
#: Seconds to wait for pipes that a grandchild still holds after the child itself has ended.
_DRAIN_SECONDS = 1.0


class CommandError(BreezeblockError):
    """Base of what ``run`` raises."""

    symbol = "command-error"
    template = "The command '{command}' could not be run: {reason}"
    exit_code: int | None = None
    stderr: str = ""


class CommandFailed(CommandError):
    """The program ended with a code the caller does not accept (negative: by that signal)."""

    symbol = "command-failed"
    template = "The command '{command}' failed with exit code {exit_code}: {stderr}"

    def __init__(self, command: str, exit_code: int, stderr: str) -> None:
        super().__init__(command=command, exit_code=exit_code, stderr=stderr.strip()[-2000:])
        self.command = command
        self.exit_code = exit_code
        self.stderr = stderr


class CommandTimedOut(CommandError):
    """The program did not end in time and was killed."""

    symbol = "command-timed-out"
    template = "The command '{command}' did not end within {seconds} s and was killed."
    transient = True

    def __init__(self, command: str, seconds: float, stderr: str = "") -> None:
        super().__init__(command=command, seconds=seconds)
        self.command = command
        self.stderr = stderr


class CommandOutputTooLarge(CommandError):
    """The program wrote more than the caller allows and was killed."""

    symbol = "command-output-too-large"
    template = "The command '{command}' wrote more than {limit} bytes and was killed."


class CommandNotFound(CommandError):
    """There is no such program, or it may not be run."""

    symbol = "command-not-found"
    template = "The program '{program}' is not installed or not executable: {reason}"


class CommandNotPlaced(CommandError):
    """The program could not be put into its cgroup and was killed."""

    symbol = "command-not-placed"
    template = "The command '{command}' could not be put into the cgroup {cgroup}: {reason}"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """An argument that the child sees as the path of a file with this content.

    The file is anonymous memory, open in the child alone.
    """

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")


class Execute(Protocol):
    """The shape of ``run``; drivers get it handed in."""

    def __call__(
        self,
        command: Sequence[str | SecretFile],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        stdin: bytes | None = None,
        accept: Collection[int] = (0,),
        environment: Mapping[str, str] | None = None,
        max_output: int = MAX_OUTPUT,
    ) -> Completed:
        """Run ``command`` to its end."""


def run(
    command: Sequence[str | SecretFile],
    *,
    timeout: float = DEFAULT_TIMEOUT,
    stdin: bytes | None = None,
    accept: Collection[int] = (0,),
    environment: Mapping[str, str] | None = None,
    max_output: int = MAX_OUTPUT,
) -> Completed:
    """Run ``command`` to its end and return what it wrote.

    ``timeout`` is in seconds, ``accept`` names the exit codes that are no failure,
    ``environment`` is added to the service's own.  Raises ``CommandNotFound``,
    ``CommandFailed``, ``CommandTimedOut`` or ``CommandOutputTooLarge``.
    """
    shown = _shown(command)
    started = time.monotonic()
    with _spawned(command, shown, stdin, environment) as child:
        try:
            stdout, stderr = _Pipes(child, stdin, max_output).pump(started + timeout, shown)
            exit_code = child.wait(timeout=max(0.0, started + timeout - time.monotonic()))
        except (_Late, subprocess.TimeoutExpired) as late:
            kept = late.stderr if isinstance(late, _Late) else ""
            raise CommandTimedOut(shown, timeout, kept) from None
    LOG.debug("%s ended with %d after %.3f s", shown, exit_code, time.monotonic() - started)
    if exit_code not in accept:
        raise CommandFailed(shown, exit_code, stderr)
    return Completed(exit_code, stdout, stderr)


def stream(
    command: Sequence[str | SecretFile],
    *,
    on_line: Callable[[str], None],
    on_tick: Callable[[], None],
    timeout: float = math.inf,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    cgroup: Path | None = None,
) -> str:
    """Run ``command`` to its end and hand over each line of its output; return standard error.

    For programs that take long and tell how far they are.  ``on_line`` gets what lies between
    line feeds or carriage returns (progress bars use these).  ``on_tick`` is called at least
    once a second.  What either raises kills the program and passes through.

    With ``cgroup``, a directory of a cgroup file system, the program is put into that
    group before it gets ``stdin``.  Raises as ``run`` does, and ``CommandNotPlaced``.
    """
    shown = _shown(command)
    started = time.monotonic()
    with _spawned(command, shown, stdin, environment) as child:
        if cgroup is not None:
            _place(child, cgroup, shown)
        try:
            pipes = _LinePipes(child, stdin, on_line, on_tick)
            _, stderr = pipes.pump(started + timeout, shown)
            exit_code = _wait(child, started + timeout, on_tick)
        except (_Late, subprocess.TimeoutExpired) as late:
            kept = late.stderr if isinstance(late, _Late) else ""
            raise CommandTimedOut(shown, timeout, kept) from None
    if exit_code != 0:
        raise CommandFailed(shown, exit_code, stderr)
    return stderr


def start_daemon(
    command: Sequence[str], *, log_path: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that outlives the service, in a session of its own.

    Its standard input is an empty file opened for reading only, its output is appended to
    ``log_path`` (mode 0600).  The caller may poll the returned object to see an early end.
    Raises ``CommandNotFound``.
    """
    shown = shlex.join(command)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        LOG.info("starting %s", shown)
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(environment),
            start_new_session=True,
            cwd="/",
        )
    except OSError as failure:
        raise CommandNotFound(program=command[0], reason=failure.strerror) from failure
    finally:
        os.close(log)


def _shown(command: Sequence[str | SecretFile]) -> str:
    return shlex.join("<secret>" if isinstance(a, SecretFile) else a for a in command)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    environment = {**os.environ, **(extra or {}), "LC_ALL": "C"}
    environment.pop("LANGUAGE", None)
    return environment


@contextmanager
def _spawned(
    command: Sequence[str | SecretFile],
    shown: str,
    stdin: bytes | None,
    environment: Mapping[str, str] | None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child; whatever happens in the block, nothing of it is left behind."""
    secrets: list[int] = []
    try:
        arguments = [_argument(part, secrets) for part in command]
        try:
            child = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(environment),
                pass_fds=secrets,
                start_new_session=True,
            )
        except OSError as failure:
            raise CommandNotFound(program=arguments[0], reason=failure.strerror) from failure
    finally:
        for fd in secrets:
            os.close(fd)
    LOG.debug("running %s (pid %d)", shown, child.pid)
    try:
        yield child
    finally:
        if child.poll() is None:
            _kill_group(child)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                _close_quietly(pipe)


def _argument(part: str | SecretFile, secrets: list[int]) -> str:
    if isinstance(part, str):
        return part
    fd = os.memfd_create("secret")
    secrets.append(fd)
    os.write(fd, part.content)
    os.lseek(fd, 0, os.SEEK_SET)
    return f"/dev/fd/{fd}"


def _place(child: subprocess.Popen[bytes], cgroup: Path, shown: str) -> None:
    try:
        (cgroup / "cgroup.procs").write_text(str(child.pid))
    except OSError as failure:
        # A child that has ended already needs no limit.
        if child.poll() is None:
            raise CommandNotPlaced(
                command=shown, cgroup=cgroup, reason=failure.strerror
            ) from failure


def _wait(child: subprocess.Popen[bytes], deadline: float, on_tick: Callable[[], None]) -> int:
    """Wait for a child that has closed its output."""
    while True:
        on_tick()
        rest = max(0.0, deadline - time.monotonic())
        try:
            return child.wait(timeout=min(_TICK_SECONDS, rest))
        except subprocess.TimeoutExpired:
            if rest <= _TICK_SECONDS:
                raise


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        child.kill()
    child.wait()


def _close_quietly(pipe: IO[bytes]) -> None:
    """A child that ended early leaves unread input behind; that is told by its exit code."""
    try:
        pipe.close()
    except BrokenPipeError:
        return


class _Late(Exception):
    """The deadline passed while the child still talked."""

    def __init__(self, stderr: str) -> None:
        super().__init__()
        self.stderr = stderr


class _Pipes:
    """Feeds a child's input and collects its output without ever blocking on one of them."""

    def __init__(
        self, child: subprocess.Popen[bytes], stdin: bytes | None, max_output: int
    ) -> None:
        self._child = child
        self._input = memoryview(stdin or b"")
        self._limit = max_output
        self._stdout = bytearray()
        self._stderr = bytearray()

    def pump(self, deadline: float, shown: str) -> tuple[bytes, str]:
        """Return standard output and error when both ended."""
        with selectors.DefaultSelector() as selector:
            for pipe, event in (
                (self._child.stdout, selectors.EVENT_READ),
                (self._child.stderr, selectors.EVENT_READ),
                (self._child.stdin, selectors.EVENT_WRITE),
            ):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, event)
            ended: float | None = None
            while selector.get_map():
                now = time.monotonic()
                if ended is None and self._child.poll() is not None:
                    ended = now + _DRAIN_SECONDS
                if ended is not None and now > ended:
                    break
                if now > deadline:
                    raise _Late(self._error_text())
                for key, _ in selector.select(min(_TICK_SECONDS, deadline - now)):
                    self._serve(key.fileobj, selector)
                self._tick()
                if len(self._stdout) > self._limit:
                    raise CommandOutputTooLarge(command=shown, limit=self._limit)
        return bytes(self._stdout), self._error_text()

    def _error_text(self) -> str:
        return self._stderr.decode("utf-8", "replace")

    def _serve(self, pipe: Any, selector: selectors.BaseSelector) -> None:
        writable: bool = pipe is self._child.stdin
        if writable:
            try:
                self._input = self._input[os.write(pipe.fileno(), self._input[:65536]) :]
            except BrokenPipeError:
                self._input = self._input[:0]
            if not self._input:
                selector.unregister(pipe)
                _close_quietly(pipe)
            return
        data = os.read(pipe.fileno(), 65536)
        if not data:
            selector.unregister(pipe)
        elif pipe is self._child.stdout:
            self._collect(data)
        else:
            self._stderr += data
            del self._stderr[:-MAX_STDERR]

    def _collect(self, data: bytes) -> None:
        self._stdout += data

    def _tick(self) -> None:
        """Called several times a second."""


class _LinePipes(_Pipes):
    """Hands over standard output line by line instead of keeping it."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        stdin: bytes | None,
        on_line: Callable[[str], None],
        on_tick: Callable[[], None],
    ) -> None:
        # What is kept is a line that has not ended yet.
        super().__init__(child, stdin, MAX_LINE)
        self._on_line = on_line
        self._on_tick = on_tick

    def _tick(self) -> None:
        self._on_tick()

    def pump(self, deadline: float, shown: str) -> tuple[bytes, str]:
        rest, stderr = super().pump(deadline, shown)
        if rest:
            self._on_line(rest.decode("utf-8", "replace"))
        return b"", stderr

    def _collect(self, data: bytes) -> None:
        *lines, rest = _LINE_END.split(bytes(self._stdout + data))
        self._stdout[:] = rest
        for line in lines:
            if line:
                self._on_line(line.decode("utf-8", "replace"))
