"""Run a command in a virtual machine with a full Linux kernel and this machine's files.

    python -m tests.vm_lab [--disk GiB]... [options] -- COMMAND [ARGUMENT...]

The command runs as root in the current directory, with this environment.  What it writes is held
in memory and is gone afterwards.  The exit status is the command's; 124: timed out; 125: the
guest did not come up or died.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.vm_lab.environment import guest_environment
from tests.vm_lab.hardware import Hardware
from tests.vm_lab.machine import Job, run


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.vm_lab", description=__doc__)
    add = parser.add_argument
    add("--disk", type=float, action="append", default=[], metavar="GiB", help="a scratch disk")
    add("--mem", type=int, default=2048, metavar="MiB", help="memory (2048)")
    add("--cpus", type=int, default=1, help="processors (1; more are seldom faster)")
    add("--nic-pair", action="store_true", help="two network cards wired to each other")
    add("--cgroup", type=int, choices=(1, 2), default=2, help="version of control groups (2)")
    add("--module", action="append", default=[], help="a kernel module to load first")
    add("--timeout", type=float, default=600, metavar="S", help="seconds in all (600)")
    add("--silence", type=float, default=float("inf"), metavar="S", help="seconds without output")
    add("--interactive", action="store_true", help="give the command this terminal")
    add("command", nargs="+")
    return parser.parse_args(arguments)


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    """Every key, Ctrl-C too, is for the guest's terminal."""
    if not (wanted and sys.stdin.isatty()):
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Run the lab; return the exit status."""
    options = _parse(arguments)
    if os.geteuid() != 0:
        print("lab: must be root: a guest sees this machine's files as root", file=sys.stderr)
        return 125
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    job = Job(
        hardware=Hardware(
            disks=tuple(options.disk),
            memory=options.mem,
            cpus=options.cpus,
            nic_pair=options.nic_pair,
            cgroup=options.cgroup,
            modules=tuple(options.module),
        ),
        command=options.command,
        directory=Path.cwd(),
        environment=guest_environment(os.environ),
        timeout=options.timeout,
        silence=options.silence,
        interactive=options.interactive,
    )
    with _raw_terminal(options.interactive):
        return run(job, sys.stdout.buffer, sys.stderr.buffer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
