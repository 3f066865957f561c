"""Why the lab could not run a guest."""

from __future__ import annotations


class LabFailure(Exception):
    """The guest could not be made or died; the text says why and what to do."""
