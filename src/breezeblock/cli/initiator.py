"""A userspace iSCSI initiator: reads and writes an attached volume without root or a kernel.

It is qemu-io with its iSCSI driver.  The CHAP secret goes in on standard input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from breezeblock.execution.command import Execute, run

NAME = "iqn.2010-10.org.openstack:breezeblock-main-job"
_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Disk:
    """A logical unit behind a portal, as the API's connection information describes it."""

    portal: str
    target: str
    lun: int
    user: str
    secret: str = field(repr=False)
    execute: Execute = field(default=run, repr=False)

    @classmethod
    def of(cls, connection: Mapping[str, Any]) -> Disk:
        """From an attachment's ``connection_info``."""
        return cls(
            portal=connection["target_portal"],
            target=connection["target_iqn"],
            lun=int(connection["target_lun"]),
            user=connection["auth_username"],
            secret=connection["auth_password"],
        )

    def write(self, pattern: int, offset: int, length: int) -> None:
        """Fill ``length`` bytes at ``offset`` with a byte, and flush."""
        self._io([f"write -P {pattern:#x} {offset} {length}", "flush"])

    def verify(self, pattern: int, offset: int, length: int) -> None:
        """Raise CommandFailed unless ``length`` bytes at ``offset`` are all that byte."""
        self._io([f"read -P {pattern:#x} {offset} {length}"], "-r")

    def size(self) -> int:
        """Bytes, as the target tells an initiator that logs in now."""
        answer = self._run(["qemu-img", "info", "--output", "json", *self._options()])
        return int(json.loads(answer)["virtual-size"])

    def _io(self, commands: list[str], *flags: str) -> None:
        steps = [part for command in commands for part in ("-c", command)]
        self._run(["qemu-io", *flags, *self._options(), *steps])

    def _run(self, command: list[str]) -> str:
        return self.execute(command, stdin=self.secret.encode(), timeout=_TIMEOUT).text

    def _options(self) -> list[str]:
        image = {
            "driver": "raw",
            "file.driver": "iscsi",
            "file.transport": "tcp",
            "file.portal": self.portal,
            "file.target": self.target,
            "file.lun": str(self.lun),
            "file.user": self.user,
            "file.password-secret": "chap",
            "file.initiator-name": NAME,
        }
        # A comma separates options; doubled it is one.
        text = ",".join(f"{key}={value.replace(',', ',,')}" for key, value in image.items())
        return ["--object", "secret,id=chap,file=/dev/stdin", "--image-opts", text]
