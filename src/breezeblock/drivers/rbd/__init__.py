"""The RBD backend: volumes are images of one Ceph pool.

``bindings`` finds Ceph's libraries, ``cluster`` keeps the connections, ``images`` has the verbs of
librbd, ``journal`` remembers what is half made, and above them ``driver`` keeps the contract.
Nothing here runs a program: everything goes through librbd and librados.
"""

from __future__ import annotations

from breezeblock.drivers.rbd.driver import RBDDriver
from breezeblock.drivers.rbd.image_io import RBDImageIOWrapper, RBDImageMetadata
from breezeblock.drivers.rbd.names import ascii_str
from breezeblock.drivers.rbd.proxies import RADOSClient, RBDVolumeProxy

__all__ = [
    "RADOSClient",
    "RBDDriver",
    "RBDImageIOWrapper",
    "RBDImageMetadata",
    "RBDVolumeProxy",
    "ascii_str",
]
