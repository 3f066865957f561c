"""What a driver can do decides which tests apply to it; the others are skipped with the reason."""

from __future__ import annotations

import pytest

from breezeblock.drivers.abilities import is_implemented
from breezeblock.drivers.interface import VolumeDriver

#: Why a pretending backend is not asked for what it does not hold.
KNOWS_NOTHING_MISSING = "a backend that holds no bytes may answer for volumes it never heard of"


def require(driver: VolumeDriver, *needed: str | type) -> None:
    """Skip the test unless the driver has the methods and abilities named."""
    for what in needed:
        if isinstance(what, str):
            if not is_implemented(type(driver), what):
                pytest.skip(f"the driver has no {what}")
        elif not isinstance(driver, what):
            pytest.skip(f"the driver has not the ability {what.__name__}")
