"""What an app is served with besides pages: work that takes long, notifications, files, answers to half-filled forms."""

from __future__ import annotations

from typing import Any

from . import protocol
from .lifecycle import Lifecycle
from .notifications import Notifications
from .publishing import Publisher
from .stores.base import Store
from .topics import user_topic
from .types import Limits


class Services(Lifecycle):
    """The part of a `Realtime` that keeps things for people and tells them."""

    store: Store
    limits: Limits
    _publisher: Publisher

    def begin_services(self) -> None:
        """Make what keeps things; nothing is started yet."""
        self.notifications = Notifications(store=self.store, limits=self.limits, home=self.home, tell=self._notify)

    def _notify(self, user_id: str, args: dict[str, Any]) -> None:
        """Tell all pages of a person that their notifications have changed."""
        body = {"name": "notes", "args": args}
        self._publisher.send(user_topic(user_id), protocol.CALL, body, state="notes", after=None)
