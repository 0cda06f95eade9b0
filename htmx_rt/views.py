"""Pictures of who is here: rendered once per change, worker and language, sent whole, at most four a second.

A page says which pictures it shows. A reader that is behind is owed the newest only. Where `can_see` decides who sees
whom, viewers are looked after one by one, or by their group, and those who see the same people get the same picture.
Drawing takes a tenth of a core at most: what is dear to draw, or long, is drawn less often.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from . import frames, protocol
from .exceptions import ConfigurationError
from .gallery import Key, Name, Narrowed
from .hub import Hub
from .people import Person, Tally
from .presence import Presence
from .reader import Reader
from .sight import Viewer
from .topics import HERE_PREFIX, base_topic
from .whispers import speaker

log = logging.getLogger("htmx_rt")

NAMES: Final = ("avatars", "count", "line", "roster", "stats")
SOON: Final = 0.03  # seconds in which changes that come together make one picture
SETTLE: Final = 0.25  # seconds between two pictures of a topic
SHARE: Final = 10  # the time between two is this many times as long as drawing took
RATE: Final = 16 * 1024  # bytes a second that the pictures of a topic cost a reader, on the long run
LONGEST: Final = 2.0  # seconds between two, however long they are
SLICE: Final = 0.01  # seconds that others wait for us
_VIEW: Final = re.compile(rf"({'|'.join(NAMES)})(?::([1-9][0-9]{{0,2}}))?")
_MOST: Final = {"avatars": 5, "count": 0, "line": 3, "roster": 200, "stats": 0}

Picture = Callable[[str, str, list[Person], Tally, str], str]  # topic, name, people, how many, language → HTML


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

    def __init__(self, hub: Hub, presence: Presence, picture: Picture) -> None:
        self._hub = hub
        self._presence = presence
        self._picture = picture
        self._planned: dict[str, asyncio.TimerHandle] = {}
        self._drawing: set[str] = set()
        self._again: set[str] = set()  # those that changed while they were drawn
        self._next: dict[str, float] = {}  # when a topic may be drawn again, where that is not now
        self._eyes: dict[str, Viewer] = {}  # who stands for those who see the same
        self._to_do: deque[tuple[str, deque[Key], dict[object, bytes], list[float]]] = deque()
        hub.whispers.narrow = self.narrow

    def want(self, reader: Reader, tab: str, views: dict[str, list[str]]) -> None:
        """Show `reader` these views of its topics from now on, beginning with how they look at this moment."""
        viewer = Viewer(reader.owner, reader.viewer)
        eyes = self._presence.sight.eyes(viewer)
        if eyes:
            # Who stands for a group must not be seen by it just because everybody sees themselves.
            self._eyes[eyes] = viewer if eyes == reader.owner else viewer._replace(owner="")
            if len(self._eyes) > 2 * len(self._hub.readers) + 100:
                shown = {key.eyes for key in self._hub.gallery.keys} | {eyes}
                self._eyes = {name: one for name, one in self._eyes.items() if name in shown}
        wanted = {
            Key(topic, name, reader.lang, eyes)
            for topic, names in views.items()
            if topic.startswith(HERE_PREFIX) and topic in reader.topics
            for name in names
        }
        reader.wants = {**reader.wants, tab: wanted}
        gallery = self._hub.gallery
        gallery.watch(reader, set().union(*reader.wants.values()))
        memo: dict[object, bytes] = {}
        for key in wanted:
            if gallery.has(key):
                gallery.owe(reader, key)
            else:
                self._paint(key, memo)

    def changed(self, topic: str) -> None:
        """Draw `topic` anew before long."""
        if topic in self._drawing:
            self._again.add(topic)  # once it is known how dear it was
            return
        if topic in self._planned or not self._hub.gallery.of(topic):
            return
        at = max(self._hub.loop.time() + SOON, self._next.get(topic, 0.0))
        self._planned[topic] = self._hub.loop.call_at(at, self._run, topic)

    def close(self) -> None:
        """Draw nothing more."""
        for timer in self._planned.values():
            timer.cancel()
        self._planned.clear()
        self._to_do.clear()
        self._hub.whispers.narrow = None

    def narrow(self, whispers: list[tuple[str, bytes]]) -> list[tuple[Name, bytes]]:
        """Keep words of people from those who may not see them."""
        sight = self._presence.sight
        if sight.policy is None:
            return [*whispers]
        narrowed: list[tuple[Name, bytes]] = []
        for topic, frame in whispers:
            key = speaker(frame) if topic.startswith(HERE_PREFIX) else None
            if key is None:
                narrowed.append((topic, frame))
                continue
            person = self._presence.find(base_topic(topic), key)
            readers = [
                reader
                for reader in (self._hub.members(topic) if person is not None else ())
                if person is not None and sight.sees(Viewer(reader.owner, reader.viewer), person)
            ]
            narrowed.append((Narrowed(readers), frame))
        return narrowed

    def _run(self, topic: str) -> None:
        self._planned.pop(topic, None)
        now = self._hub.loop.time()
        self._next[topic] = now + SETTLE
        if len(self._next) > 1_000:
            self._next = {name: at for name, at in self._next.items() if at > now}
        self._drawing.add(topic)
        self._to_do.append((topic, deque(self._hub.gallery.of(topic)), {}, [0.0]))
        if len(self._to_do) == 1:
            self._work()

    def _work(self) -> None:
        """Draw for a moment, and go on in the next turn of the loop where there is more."""
        began = self._hub.loop.time()
        while self._to_do:
            topic, keys, memo, spent = self._to_do[0]
            at = self._hub.loop.time()
            while keys and self._hub.loop.time() - began < SLICE:
                self._paint(keys.popleft(), memo)
            now = self._hub.loop.time()
            spent[0] += now - at
            if keys:
                self._hub.loop.call_soon(self._work)
                return
            self._to_do.popleft()
            size = max((len(frame) for frame in memo.values()), default=0)
            self._next[topic] = max(self._next.get(topic, 0.0), now + SHARE * spent[0], now + min(LONGEST, size / RATE))
            self._drawing.discard(topic)
            if topic in self._again:
                self._again.discard(topic)
                self.changed(topic)

    def _paint(self, key: Key, memo: dict[object, bytes]) -> None:
        """Draw one; `memo` has those that were drawn already, by what is on them."""
        name, most = parse_view(key.view)
        try:
            people, tally = self._presence.first(base_topic(key.topic), most, self._eyes.get(key.eyes))
            what: Any = (key.topic, key.view, key.lang, tally, *people)
            frame = memo.get(what)
            if frame is None:
                html = self._picture(key.topic, name, people, tally, key.lang)
                data = {"t": key.topic, "s": key.view, "n": tally.people + tally.visitors, "html": html}
                frame = memo[what] = frames.event(protocol.VIEW, data)
        except Exception:  # a template of the app's own; the other pictures must not suffer
            log.exception("The view %r of %r could not be drawn.", key.view, key.topic)
            return
        self._hub.gallery.show(key, frame)
