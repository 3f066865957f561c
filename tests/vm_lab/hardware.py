"""What a guest is made of."""

from __future__ import annotations

from dataclasses import dataclass

#: MAC addresses of the two cards of a pair; a fibre channel port's WWPN is 2000 and these digits.
NIC_PAIR = ("52:54:00:00:fc:01", "52:54:00:00:fc:02")


@dataclass(frozen=True, slots=True)
class Hardware:
    """A virtual machine.

    ``disks`` are sizes in GiB of sparse scratch disks (``/dev/vda``, ``/dev/vdb``, …; discard
    works), ``memory`` is in MiB (files that a guest changes are held in it), ``nic_pair`` adds two
    network cards wired to each other, ``cgroup`` is the version of the control groups that are
    mounted, ``modules`` are kernel modules to load at the start.

    More than one CPU pays only for work that is really parallel: emulated ones slow each other.
    """

    disks: tuple[float, ...] = ()
    memory: int = 2048
    cpus: int = 1
    nic_pair: bool = False
    cgroup: int = 2
    modules: tuple[str, ...] = ()

    @property
    def all_modules(self) -> tuple[str, ...]:
        """The modules that are asked for and those that the hardware needs."""
        return (("e1000",) if self.nic_pair else ()) + self.modules
