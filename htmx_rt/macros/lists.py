"""Macros of long lists, badges and highlights."""

from __future__ import annotations

from ..scribe import Scribe


class ListMacros(Scribe):
    """Load more, badges."""
