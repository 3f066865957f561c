"""What clients see of an operation.  Its payload and results are the workers' business."""

from __future__ import annotations

from breezeblock.api.views.view import (
    INTEGER,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    Field,
    View,
    time,
)
from breezeblock.operations.record import Operation

_F = Field[Operation, None]

OPERATION = View[Operation, None](
    (
        _F("id", lambda o, _: o.id, TEXT),
        _F("kind", lambda o, _: o.kind, TEXT),
        _F("resource_type", lambda o, _: o.resource_type, TEXT),
        _F("resource_id", lambda o, _: o.resource_id, TEXT),
        _F("state", lambda o, _: o.state, TEXT),
        _F("step", lambda o, _: o.step, TEXT_OR_NULL),
        _F("progress", lambda o, _: o.progress, INTEGER),
        _F("bytes_done", lambda o, _: o.bytes_done, INTEGER),
        _F("bytes_total", lambda o, _: o.bytes_total, INTEGER),
        _F("attempts", lambda o, _: o.attempts, INTEGER),
        _F("error", lambda o, _: o.error, TEXT_OR_NULL),
        _F("request_id", lambda o, _: o.request_id, TEXT_OR_NULL),
        _F("created_at", lambda o, _: time(o.created_at), TIME_OR_NULL),
        _F("started_at", lambda o, _: time(o.started_at), TIME_OR_NULL),
        _F("finished_at", lambda o, _: time(o.finished_at), TIME_OR_NULL),
    )
)
