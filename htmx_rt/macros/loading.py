"""Macros of what is on its way: skeletons and regions that load themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from ..entities import watched
from ..exceptions import ConfigurationError
from ..identity import current
from ..scribe import Scribe
from ..skeletons import Skeletons

When = Literal["now", "visible"]

_DURATION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TAGS: Final = ("section", "div", "article", "aside", "nav")
_ROW: Final = re.compile(r"\s*<(tr|tbody|thead)\b", re.IGNORECASE)


class LoadingMacros(Scribe):
    """Skeletons, async regions."""

    @cached_property
    def skeleton(self) -> Skeletons:
        """The shapes of what is to come: `rt.skeleton.text(3)`, `rt.skeleton.like("task.html", 5)`."""
        return Skeletons(self._render, self._environments)

    def region(self, url: str, *topics: str, on: str | Iterable[str] = (), every: str | float | None = None) -> Markup:
        """Return the attributes of an element that can fetch itself again from `url`; live where `topics` are given.

        With `on` it does so when an entity changes: "task", "task:7" or "board:3/task", one or several. With `every`
        it does so again and again: "60s".
        """
        parts = [Markup('rt-src="{}"').format(url)]
        if every is not None:
            said = _duration("rt.region", "every", every, least=1.0)
            parts.append(Markup('rt-every="{}" data-words="{}"').format(said, self._said("")))
        parts += self._follows(topics, on)
        return Markup(" ").join(parts)

    def async_region(
        self,
        url: str,
        *,
        id: str,
        label: str,
        skeleton: str | Markup = "",
        on: str | Iterable[str] = (),
        topics: str | Iterable[str] = (),
        every: str | float | None = None,
        stale: str | float | None = None,
        timeout: str | float = "10s",
        when: When = "now",
        tag: str = "section",
        lang: str = "",
    ) -> Markup:
        """Return a region that fetches itself from `url` when the page is there, or when it comes into view.

        Until then `skeleton` stands in it, from 200 ms on; if it fails it says why, with Retry. `label` says to screen
        readers what it is, and is the link to `url` where no script runs. `on`, `topics` and `every` are those of
        `rt.region()`. With `stale`, what was there last is shown at once, if it is not older.
        """
        if not isinstance(id, str) or not re.fullmatch(r"\S+", id):
            raise ConfigurationError(f"rt.async_region(id={id!r}): pass an id without spaces, once on the page.")
        if not str(label).strip():
            raise ConfigurationError(
                f"rt.async_region({url!r}) needs a label, such as label='Sales', for whoever does not see it."
            )
        if when not in ("now", "visible"):
            raise ConfigurationError(f"rt.async_region(when={when!r}): use 'now' or 'visible'.")
        if tag not in _TAGS:
            raise ConfigurationError(f"rt.async_region(tag={tag!r}): use one of: {', '.join(_TAGS)}.")
        parts = urlsplit(url)
        if parts.scheme or parts.netloc or not url or url.startswith("#"):
            raise ConfigurationError(f"rt.async_region({url!r}): pass a path of this site, such as '/dash/sales'.")
        bones = escape(skeleton)
        if _ROW.match(bones):  # no row stands by itself
            bones = Markup("<table>{}</table>").format(bones)
        names = [topics] if isinstance(topics, str) else topics
        return Markup(
            self._render(
                "region/region.html", id=id, tag=tag, url=url, label=label, skeleton=bones, load=when,
                attributes=Markup(" ").join(self._follows(tuple(names), on)),
                every=_duration("rt.async_region", "every", every, least=1.0) if every is not None else "",
                stale=_duration("rt.async_region", "stale", stale, least=1.0) if stale is not None else "",
                timeout=_duration("rt.async_region", "timeout", timeout), words=self._said(lang),
            ).strip()
        )  # fmt: skip

    def _follows(self, topics: tuple[str, ...], on: str | Iterable[str]) -> list[Markup]:
        """Return the attributes of a region that follows topics and entities."""
        named = [on] if isinstance(on, str) else on
        watching = list(dict.fromkeys(topic for name in named for topic in watched(name)))
        parts = [Markup('rt-on="{}"').format(" ".join(watching))] if watching else []
        followed = tuple(dict.fromkeys((*topics, *watching)))
        if followed:
            state = self._state("rt.region()")
            self._who(state)
            parts.append(self._subscribe(state, followed))
        return parts

    def _said(self, lang: str) -> str:
        """Return the words a region may have to say, as JSON."""
        state = current(self._owner)
        words: dict[str, Any] = self._words.all(lang or (state.lang if state else "en"), "region.")
        short = {name.removeprefix("region."): word for name, word in words.items()}
        return json.dumps(short, ensure_ascii=False, separators=(",", ":"))


def _duration(macro: str, name: str, value: object, *, least: float = 0.001) -> str:
    """Return a time as attributes have it, such as "60s". Raised for anything else: `ConfigurationError`."""
    text = f"{value:g}s" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    found = _DURATION.fullmatch(text)
    if not found or float(found[1]) * _SECONDS[found[2]] < least:
        raise ConfigurationError(
            f"{macro}({name}={value!r}): pass a time such as '60s', '500ms', '10m' or '1h', of {least:g} s or more."
        )
    return text
