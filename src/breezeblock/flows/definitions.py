"""Every kind of operation that a worker of a backend can run."""

from __future__ import annotations

from breezeblock.flows import connections, snapshots, volumes
from breezeblock.flows.backend import Backend
from breezeblock.operations.definition import Definitions

DEFINITIONS: Definitions[Backend] = Definitions(
    (
        volumes.CREATE,
        volumes.DELETE,
        volumes.EXTEND,
        volumes.REVERT,
        snapshots.CREATE,
        snapshots.DELETE,
        connections.CONNECT,
        connections.DISCONNECT,
        connections.INITIALIZE_CONNECTION,
        connections.TERMINATE_CONNECTION,
        connections.DETACH,
    )
)
