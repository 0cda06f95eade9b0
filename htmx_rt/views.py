"""Pictures of who is here: rendered once per change, worker and language, sent whole, at most four a second.

A page says which pictures it shows. A reader that is behind is owed the newest only.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Final

from . import frames, protocol
from .exceptions import ConfigurationError
from .gallery import Key
from .hub import Hub
from .reader import Reader
from .topics import HERE_PREFIX

log = logging.getLogger("htmx_rt")

NAMES: Final = ("avatars", "count", "line", "roster")
SOON: Final = 0.03  # seconds in which changes that come together make one picture
SETTLE: Final = 0.25  # seconds between two pictures of a topic
_VIEW: Final = re.compile(rf"({'|'.join(NAMES)})(?::([1-9][0-9]{{0,2}}))?")
_MOST: Final = {"avatars": 5, "count": 1, "line": 3, "roster": 200}

Draw = Callable[[str, str, int, str], tuple[str, int]]  # topic, name, most, language → HTML, how many people


def parse_view(view: object) -> tuple[str, int]:
    """Return the name of a view and how many people it shows. Raised for an unknown one: `ConfigurationError`."""
    found = _VIEW.fullmatch(view) if isinstance(view, str) else None
    if found is None:
        raise ConfigurationError(
            f"Unknown view {view!r}. Use one of: {', '.join(NAMES)}, or one with a number: 'avatars:7'."
        )
    return found[1], min(int(found[2] or _MOST[found[1]]), 200)


def is_view(view: object) -> bool:
    """Tell whether `view` names one."""
    return isinstance(view, str) and _VIEW.fullmatch(view) is not None


class Views:
    """Draws what the readers of one hub look at."""

    def __init__(self, hub: Hub, draw: Draw) -> None:
        self._hub = hub
        self._draw = draw
        self._drawn: dict[Key, str] = {}
        self._planned: dict[str, asyncio.TimerHandle] = {}
        self._at: dict[str, float] = {}  # when a topic was drawn last

    def want(self, reader: Reader, views: dict[str, list[str]]) -> None:
        """Show `reader` these views of its topics from now on, beginning with how they look at this moment."""
        keys = {
            Key(topic, name, reader.lang)
            for topic, names in views.items()
            if topic.startswith(HERE_PREFIX) and topic in reader.topics
            for name in names
        }
        self._hub.gallery.watch(reader, keys)
        for key in keys:
            if key not in self._drawn:
                self._paint(key)
            else:
                self._hub.gallery.owe(reader, key)

    def changed(self, topic: str) -> None:
        """Draw `topic` anew before long."""
        if topic in self._planned or not self._hub.gallery.of(topic):
            return
        now = self._hub.loop.time()
        at = max(now + SOON, self._at.get(topic, 0.0) + SETTLE)
        self._planned[topic] = self._hub.loop.call_at(at, self._run, topic)

    def close(self) -> None:
        """Draw nothing more."""
        for timer in self._planned.values():
            timer.cancel()
        self._planned.clear()

    def _run(self, topic: str) -> None:
        self._planned.pop(topic, None)
        self._at[topic] = self._hub.loop.time()
        while len(self._at) > 10_000:
            del self._at[next(iter(self._at))]
        keys = self._hub.gallery.of(topic)
        for key in tuple(key for key in self._drawn if key.topic == topic and key not in keys):
            del self._drawn[key]
        for key in keys:
            self._paint(key)

    def _paint(self, key: Key) -> None:
        name, most = parse_view(key.view)
        try:
            html, count = self._draw(key.topic, name, most, key.lang)
        except Exception:  # a template of the app's own; the other pictures must not suffer
            log.exception("The view %r of %r could not be drawn.", key.view, key.topic)
            return
        if self._drawn.get(key) == html:
            return
        self._drawn[key] = html
        self._hub.gallery.show(
            key, frames.event(protocol.VIEW, {"t": key.topic, "s": key.view, "n": count, "html": html})
        )
