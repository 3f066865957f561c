"""Who asks: one module a way of finding out, behind one small interface."""

from __future__ import annotations
