"""A guest's life, from the kernel's first breath to its command's exit status."""

from __future__ import annotations

import enum
import os
import re
import selectors
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.vm_lab import boot, qemu, root_share
from tests.vm_lab.failure import LabFailure
from tests.vm_lab.hardware import Hardware
from tests.vm_lab.processes import Processes
from tests.vm_lab.scratch import scratch_directory
from tests.vm_lab.streams import Control, Output, new_mark

#: Seconds until the command must have started (a boot takes 5 when nothing else runs).
BOOT_SECONDS = 90.0
#: Seconds that the rest of the output has to come after the command's end.
_DRAIN_SECONDS = 10.0
#: Seconds that a guest has to say what it is doing before it is killed.
_DUMP_SECONDS = 15.0
_CONSOLE_LINES = 200
#: What a terminal's user types (Ctrl-D).
_END_OF_FILE = b"\x04"
_TERMINAL_CODE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|c)")


class Ending(enum.Enum):
    """How a guest's life ended."""

    EXITED = "the command ended"
    NOT_BOOTED = f"the guest did not come up in {BOOT_SECONDS:.0f} s"
    DIED = "the guest died (kernel panic, reset or power-off)"
    TIMED_OUT = "the guest timed out"


@dataclass(frozen=True, slots=True)
class Job:
    """What a guest is to do.

    ``timeout`` limits the whole life and ``silence`` the time without output from the command,
    both in seconds.  ``environment`` is all that the command gets.  ``interactive`` hands it the
    lab's own standard input.
    """

    hardware: Hardware
    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    timeout: float = 600.0
    silence: float = float("inf")
    interactive: bool = False

    def script(self) -> str:
        """What bash runs in the guest."""
        lines = [
            f"export {name}={shlex.quote(value)}"
            for name, value in self.environment.items()
            if name.isidentifier()
        ]
        command = shlex.join(self.command)
        if self.interactive:  # on a terminal of its own
            command = f"script -qec {shlex.quote(command)} /dev/null"
        lines += [f"cd {shlex.quote(str(self.directory))} || exit 126", f"exec {command}"]
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Life:
    """What is known of a guest while it lives."""

    deadline: float
    boot_limit: float
    silence: float
    started: bool = False
    heard: float = 0.0
    status: int | None = None
    end_by: float | None = None
    dump_by: float | None = None
    console: Path = field(default_factory=Path)

    def take(self, word: str, rest: str) -> None:
        """Take a line of the control channel."""
        now = time.monotonic()
        if word == "START":
            self.started = True
            self.heard = now
        elif word == "EXIT":
            self.status = int(rest)
            self.end_by = now + _DRAIN_SECONDS
        elif word == "DUMPED":
            self.dump_by = now + 1.0  # what the kernel prints comes a little later

    def hear(self) -> None:
        """The command wrote something."""
        self.heard = time.monotonic()

    @property
    def limit(self) -> float:
        """When the next thing must have happened (``time.monotonic()``)."""
        if self.end_by is not None:
            return self.end_by
        if self.dump_by is not None:
            return self.dump_by
        waiting = self.heard + self.silence if self.started else self.boot_limit
        return min(self.deadline, waiting)


class Machine:
    """One guest: ``run`` it once."""

    def __init__(self, job: Job, root_kind: str, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self._job = job
        self._root_kind = root_kind
        self._mark = new_mark()
        self._life = Life(0.0, 0.0, job.silence)
        self._outputs = {
            name: Output(sink, self._mark, self._life.hear)
            for name, sink in (("stdout", stdout), ("stderr", stderr))
        }
        self.console = ""

    @property
    def started(self) -> bool:
        """Whether the command began."""
        return self._life.started

    @property
    def status(self) -> int | None:
        """The command's exit status, if it ended."""
        return self._life.status

    def run(self) -> Ending:
        """Boot, run the command, and leave nothing behind.

        Raises ``LabFailure`` if the host lacks something.
        """
        processes = Processes()
        with scratch_directory() as directory, ExitStack() as stack:
            stack.callback(self._keep_console, directory)
            stack.callback(processes.end)
            near, far = self._channels(stack)
            guest = self._start(directory, processes, {n: s.fileno() for n, s in far.items()})
            for end in far.values():
                end.close()
            return self._watch(guest, near)

    def _channels(
        self, stack: ExitStack
    ) -> tuple[dict[str, socket.socket], dict[str, socket.socket]]:
        names = ["control", "stdout", "stderr"] + ["stdin"] * self._job.interactive
        pairs = {name: socket.socketpair() for name in names}
        for pair in pairs.values():
            for end in pair:
                stack.enter_context(closing(end))
        return {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}

    def _start(
        self, directory: Path, processes: Processes, channels: Mapping[str, int]
    ) -> subprocess.Popen[bytes]:
        hardware = self._job.hardware
        kernel, release = boot.unpacked_kernel()
        settings = {
            "LAB_CGROUP": str(hardware.cgroup),
            "LAB_MODULES": " ".join(hardware.all_modules),
            "LAB_END": self._mark.decode(),
        }
        initramfs = directory / "initramfs"
        files = {
            "settings": "".join(f"{k}={shlex.quote(v)}\n" for k, v in settings.items()).encode(),
            "command": self._job.script().encode(),
        }
        initramfs.write_bytes(boot.initramfs(release, files))
        console = directory / "console"
        line = qemu.command_line(hardware, kernel, initramfs, self._root_kind, channels, console)
        line += root_share.arguments(self._root_kind, hardware.memory, directory, processes)
        now = time.monotonic()
        self._life.deadline = now + self._job.timeout
        self._life.boot_limit = now + BOOT_SECONDS
        return processes.start(line, directory / "qemu.log", tuple(channels.values()))

    def _watch(
        self, guest: subprocess.Popen[bytes], channels: Mapping[str, socket.socket]
    ) -> Ending:
        control = Control(channels["control"], self._life.take)
        takers = {"control": control.feed} | {n: o.feed for n, o in self._outputs.items()}
        with selectors.DefaultSelector() as selector:
            for name, take in takers.items():
                selector.register(channels[name], selectors.EVENT_READ, take)
            waiting = "stdin" in channels  # for somebody who reads it
            while (ending := self._verdict(guest, control)) is None:
                if waiting and self._life.started:
                    selector.register(sys.stdin.fileno(), selectors.EVENT_READ, channels["stdin"])
                    waiting = False
                for key, _ in selector.select(max(0.0, min(1.0, self._left()))):
                    _serve(key, selector)
        for output in self._outputs.values():
            output.flush()
        return ending

    def _left(self) -> float:
        return self._life.limit - time.monotonic()

    def _verdict(self, guest: subprocess.Popen[bytes], control: Control) -> Ending | None:
        life = self._life
        if life.status is not None:
            ended = all(output.ended for output in self._outputs.values())
            return Ending.EXITED if ended or self._left() <= 0 else None
        if guest.poll() is not None:
            return Ending.TIMED_OUT if life.dump_by is not None else Ending.DIED
        if self._left() > 0:
            return None
        if not life.started:
            return Ending.NOT_BOOTED
        if life.dump_by is None and control.say("DUMP"):
            life.dump_by = time.monotonic() + _DUMP_SECONDS
            return None
        return Ending.TIMED_OUT

    def _keep_console(self, directory: Path) -> None:
        texts = [
            path.read_text(errors="replace")
            for path in (directory / "console", directory / "qemu.log")
            if path.exists()
        ]
        lines = [_TERMINAL_CODE.sub("", line).rstrip() for line in "".join(texts).splitlines()]
        self.console = "\n".join(f"  | {line}" for line in lines[-_CONSOLE_LINES:])


def _serve(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    if isinstance(key.data, socket.socket):
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            selector.unregister(key.fileobj)
        key.data.sendall(data or _END_OF_FILE)
        return
    channel = key.fileobj
    assert isinstance(channel, socket.socket)
    try:
        data = channel.recv(65536)
    except ConnectionError:
        data = b""
    if data:
        key.data(data)
    else:
        selector.unregister(channel)


def run(job: Job, stdout: IO[bytes], stderr: IO[bytes]) -> int:
    """Run a job and return its command's exit status.

    124: it timed out (what it was doing is written to ``stderr``); 125: the guest did not come up
    or died.  A guest that does not come up is started afresh, for the last time over 9p.
    """

    def say(text: str) -> None:
        stderr.write(f"lab: {text}\n".encode())
        stderr.flush()

    kinds = root_share.kinds()
    for attempt, kind in enumerate(kinds, start=1):
        machine = Machine(job, kind, stdout, stderr)
        try:
            ending = machine.run()
        except LabFailure as failure:
            say(str(failure))
            return 125
        if ending is Ending.EXITED:
            return machine.status or 0
        say(f"{ending.value}; its console ends:\n{machine.console}")
        if machine.started or attempt == len(kinds):
            break
        say("starting it once more")
    return 124 if ending is Ending.TIMED_OUT else 125
