"""Options by section, under the names that operators know, and the settings made of them."""

from __future__ import annotations
