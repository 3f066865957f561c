"""The initramfs as a program that did not make it reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.vm_lab.archive import Archive

pytestmark = pytest.mark.host


def test_another_program_reads_the_archive(tmp_path: Path) -> None:
    archive = Archive()
    archive.directory("bin")
    archive.file("bin/odd", b"12345", executable=True)
    archive.file("empty", b"")
    packed = archive.packed()
    assert len(packed) % 4 == 0
    busybox = ["busybox", "cpio", "-idm"]
    subprocess.run(busybox, input=packed, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "bin" / "odd").read_bytes() == b"12345"
    assert (tmp_path / "bin" / "odd").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "empty").read_bytes() == b""
