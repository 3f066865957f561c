"""QEMU's command line.

Everything is emulated in software (TCG): the lab runs where there is no KVM.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.vm_lab.hardware import NIC_PAIR, Hardware

_KERNEL = (
    "console=ttyS0",
    "loglevel=4",
    "panic=-1",  # a panic resets at once, and with -no-reboot that ends QEMU
    "oops=panic",
    "mitigations=off",
    "nokaslr",
    "tsc=reliable",
    "no_timer_check",
    "apparmor=0",
    "audit=0",
    "rcupdate.rcu_expedited=1",
    "random.trust_cpu=on",
    "nowatchdog",
    "scsi_mod.scan=sync",
    "net.ifnames=0",
)
_MACHINE = (
    *("-nodefaults", "-no-user-config", "-no-reboot"),
    *("-display", "none"),
    *("-accel", "tcg,thread=multi"),
    *("-machine", "q35,smm=off,vmport=off,hpet=off,graphics=off"),
    *("-cpu", "max"),
    *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
    *("-device", "virtio-serial-pci,id=serial,max_ports=8"),
)


def command_line(
    hardware: Hardware,
    kernel: Path,
    initramfs: Path,
    root_kind: str,
    channels: Mapping[str, int],
    console: Path,
) -> list[str]:
    """The program and its arguments, all but those for the root file system.

    ``channels`` are names of virtio serial ports and the descriptors of the sockets behind them.
    The scratch disks are files made beside ``console``.
    """
    append = [*_KERNEL, f"lab.root={root_kind}"]
    if hardware.cgroup == 2:
        append.append("cgroup_no_v1=all")
    line = ["qemu-system-x86_64", *_MACHINE]
    line += ["-smp", str(hardware.cpus), "-m", f"{hardware.memory}M"]
    line += ["-kernel", str(kernel), "-initrd", str(initramfs), "-append", " ".join(append)]
    line += ["-serial", f"file:{console}"]
    for number, (name, descriptor) in enumerate(channels.items(), start=1):
        line += ["-chardev", f"socket,id={name},fd={descriptor}"]
        port = f"virtserialport,bus=serial.0,nr={number},chardev={name},name=lab.{name}"
        line += ["-device", port]
    for number, size in enumerate(hardware.disks):
        line += _scratch_disk(number, size, console.with_name(f"disk{number}"))
    if hardware.nic_pair:
        for number, address in enumerate(NIC_PAIR):
            line += ["-netdev", f"hubport,id=nic{number},hubid=1"]
            line += ["-device", f"e1000,netdev=nic{number},romfile=,mac={address}"]
    return line


def _scratch_disk(number: int, size: float, path: Path) -> list[str]:
    with path.open("wb") as disk:
        disk.truncate(int(size * 1024**3))
    drive = f"if=none,id=disk{number},file={path},format=raw,cache=unsafe,discard=unmap"
    return [
        *("-drive", drive),
        *("-device", f"virtio-blk-pci,drive=disk{number},serial=scratch{number}"),
    ]
