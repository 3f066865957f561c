"""The doctor on a machine with LVM: what it says is missing, and that it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.application import configured

from breezeblock.cli.doctor import examine
from breezeblock.execution.command import run

LVM: dict[str, object] = {"volume_driver": "lvm", "target_helper": "lioadm"}


def report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], **options: object
) -> tuple[int, str]:
    settings = configured(tmp_path, backends={"one": {**LVM, **options}})
    worst = examine(settings)
    return worst, capsys.readouterr().out


def test_a_missing_volume_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    worst, text = report(tmp_path, capsys, volume_group="nowhere")
    assert worst == 1
    assert "there is no volume group nowhere. Make it (vgcreate nowhere DISK...)" in text


def test_a_missing_program_and_a_missing_module(
    volume_group: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worst, text = report(
        tmp_path, capsys, volume_group=volume_group, lvm_type="default", target_helper="scstadmin"
    )
    assert worst == 1
    assert "needs scstadmin, which is not installed" in text
    assert "needs the kernel module iscsi_scst, which this kernel has not" in text


def test_nothing_is_made(
    volume_group: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = report(tmp_path, capsys, volume_group=volume_group, lvm_type="thin")
    assert f"has no thin pool {volume_group}-pool yet" in text
    assert run(["lvs", "--noheadings", volume_group]).text.strip() == ""


def test_a_pool_without_space(
    volume_group: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["lvcreate", "--yes", "-l", "100%FREE", "-n", "everything", volume_group])
    worst, text = report(tmp_path, capsys, volume_group=volume_group, lvm_type="default")
    run(["lvremove", "--yes", f"{volume_group}/everything"])
    assert worst == 1
    assert "is without space: 0.0 of" in text
    assert "Add storage to it, delete volumes" in text
