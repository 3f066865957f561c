"""How a volume is offered to its consumers: iSCSI by tgt, or nothing at all for tests."""

from __future__ import annotations
