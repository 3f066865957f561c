"""Ceph's own Python libraries, found when the first backend asks for them.

Debian ships them for its own Python, outside of virtual environments: the two modules alone are
taken from there, and nothing else of the system's packages becomes visible.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from breezeblock.drivers.errors import BackendMisconfigured

_SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")


@dataclass(frozen=True)
class Bindings:
    """``rados`` and ``rbd``; they ship no types."""

    rados: Any
    rbd: Any

    def feature_bits(self, text: str | None) -> int:
        """What ``rbd_default_features`` means: bits or names; layering if it is 0 or unset."""
        text = text or "0"
        bits = int(text) if text.isdigit() else int(self.rbd.RBD().features_from_string(text))
        return bits or int(self.rbd.RBD_FEATURE_LAYERING)


def find(backend: str) -> Bindings:
    """The installed libraries.  Raises ``BackendMisconfigured``."""
    try:
        return Bindings(_module("rados"), _module("rbd"))
    except ImportError as failure:
        raise BackendMisconfigured(
            backend=backend,
            reason=f"Ceph's Python libraries are missing ({failure}). Install them: apt-get "
            "install python3-rados python3-rbd; they have to be made for this Python, "
            f"{sys.version_info.major}.{sys.version_info.minor}",
        ) from failure


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        spec = PathFinder.find_spec(name, [str(_SYSTEM_PACKAGES)])
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        # rbd imports rados by name.
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module
