"""What drivers and targets need of a machine, and what of that is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from breezeblock.config.settings import BackendConfiguration
from breezeblock.drivers.registry import driver_name
from breezeblock.execution.command import CommandError, run

_SBIN = Path("/usr/sbin")
_MODULES = Path("/sys/module")


@dataclass(frozen=True, slots=True)
class Requirements:
    """Programs with the Debian packages that have them, and modules of the kernel."""

    programs: Mapping[str, str]
    modules: tuple[str, ...] = ()


_NOTHING = Requirements({})

_DRIVERS: Mapping[str, Requirements] = {
    "lvm": Requirements(
        {"lvs": "lvm2", "dmsetup": "dmsetup", "thin_check": "thin-provisioning-tools"},
        ("dm_mod", "dm_thin_pool", "dm_snapshot"),
    ),
}
_DRIVERS = {**_DRIVERS, "lvm-fc": _DRIVERS["lvm"]}

_TARGETS: Mapping[tuple[str, str], Requirements] = {
    ("tgtadm", "iscsi"): Requirements({"tgtd": "tgt"}),
    ("tgtadm", "iser"): Requirements({"tgtd": "tgt"}, ("rdma_ucm",)),
    ("lioadm", "iscsi"): Requirements({}, ("target_core_mod", "iscsi_target_mod")),
    ("lioadm", "iser"): Requirements({}, ("target_core_mod", "iscsi_target_mod", "ib_isert")),
    ("nvmet", "nvmet_tcp"): Requirements({}, ("nvmet", "nvmet_tcp")),
    ("nvmet", "nvmet_rdma"): Requirements({}, ("nvmet", "nvmet_rdma")),
    ("scstadmin", "iscsi"): Requirements({"scstadmin": "scstadmin"}, ("scst", "iscsi_scst")),
    ("ietadm", "iscsi"): Requirements({"ietadm": "iscsitarget"}, ("iscsi_trgt",)),
    ("iscsictl", "iscsi"): Requirements({"iscsictl": "chelsio-iscsi"}, ("chiscsi_t4",)),
}
"""By ``target_helper`` and ``target_protocol``."""

_FIBRE_CHANNEL = Requirements({}, ("target_core_mod", "tcm_fc"))


def of_backend(configuration: BackendConfiguration) -> tuple[Requirements, ...]:
    """What this backend's driver and target need."""
    driver = driver_name(configuration.volume_driver)
    if driver == "lvm-fc":
        target = _FIBRE_CHANNEL
    elif driver in {"fake", "rbd"}:
        target = _NOTHING
    else:
        key = (configuration.target_helper, configuration.target_protocol)
        target = _TARGETS.get(key, _NOTHING)
    return _DRIVERS.get(driver, _NOTHING), target


def missing_programs(requirements: Requirements) -> Iterator[tuple[str, str]]:
    """Programs that are not installed, each with its package."""
    for program, package in requirements.programs.items():
        if shutil.which(program) is None and shutil.which(str(_SBIN / program)) is None:
            yield program, package


def missing_modules(requirements: Requirements) -> Iterator[str]:
    """Modules that are neither in the kernel nor to be loaded when asked for."""
    for module in requirements.modules:
        if not (_MODULES / module).exists() and not _is_loadable(module):
            yield module


def _is_loadable(module: str) -> bool:
    """Whether modprobe would find it: a trial run, nothing is loaded."""
    try:
        run(["modprobe", "--dry-run", "--quiet", module], timeout=10)
    except CommandError:
        return False
    return True
