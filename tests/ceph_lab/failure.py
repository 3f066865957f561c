"""Why the lab's cluster could not be run."""

from __future__ import annotations


class CephLabFailure(Exception):
    """A daemon did not start or answer, or a package is missing; the text says what to do."""
