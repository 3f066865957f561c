"""``breezeblock main-job``: one volume's life, shown step by step, with real data over iSCSI.

It is a client like any other: it speaks HTTP to the service that the environment names, and
iSCSI to the target that the service names.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from breezeblock.cli.block_storage import BlockStorage, RequestFailed
from breezeblock.cli.initiator import NAME, Disk
from breezeblock.execution.command import CommandError

GIB = 1024**3
MIB = 1024**2
OLD, NEW = 0xA5, 0x5A
WRITTEN = 64 * MIB
"""Bytes of each pattern at the beginning of the volume; one MiB more lies at its end."""


class NotAsPromised(Exception):
    """The service answered, but the outcome is not what it should be."""


FAILURES = (RequestFailed, NotAsPromised, CommandError, HTTPException, OSError)
"""What may go wrong on the way, as opposed to a mistake in this program."""


@dataclass(slots=True)
class MainJob:
    """The steps in their order; each leaves behind what the next one needs."""

    api: BlockStorage
    size: int
    undo: ExitStack
    volume: str = ""
    snapshot: str = ""
    clone: str = ""
    attachments: dict[str, str] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)

    def steps(self) -> list[tuple[str, Callable[[], str | None]]]:
        """Title and work of every step; the work may return something worth showing."""
        size = self.size
        return [
            (f"create a volume of {size} GiB", self.create),
            ("attach it over iSCSI with CHAP", self.attach_volume),
            (f"write {WRITTEN // MIB} MiB of one pattern, and 1 MiB at the end", self.write_old),
            ("take a snapshot", self.take_snapshot),
            ("overwrite the volume with another pattern", self.write_new),
            ("clone the snapshot", self.clone_snapshot),
            ("attach the clone", self.attach_clone),
            ("verify that the clone holds the old pattern", self.verify_clone),
            ("verify that the volume holds the new pattern", self.verify_volume),
            (f"extend the attached volume to {size + 1} GiB", self.extend),
            ("verify the new size and the data from the initiator", self.verify_extended),
            ("detach both", self.detach),
            ("delete clone, snapshot and volume", self.delete),
        ]

    def create(self) -> str:
        volume = self.api.create("volume", size=self.size, name="main-job")
        self.volume = volume["id"]
        self.undo.callback(self._discard, "volume", self.volume)
        self.api.wait("volume", self.volume, "available")
        return self.volume

    def attach_volume(self) -> str:
        return self._attach(self.volume)

    def write_old(self) -> None:
        disk = self.disks[self.volume]
        disk.write(OLD, 0, WRITTEN)
        disk.write(OLD, self.size * GIB - MIB, MIB)

    def take_snapshot(self) -> str:
        snapshot = self.api.create("snapshot", volume_id=self.volume, name="main-job")
        self.snapshot = snapshot["id"]
        self.undo.callback(self._discard, "snapshot", self.snapshot)
        self.api.wait("snapshot", self.snapshot, "available")
        return self.snapshot

    def write_new(self) -> None:
        self.disks[self.volume].write(NEW, 0, WRITTEN)

    def clone_snapshot(self) -> str:
        clone = self.api.create("volume", snapshot_id=self.snapshot, name="main-job-clone")
        self.clone = clone["id"]
        self.undo.callback(self._discard, "volume", self.clone)
        self.api.wait("volume", self.clone, "available")
        return self.clone

    def attach_clone(self) -> str:
        return self._attach(self.clone)

    def verify_clone(self) -> None:
        disk = self.disks[self.clone]
        disk.verify(OLD, 0, WRITTEN)
        disk.verify(0, WRITTEN, MIB)
        disk.verify(OLD, self.size * GIB - MIB, MIB)

    def verify_volume(self) -> None:
        disk = self.disks[self.volume]
        disk.verify(NEW, 0, WRITTEN)
        disk.verify(OLD, self.size * GIB - MIB, MIB)

    def extend(self) -> None:
        larger = self.size + 1
        self.api.action("volume", self.volume, "os-extend", new_size=larger)
        self.api.wait("volume", self.volume, "in-use", lambda volume: volume["size"] == larger)

    def verify_extended(self) -> str:
        disk = self.disks[self.volume]
        found = disk.size()
        if found != (self.size + 1) * GIB:
            raise NotAsPromised(f"the initiator sees {found} bytes, not {self.size + 1} GiB")
        disk.verify(NEW, 0, WRITTEN)
        disk.verify(0, self.size * GIB, MIB)
        disk.write(NEW, (self.size + 1) * GIB - MIB, MIB)
        return f"{found} bytes"

    def detach(self) -> None:
        for volume, attachment in list(self.attachments.items()):
            self.api.delete("attachment", attachment)
            del self.attachments[volume]
            self.api.wait("volume", volume, "available")

    def delete(self) -> None:
        for resource, identity in (
            ("volume", self.clone),
            ("snapshot", self.snapshot),
            ("volume", self.volume),
        ):
            self.api.delete(resource, identity)
            self.api.wait_gone(resource, identity)

    def _attach(self, volume: str) -> str:
        connector = {"initiator": NAME, "ip": "127.0.0.1", "host": socket.gethostname()}
        attachment = self.api.create(
            "attachment", volume_uuid=volume, connector={**connector, "multipath": False}
        )
        self.attachments[volume] = attachment["id"]
        self.undo.callback(self._discard, "attachment", attachment["id"])
        connection = attachment["connection_info"]
        if connection.get("auth_method") != "CHAP":
            raise NotAsPromised("the service exported the volume without CHAP")
        self.api.action("attachment", attachment["id"], "os-complete")
        self.api.wait("volume", volume, "in-use")
        self.disks[volume] = Disk.of(connection)
        return f"{connection['target_portal']} {connection['target_iqn']}"

    def _discard(self, resource: str, identity: str) -> None:
        """Take back what a failed run leaves; what is gone already is as it should be."""
        with suppress(*FAILURES):
            self.api.delete(resource, identity)
            if resource != "attachment":
                self.api.wait_gone(resource, identity)


def run(size: int) -> int:
    """Run the job; the exit code: 0 if every step did what it promises."""
    console = Console()
    try:
        api = BlockStorage.from_environment()
    except KeyError as missing:
        console.print(f"{missing.args[0]} is not set. Source openrc first.", style="red")
        return 2
    started = time.monotonic()
    with api, _progress(console) as progress, ExitStack() as undo:
        job = MainJob(api, size, undo)
        steps = job.steps()
        bar = progress.add_task("", total=len(steps))
        for title, work in steps:
            progress.update(bar, description=title)
            begun = time.monotonic()
            try:
                detail = work()
            except FAILURES as error:
                progress.print(f"[red]failed[/red]  {title}: {error}")
                return 1
            seconds = time.monotonic() - begun
            shown = f"  [dim]{detail}[/dim]" if detail else ""
            progress.print(f"[green]{seconds:7.2f} s[/green]  {title}{shown}", soft_wrap=True)
            progress.advance(bar)
        undo.pop_all()
    console.print(f"[bold green]The main job works[/bold green] ({_since(started)}).")
    return 0


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
