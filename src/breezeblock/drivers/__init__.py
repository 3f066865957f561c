"""Storage backends: the contract, the backends that keep it, and the table that finds them."""

from __future__ import annotations
