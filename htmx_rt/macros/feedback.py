"""Macros of notifications and of fields that are checked while somebody types."""

from __future__ import annotations

from ..scribe import Scribe


class FeedbackMacros(Scribe):
    """Notifications, field errors."""
