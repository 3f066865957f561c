"""What is seen of a group without asking LVM."""

from __future__ import annotations

import subprocess
import sys

from breezeblock.drivers.lvm import kernel

WAIT = ["-c", "import sys; sys.stdin.read()"]


def test_commands_that_still_run() -> None:
    """A process with the name and the arguments of an LVM command is told from others."""

    def spawn(*words: str) -> subprocess.Popen[bytes]:
        arguments = [words[0], *WAIT, *words[1:]]
        return subprocess.Popen(arguments, executable=sys.executable, stdin=subprocess.PIPE)

    changing = [spawn("/sbin/lvcreate", "-n", "x", "group-7"), spawn("lvremove", "group-7/x")]
    others = [spawn("lvs", "group-7"), spawn("lvremove", "group-77/x"), spawn("cat", "group-7")]
    try:
        assert kernel.running_commands("group-7") == {process.pid for process in changing}
    finally:
        for process in changing + others:
            process.communicate()
    assert kernel.running_commands("group-7") == set()


def test_what_is_not_there() -> None:
    assert not kernel.is_active("no-group", "volume-1")
    assert kernel.is_thin("no-group", "volume-1") is None
    assert kernel.holders("no-group", "volume-1") == []
