"""One operation as it stands in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A durable request: what is to be done, by whom, how far it is.

    ``queue`` names who may run it (``host@backend`` or a role).  ``results`` is what the engine
    remembers between steps: ``{"steps": {name: result}, "undone": [name], "failure": {...}}``,
    each part only when there is something in it.  ``owner``, ``epoch`` and ``lease_until`` (seconds
    since the Unix epoch) say which worker holds it; a write that carries an older epoch is
    refused.  ``progress`` is 0-100; ``bytes_total`` is 0 where bytes mean nothing.
    """

    id: str
    seq: int
    kind: str
    state: str
    queue: str
    resource_type: str
    resource_id: str
    project_id: str
    user_id: str
    request_id: str | None
    payload: Mapping[str, Any]
    results: Mapping[str, Any] = field(default_factory=dict)
    step: str | None = None
    progress: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    attempts: int = 0
    owner: str | None = None
    epoch: int = 0
    lease_until: float = 0.0
    not_before: float = 0.0
    error: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    finished_at: datetime | None = None
