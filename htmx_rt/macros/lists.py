"""Macros of long lists, badges and highlights."""

from __future__ import annotations

import json
from functools import partial
from typing import Final, Literal

from markupsafe import Markup

from ..badges import MOST, Label, badge
from ..catalogue import plural
from ..exceptions import ConfigurationError
from ..identity import current
from ..scribe import Scribe
from ..templating import shared
from ..topics import plain_or_hashed, user_topic

_WORDS: Final = {"end": "more.load", "start": "more.earlier"}  # of the button, by where the rows come


class ListMacros(Scribe):
    """Load more, badges."""

    def more(
        self,
        url: str | None,
        target: str,
        *,
        at: Literal["end", "start"] = "end",
        auto: bool = True,
        label: str | None = None,
    ) -> Markup:
        """Return what fetches the next page of the list `target` from `url`, or shows that there is none.

        A link without scripts, else a button; with `auto` it is pressed by itself when a reader comes near. The answer
        holds the rows, or the whole page, and this macro with the address of the page after that one.
        """
        if at not in _WORDS:
            raise ConfigurationError(f"rt.more(at={at!r}): rows come at the 'end' of a list or at its 'start'.")
        if not isinstance(target, str) or not target.strip():
            raise ConfigurationError(f"rt.more(…, {target!r}) needs the list, such as '#messages'.")
        lang = self._lang()
        name = plain_or_hashed(target.removeprefix("#")).replace(".", "-")
        return self._render(
            "lists/more.html", id=f"rt-more-{name}{'-start' if at == 'start' else ''}", target=target, url=url, at=at,
            auto=auto, label=label or self._words.say(lang, _WORDS[at]),
            words=json.dumps(self._words.all(lang, "more."), ensure_ascii=False, separators=(",", ":")),
        )  # fmt: skip

    def badge(
        self,
        name: str,
        count: int,
        *,
        topic: str | None = None,
        label: Label | None = None,
        most: int = MOST,
        title: bool = False,
    ) -> Markup:
        """Return a count that `rt.user(id).badge(name, count)` changes: "9+" above `most`, nothing at none.

        With `topic` it is `rt.topic(topic).badge(…)` that does. `label` says the number to those who do not see it:
        "{n} unread", or plural forms. With `title` it stands in the title of the page, too.
        """
        lang = self._lang()
        words = label if label is not None else self._words.find(lang, "badge.count")
        live = self._heard(topic)
        return badge(name, count, label=words, plural=partial(plural, lang), most=most, title=title, live=live)

    def _heard(self, topic: str | None) -> Markup | None:
        state = current(self._owner) if shared() is None else None
        if state is None:
            return None  # what everybody gets holds nobody's grants
        self._identity.speak(state)
        user = self._identity.user(state)
        name = topic or (user_topic(user.id) if user else None)
        if name is None:
            return None
        state.wrote = True
        return self._subscribe(state, [name])

    def _lang(self) -> str:
        state = current(self._owner)
        return state.lang if state else "en"
