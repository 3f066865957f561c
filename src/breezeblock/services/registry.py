"""All services of one process, wired to one store."""

from __future__ import annotations

from dataclasses import dataclass

from breezeblock.services.attachments import Attachments
from breezeblock.services.backends import Backends
from breezeblock.services.connections import Connections
from breezeblock.services.deployment import Deployment
from breezeblock.services.messages import Messages
from breezeblock.services.operations import Operations
from breezeblock.services.quotas import Quotas
from breezeblock.services.snapshots import Snapshots
from breezeblock.services.turnstile import Turnstile
from breezeblock.services.volume_types import VolumeTypes
from breezeblock.services.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Services:
    """Every resource's service by the resource's name, and what requests pass to run."""

    volumes: Volumes
    connections: Connections
    attachments: Attachments
    snapshots: Snapshots
    volume_types: VolumeTypes
    quotas: Quotas
    backends: Backends
    messages: Messages
    operations: Operations
    turnstile: Turnstile

    @classmethod
    def of(cls, deployment: Deployment) -> Services:
        return cls(
            volumes=Volumes(deployment),
            connections=Connections(deployment),
            attachments=Attachments(deployment),
            snapshots=Snapshots(deployment),
            volume_types=VolumeTypes(deployment),
            quotas=Quotas(deployment),
            backends=Backends(deployment),
            messages=Messages(deployment),
            operations=Operations(deployment),
            turnstile=deployment.turnstile,
        )
