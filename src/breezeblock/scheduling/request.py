"""What is to be placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRequest:
    """A volume that wants a pool.

    ``size`` is what the pool must still give, in GiB.  ``only_backend`` (``host@backend``, or with
    ``#pool``) binds it to where its source lives; ``tried`` are pools that failed already.
    """

    size: int
    availability_zone: str | None = None
    extra_specs: Mapping[str, str | None] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    only_backend: str | None = None
    tried: Sequence[str] = ()
    hinted_hosts: Mapping[str, str | None] = field(default_factory=dict)
    """Pool addresses of the volumes that the hints name."""

    @property
    def thin(self) -> bool:
        return self.extra_specs.get("provisioning:type") != "thick"
