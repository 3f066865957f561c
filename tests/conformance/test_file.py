"""The file driver against the kit, on the file system that is here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conformance import kit

#: What the file driver has not, and the kit therefore leaves out.
NOT_TESTED = {
    "the backend is thin or does not tell its free space: no size is too large",
    "the driver has no get_manageable_snapshots",
    "the driver has no get_manageable_volumes",
    "the driver has no manage_existing",
    "the driver has not the ability ExportsSnapshots",
}


@pytest.mark.timeout(600)
def test_conforms(tmp_path: Path) -> None:
    answer = kit.run(tmp_path, volume_driver="file")
    answer.expect_conforming()
    assert answer.reasons.keys() == NOT_TESTED
    assert "bytes       checked" in answer.output
    assert _files(tmp_path / "state" / "tested") == ["layout.json"]


def _files(directory: Path) -> list[str]:
    """What the driver's directory still holds."""
    return [name for _, _, names in os.walk(directory) for name in names]
