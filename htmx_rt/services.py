"""What an app is served with besides pages: work that takes long, notifications, files, answers to half-filled forms."""

from __future__ import annotations


class Services:
    """The part of a `Realtime` that keeps things for people and tells them."""

    def begin_services(self) -> None:
        """Nothing is served yet."""
