"""The fake driver against the kit, as far as there can be a driver without storage."""

from __future__ import annotations

from pathlib import Path

from tests.conformance import kit


def test_conforms(tmp_path: Path) -> None:
    answer = kit.run(tmp_path, volume_driver="fake")
    answer.expect_conforming()
    assert "bytes       NOT checked" in answer.output
    assert "the backend holds no bytes" in answer.reasons
    assert "test_new_volume_reads_zeros" not in answer.tests("PASSED")
