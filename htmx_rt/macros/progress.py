"""Macros of long operations."""

from __future__ import annotations

from ..scribe import Scribe


class ProgressMacros(Scribe):
    """Long operations."""
