"""What clients see of a resource: fields as data, with the version and the policy of each."""

from __future__ import annotations
