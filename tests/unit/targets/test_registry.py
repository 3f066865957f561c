"""What ``target_helper`` may name."""

from __future__ import annotations

from importlib import import_module

import pytest

from breezeblock.targets.interface import Target
from breezeblock.targets.registry import HELPERS


@pytest.mark.parametrize("helper", HELPERS)
def test_every_helper_has_its_class(helper: str) -> None:
    module, _, name = HELPERS[helper].rpartition(".")
    assert issubclass(getattr(import_module(module), name), Target)
