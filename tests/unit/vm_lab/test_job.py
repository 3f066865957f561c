"""What bash is told in a guest."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.vm_lab.environment import guest_environment
from tests.vm_lab.hardware import Hardware
from tests.vm_lab.machine import Job


def test_bash_reads_the_script_as_it_was_meant(tmp_path: Path) -> None:
    directory = tmp_path / "it's here"
    directory.mkdir()
    job = Job(
        Hardware(),
        ["bash", "-c", 'pwd; printf "%s|" "$ODD" "$@"', "name", "a b", "$c", ""],
        directory,
        {"ODD": "quote ' and\nline", "not-a-name": "x", "PATH": "/usr/bin:/bin"},
    )
    done = subprocess.run(["bash", "-c", job.script()], capture_output=True, text=True, check=True)
    assert done.stdout == f"{directory}\nquote ' and\nline|a b|$c||"


def test_a_missing_directory_is_an_error_of_the_command() -> None:
    job = Job(Hardware(), ["true"], Path("/nowhere"), {})
    done = subprocess.run(["bash", "-c", job.script()], capture_output=True, check=False)
    assert done.returncode == 126


def test_the_guest_knows_itself_by_its_environment() -> None:
    environment = guest_environment({"PATH": "/bin", "PYTEST_ADDOPTS": "-x", "TMPDIR": "/big"})
    assert environment == {
        "PATH": "/bin:/usr/sbin:/sbin",
        "TMPDIR": "/run/scratch",
        "BREEZEBLOCK_VM_LAB": "1",
    }
