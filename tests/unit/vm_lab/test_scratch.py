"""Nothing of a lab that was killed stays for good."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.vm_lab.boot import ROOT
from tests.vm_lab.scratch import scratch_directory

CHILD = """
import os, signal, sys
from tests.vm_lab.scratch import scratch_directory
with scratch_directory() as directory:
    print(directory, flush=True)
    sys.stdin.read() if sys.argv[1] == "stay" else os.kill(os.getpid(), signal.SIGKILL)
"""


def spawn(what: str, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, what],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def age(directory: Path) -> None:
    os.utime(directory, (1, 1))


def test_what_a_killed_owner_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with spawn("die", tmp_path) as dead:
        assert dead.stdout is not None
        left = Path(dead.stdout.readline().strip())
    with spawn("stay", tmp_path) as alive:
        assert alive.stdout is not None
        kept = Path(alive.stdout.readline().strip())
        assert left.exists()  # too young to tell
        age(left)
        age(kept)
        with spawn("die", tmp_path) as third:
            assert third.stdout is not None
            third.stdout.read()
        assert not left.exists()
        assert kept.exists()
        alive.communicate("")
    assert not kept.exists()


def test_a_directory_goes_with_its_block() -> None:
    with scratch_directory() as directory:
        (directory / "disk0").write_bytes(b"x")
        assert directory.parent == Path(tempfile.gettempdir())
    assert not directory.exists()
