"""What ``volume_driver`` may say, and the driver it means.

Besides our own short names and class paths it understands the class paths that an existing
cinder.conf holds.  Drivers of others register in the entry-point group ``breezeblock.drivers``
with a driver class, or a callable that takes what ``BaseVD`` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from breezeblock.drivers.errors import UnknownDriver
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.execution.command import Execute, run

ENTRY_POINT_GROUP = "breezeblock.drivers"

Factory = Callable[..., VolumeDriver]

#: Short name -> module and class.  Modules are imported when a backend asks for them.
_OWN = {
    "fake": ("breezeblock.drivers.fake", "FakeVolumeDriver"),
    "fake-iscsi": ("breezeblock.drivers.protocol_fakes", "FakeISCSIDriver"),
    "fake-iser": ("breezeblock.drivers.protocol_fakes", "FakeISERDriver"),
    "file": ("breezeblock.drivers.file", "FileDriver"),
    "lvm": ("breezeblock.drivers.lvm.driver", "LVMVolumeDriver"),
    "lvm-fc": ("breezeblock.drivers.lvm.fibre_channel", "LVMFibreChannelDriver"),
    "rbd": ("breezeblock.drivers.rbd.driver", "RBDDriver"),
}

#: Class paths of the field and of ours -> short name.
_CLASS_PATHS = {
    **{f"{module}.{name}": short for short, (module, name) in _OWN.items()},
    "cinder.tests.fake_driver.FakeLoggingVolumeDriver": "fake",
    "cinder.tests.fake_driver.FakeGateDriver": "fake",
    "cinder.volume.driver.FakeISCSIDriver": "fake-iscsi",
    "cinder.volume.driver.FakeISERDriver": "fake-iser",
    "cinder.volume.drivers.lvm.LVMVolumeDriver": "lvm",
    "cinder.volume.drivers.lvm.LVMISERDriver": "lvm",
    "cinder.volume.drivers.lvm.LVMISCSIDriver": "lvm",
    "cinder.volume.drivers.lvm.ThinLVMVolumeDriver": "lvm",
    "cinder.volume.drivers.rbd.RBDDriver": "rbd",
}


def driver_name(volume_driver: str) -> str:
    """The short name of what a configuration says; unchanged if it is no known class path."""
    return _CLASS_PATHS.get(volume_driver, volume_driver)


def create_driver(
    volume_driver: str,
    configuration: object,
    *,
    host: str,
    execute: Execute = run,
    **identity: str | None,
) -> VolumeDriver:
    """Make the driver of one backend; nothing outside is touched yet.

    ``host`` is ``<host>@<backend>``, ``identity`` may hold ``cluster_name`` and
    ``active_backend_id``.  Raises ``UnknownDriver``, or ``TargetError`` if its
    target cannot be made.
    """
    backend = host.rpartition("@")[2]
    name = driver_name(volume_driver)
    factory = _find(name)
    if factory is None:
        raise UnknownDriver(
            backend=backend,
            driver=volume_driver,
            reason="is unknown. Set one of: " + ", ".join(known_drivers()),
        )
    return factory(execute, configuration=configuration, host=host, **identity)


def known_drivers() -> list[str]:
    """The short names that ``volume_driver`` may have here."""
    return sorted({*_OWN, *(p.name for p in entry_points(group=ENTRY_POINT_GROUP))})


def _find(name: str) -> Factory | None:
    if name in _OWN:
        module, attribute = _OWN[name]
        return cast(Factory, getattr(import_module(module), attribute))
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if name in {point.name, point.value.replace(":", ".")}:
            return cast(Factory, point.load())
    return None
