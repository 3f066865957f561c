"""Breezeblock: a block storage service behind the OpenStack Block Storage API v3."""

from __future__ import annotations

__version__ = "0.1.0"
