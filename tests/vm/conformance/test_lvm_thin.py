"""The LVM driver on thin volumes passes the conformance kit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance import kit

pytestmark = pytest.mark.guest("conformance")


@pytest.mark.timeout(2400)
def test_it_conforms(volume_group: str, tmp_path: Path) -> None:
    kit.run(
        tmp_path,
        "--breezeblock-kill-points=1",
        volume_driver="lvm",
        volume_group=volume_group,
        lvm_type="thin",
        limit=2300,
    ).expect_conforming()
