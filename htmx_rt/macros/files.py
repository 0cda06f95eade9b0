"""Macros of uploads."""

from __future__ import annotations

from ..scribe import Scribe


class FileMacros(Scribe):
    """Uploads."""
