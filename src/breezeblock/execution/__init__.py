"""How programs outside are run: the one place that spawns child processes."""

from __future__ import annotations
