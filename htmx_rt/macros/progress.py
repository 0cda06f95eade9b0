"""Macros of what takes long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from markupsafe import Markup

from ..identity import RequestState
from ..progress_record import Record
from ..publishing import Topic
from ..scribe import Scribe
from ..topics import check_topic, plain_or_hashed, public_key

_SEPARATORS: Final = {"de": ".", "es": ".", "en": ","}
Say = Callable[..., str]


class ProgressMacros(Scribe):
    """Long operations."""

    def progress(self, topic: str | Topic, running: Iterable[Record] | None = None) -> Markup:
        """Return the place where what takes long on `topic` is shown: how far it is, how it ended, and a button to cancel.

        `running` is what `await rt.running(topic)` gave the view; without it the page knows a moment later.
        """
        state = self._state("rt.progress()")
        name = topic.name if isinstance(topic, Topic) else check_topic(topic)
        self._who(state)
        me, path = public_key(self._identity.owner(state)), self._url(state, "/progress/")
        grant = self._token(state, name)
        tasks = [
            self._task(record, me, state.lang)
            | {"page": f"{path}{record.id}?{urlencode({'topic': name, 'grant': grant})}"}
            for record in running or ()
        ]
        words = self._words.all(state.lang, "progress.")
        return self._render(
            "progress/slot.html", id=f"rt-progress-{plain_or_hashed(name.replace(':', '-'))}".replace(".", "-"),
            topic=name, subscription=self._subscribe(state, [name]), tasks=tasks, path=path, grant=grant,
            words=json.dumps(words, ensure_ascii=False, separators=(",", ":")),
        )  # fmt: skip

    def _token(self, state: RequestState, topic: str) -> str:
        browser, user = self._identity.browser(state), self._identity.user(state)
        return self._grants.issue(topic, browser=browser, user=user, at=str(state.position))

    def progress_page(
        self, state: RequestState, record: Record | None, *, here: str, post: str, topic: str, token: str, back: str
    ) -> Markup:
        """Return the page of one thing that takes long, for whoever runs no script; no macro."""
        lang = self._words.choose(state.header(b"accept-language") or "")
        me = public_key(self._identity.owner(state))
        task = self._task(record, me, lang) if record is not None else None
        return self._render(
            "progress/page.html", task=task, here=here, post=post, topic=topic, grant=token, back=back,
            styles=self._styles(state), lang=lang,
        )  # fmt: skip

    def _styles(self, state: RequestState) -> str:
        return self._url(state, "") + self._assets.path("htmx-rt.css")

    def _task(self, record: Record, me: str, lang: str) -> dict[str, Any]:
        """Return what a template needs of a record; the page says the same (`js/src/progress/say.js`)."""
        say = partial(self._words.say, lang)
        ago = max(0.0, time.time() - record.ended) if record.ended is not None else None
        counted = _counted(record, say, lang)
        note = [
            part
            for part in (
                _outcome(record, say) if not record.running else None,
                counted if record.running or record.state != "done" else None,
                record.step if record.running else None,
                say(f"progress.left-{record.left[0]}", n=record.left[1]) if record.left and record.running else None,
                _age(ago, say) if ago is not None else None,
            )
            if part
        ]
        percent = say("progress.percent", n=record.percent) if record.percent is not None else ""
        mine = me == (public_key(record.owner) if record.owner else "")
        return {
            "record": record,
            "data": json.dumps(record.public | ({} if ago is None else {"ago": round(ago)}), ensure_ascii=False),
            "by": say("progress.by", name=record.by) if record.by and not mine else "",
            "percent": percent,
            "note": " · ".join(note),
            "value": ", ".join(part for part in (percent, *note) if part),
            "may": record.running and (record.cancel == "all" or (record.cancel == "owner" and mine)),
        }


def _outcome(record: Record, say: Say) -> str:
    if record.late:
        return say("progress.late")
    return say("progress.failed-why", why=record.error) if record.error else say(f"progress.{record.state}")


def _counted(record: Record, say: Say, lang: str) -> str:
    """Return how many are done, where they are counted one by one."""
    if record.done != int(record.done) or (record.total is not None and record.total != int(record.total)):
        return ""
    if record.total is None:
        return say("progress.so-far", done=grouped(record.done, lang)) if record.done else ""
    if record.total <= 1 or record.total == 100:  # a part of the whole, which the percentage says
        return ""
    return say("progress.count", done=grouped(record.done, lang), total=grouped(record.total, lang))


def _age(seconds: float, say: Say) -> str:
    if seconds < 45:
        return say("progress.now")
    if seconds < 3570:
        return say("progress.ago-min", n=max(1, round(seconds / 60)))
    return say("progress.ago-h", n=round(seconds / 3600))


def grouped(number: float, lang: str) -> str:
    """Return a whole number as browsers write it (Intl.NumberFormat) in the languages that we have words in."""
    code = lang.partition("-")[0]
    text = f"{int(number):,}"
    if code == "es" and len(text) == 5:  # four digits stand together
        return text.replace(",", "")
    return text.replace(",", _SEPARATORS.get(code, "\u202f"))
