"""What a guest boots: Debian's stock kernel and an initramfs made here.

The kernel is unpacked on the host, where that takes a second instead of sixteen, and kept below
``var/`` of the clone.
"""

from __future__ import annotations

import lzma
import os
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.vm_lab.archive import Archive
from tests.vm_lab.failure import LabFailure

ROOT = Path(__file__).parents[2]
#: What outlives a guest: unpacked kernels, and logs.
KEPT = ROOT / "var" / "vm-lab"
GUEST = Path(__file__).parent / "guest"
#: Loaded by the first stage, in this order; all others come from the host's /lib/modules.
BOOT_MODULES = (
    "virtio_pci",
    "virtio_console",
    "virtiofs",
    "9p",
    "9pnet_virtio",
    "overlay",
    "virtio_blk",
)
#: Offsets in the header of a bzImage: Documentation/x86/boot.rst of Linux.
_SETUP_SECTORS, _SIGNATURE, _PAYLOAD = 0x1F1, 0x202, 0x248


def newest_kernel() -> tuple[Path, str]:
    """The kernel image with the highest version that has its modules, and its release."""
    found = [
        (path, path.name.removeprefix("vmlinuz-"))
        for path in Path("/boot").glob("vmlinuz-*")
        if "cloud" not in path.name
    ]
    complete = [pair for pair in found if Path("/lib/modules", pair[1], "modules.dep").exists()]
    if not complete:
        raise LabFailure("no kernel with modules in /boot: install linux-image-amd64 (./test vm)")
    return max(complete, key=lambda pair: _version(pair[1]))


def _version(release: str) -> list[tuple[int, str]]:
    return [
        (int(word), "") if word.isdigit() else (-1, word)
        for word in re.findall(r"\d+|\D+", release)
    ]


def unpacked_kernel() -> tuple[Path, str]:
    """The kernel as an ELF file, and its release."""
    image, release = newest_kernel()
    status = image.stat()
    kept = KEPT / f"vmlinux-{release}-{status.st_size:x}-{int(status.st_mtime):x}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}")
        fresh.write_bytes(unpack(image.read_bytes()))
        fresh.rename(kept)
    return kept, release


def unpack(image: bytes) -> bytes:
    """The kernel within a bzImage; the image itself if it is packed in an unknown way."""
    if image[_SIGNATURE : _SIGNATURE + 4] != b"HdrS":
        return image
    start = ((image[_SETUP_SECTORS] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    payload = image[start + offset : start + offset + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        # The four bytes after the stream, the unpacked size, are not of it.
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(payload)
    return image


def initramfs(release: str, files: dict[str, bytes]) -> bytes:
    """The first root file system; ``files`` are found in ``/run/lab`` by the second stage."""
    archive = Archive()
    for directory in ("bin", "dev", "modules", "lab"):
        archive.directory(directory)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", _busybox(), executable=True)
    archive.file("init", (GUEST / "stage1.sh").read_bytes(), executable=True)
    archive.file("lab/stage2.sh", (GUEST / "stage2.sh").read_bytes())
    for name, content in files.items():
        archive.file(f"lab/{name}", content)
    modules = list(dict.fromkeys(_module_files(release, BOOT_MODULES)))
    for module in modules:
        archive.file(f"modules/{module.name}", module.read_bytes())
    archive.file("modules/order", " ".join(module.name for module in modules).encode() + b"\n")
    return archive.packed()


def _busybox() -> bytes:
    try:
        return Path("/bin/busybox").read_bytes()
    except OSError as failure:
        raise LabFailure(f"{failure}: install busybox-static (./test vm)") from failure


def _module_files(release: str, modules: Sequence[str]) -> Iterator[Path]:
    """The files of the modules and of what they depend on, in the order of loading."""
    for module in modules:
        shown = subprocess.run(
            ["/sbin/modprobe", "-S", release, "--show-depends", module],
            capture_output=True,
            text=True,
            check=False,
        )
        if shown.returncode:
            raise LabFailure(f"module {module} of {release}: {shown.stderr.strip()}")
        for line in shown.stdout.splitlines():
            verb, _, rest = line.partition(" ")
            if verb == "insmod":
                yield Path(rest.split()[0])
