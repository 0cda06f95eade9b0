"""Macros of what is on its way: skeletons and regions that load themselves."""

from __future__ import annotations

from ..scribe import Scribe


class LoadingMacros(Scribe):
    """Skeletons, async regions."""
