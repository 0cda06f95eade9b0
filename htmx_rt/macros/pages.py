"""The macros of a page: its head, its streams, who is here, records, and what stands in its layout."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from .. import protocol
from ..assets import HTMX
from ..deferred import Deferred
from ..drafts import Draft
from ..exceptions import ConfigurationError
from ..guards import HELD
from ..identity import RequestState
from ..paths import changed, page_of
from ..people import Person, Tally
from ..presence import checked_meta
from ..scribe import Scribe
from ..sight import Viewer
from ..topics import base_topic, edit_topic, here_topic, plain_or_hashed, user_topic
from ..types import Transport
from ..views import parse_view

_EXTENSION: Final = "htmx-rt.js"
_MORE: Final = ("htmx-rt-more.mjs",)  # what the extension loads by itself
_MORE_HTMX2: Final = ("htmx-rt-htmx2.mjs", *_MORE)
_SOCKET: Final = "htmx-rt-socket.mjs"
_STYLES: Final = "htmx-rt.css"
_LINES: Final[dict[Transport, dict[str, bool]]] = {"auto": {}, "sse": {"socket": False}, "socket": {"socket": True}}


class PageMacros(Scribe):
    """What most pages need."""

    # Personal: these belong to the page of one person

    def head(
        self,
        *,
        htmx: int | None = None,
        nonce: str | None = None,
        lang: str = "en",
        transport: Transport | None = None,
    ) -> Markup:
        """Return what belongs into <head>: configuration, style sheet, extension, and on wish htmx 4 or 2.

        `transport` is how this page reads, where it is not to be as `Realtime(transport=…)` says.
        """
        state = self._state("rt.head()")
        if htmx is not None and htmx not in HTMX:
            raise ConfigurationError(
                f"rt.head(htmx={htmx!r}): vendored are {', '.join(map(str, HTMX))}. Leave it out to bring your own."
            )
        user = self._who(state)
        state.lang = lang
        prefix = self._url(state, "")
        lines = _LINES[checked_transport(transport or self._transport)]
        files = (_SOCKET,) * lines.get("socket", False) + (_MORE_HTMX2 if htmx == 2 else _MORE)
        config = {
            "v": protocol.VERSION, "name": self._identity.name, "prefix": prefix, "build": self._build, "up": self._up,
            "debug": self._debug, "lang": lang, "who": self._identity.who(state),
            "me": user.name if user else "", "irreversible": [path.pattern for path in self._irreversible], "signIn": self._sign_in, **lines,
        }  # fmt: skip
        personal = self._subscribe(state, [user_topic(user.id)]) if user else Markup()
        return self._render(
            "head.html",
            config=json.dumps(config, separators=(",", ":")),
            personal=personal,
            section=self._section(state),
            styles=prefix + self._assets.path(_STYLES),
            htmx=prefix + self._assets.path(HTMX[htmx]) if htmx else None,
            modules=[prefix + self._assets.path(name) for name in files],
            extension=prefix + self._assets.path(_EXTENSION),
            nonce=nonce,
        )

    def stream(self, *topics: str) -> Markup:
        """Return the attributes that make an element live: operations on `topics` may change it and what is in it.

        Without any they are those of the page's section; outside of all sections there is nothing to return.
        """
        state = self._state("rt.stream()")
        if not topics and not self._sections:
            raise ConfigurationError("rt.stream() needs a topic, such as rt.stream('board:7').")
        self._who(state)
        names = topics or self._found(state).topics
        return self._subscribe(state, names) if names else Markup()

    def grant(self, *topics: str, signal: bool = True) -> Markup:
        """Return what puts the page on `topics` for its scripts: they hear them, and with `signal` speak on them."""
        state = self._state("rt.grant()")
        if not topics:
            raise ConfigurationError("rt.grant() needs a topic, such as rt.grant('room:7').")
        self._who(state)
        return Markup('<meta name="htmx-rt-topics" {}>').format(
            self._subscribe(state, topics, caps="rs" if signal else "r")
        )

    def presence(
        self, topic: str | None = None, view: str = "avatars", *, track: bool = True, meta: dict[str, Any] | None = None
    ) -> Markup:
        """Return a picture of who is on `topic`: "avatars", "count", "line", "roster" or "stats"; "avatars:7" for seven.

        Without a topic it is that of the page's section. Who looks is shown to the others, too, with `meta`, unless
        `track` is false.
        """
        state = self._state("rt.presence()")
        name, most = parse_view(view)
        here = self._here(state, topic, "rt.presence()")
        if here is None:
            return Markup()
        user = self._who(state)
        checked = checked_meta(meta, self._limits) if track else None
        grant = self._subscribe(state, [here], caps="rps" if track else "rs", lang=state.lang, meta=checked)
        people, tally = self._presence.first(base_topic(here), most, Viewer(self._identity.owner(state), user))
        picture = self.picture(here, name, people, tally, state.lang)
        name, words = picture_id(here, view), self._spoken(state.lang)
        return self._render("presence.html", id=name, view=view, grant=grant, track=track, words=words, picture=picture)

    def typing(self, topic: str | None = None) -> Markup:
        """Return the line that says who is typing on `topic`; its room is kept, so that nothing jumps.

        Fields inside an element with `rt-typing="<topic>"` tell the others; private ones never do.
        """
        state = self._state("rt.typing()")
        here = self._here(state, topic, "rt.typing()")
        if here is None:
            return Markup()
        self._who(state)
        grant = self._subscribe(state, [here], caps="rs", lang=state.lang)
        words = self._spoken(state.lang)
        return self._render("typing.html", id=picture_id(here, "typing"), grant=grant, words=words)

    def cursors(self, topic: str | None = None) -> Markup:
        """Return the attributes of an element in which people see each other's pointers and carets."""
        state = self._state("rt.cursors()")
        here = self._here(state, topic, "rt.cursors()")
        if here is None:
            return Markup()
        self._who(state)
        grant = self._subscribe(state, [here], caps="rs", lang=state.lang)
        return Markup('rt-cursors="{}" {} data-words="{}"').format(here, grant, self._spoken(state.lang))

    def guard(
        self,
        name: str,
        row: Any,
        *,
        fields: Sequence[str] | None = None,
        part: str | None = None,
        form: bool = True,
        typed: Any = None,
    ) -> Markup:
        """Return what makes the form around it that of a guarded record: its version, its values, and who edits it.

        `name` is that of a guard (`rt.guard(…)` in Python). With `fields` only those are in this form, and with `part`
        it has a lock of its own. On a page that only shows the record, `form=False`: it is told when that is gone. Where
        a form is shown again with what was sent, `typed` is that: those values are somebody's, and not the record's.
        """
        state = self._state("rt.guard()")
        guard = self._guards.get(name)
        if guard is None:
            known = ", ".join(self._guards) or "none"
            raise ConfigurationError(f"There is no guard {name!r}. Write rt.guard(…) in Python. Guards: {known}.")
        self._who(state)
        record, resource, held = guard.resource(row), guard.resource(row, part), guard.preset in HELD and form
        topic, kept = edit_topic(resource), guard.newest(resource, "lease")
        terms = asdict(guard.terms) if held else None
        here = self._subscribe(state, [here_topic(topic)], caps="rps", lang=state.lang) if held else None
        return self._render(
            "edit/guard.html", resource=resource, id=f"rt-edit-{plain_or_hashed(resource.replace(':', '-'))}".replace(".", "-"),
            preset=guard.preset, version=guard.version_of(row), fields=list(guard.chosen(fields)), to=guard.to,
            create=guard.create, enforce=guard.enforce and held, here=here,
            base=guard.base(row, fields=fields, lang=state.lang), record=record,
            typed=json.dumps(guard.typed(row, typed), ensure_ascii=False) if typed is not None else "",
            grant=self._subscribe(state, dict.fromkeys((topic, edit_topic(record))), caps="rl" if held else "r", lang=state.lang, meta=terms),
            form=form, holder=((kept or {}).get("holder") or {}).get("n"),
            words=json.dumps(self._words.all(state.lang, "edit.", "lease.", "here.visitor"), ensure_ascii=False, separators=(",", ":")),
        )  # fmt: skip

    def draft(self, name: str, draft: Draft | None = None, *, button: bool = True) -> Markup:
        """Return what keeps the form around it as a draft of whoever fills it in, and the line that says so.

        `draft` is what `rt.drafts.get(name)` gave the view; without it the page asks for itself. With `button` there is
        one to keep a draft by where no script runs.
        """
        state = self._state("rt.draft()")
        self._who(state)
        owner = self._identity.owner(state)
        return self._render(
            "draft.html", key=self._drafts.key(owner, name), draft=draft, button=button,
            kept=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(draft.at)) if draft else "", prefix=self._url(state, ""),
            id=f"rt-draft-{plain_or_hashed(name.replace(':', '-'))}".replace(".", "-"),
            words=json.dumps(self._words.all(state.lang, "draft."), ensure_ascii=False, separators=(",", ":")),
        )  # fmt: skip

    def picture(self, topic: str, name: str, people: list[Person], tally: Tally, lang: str) -> Markup:
        """Return who is on the topic that `topic` is the presence of, drawn as `name` for all who look; no macro."""
        count = tally.people + tally.visitors
        return self._render(
            f"presence/{name}.html",
            id=picture_id(topic, name),
            people=[self._presence.shown(person, base_topic(topic)) for person in people],
            count=count,
            more=count - len(people),
            tally=tally,
            lang=lang,
        )

    def toasts(self) -> Markup:
        """Return the place where toasts appear, with those that the request before left."""
        state = self._state("rt.toasts()")
        waiting = ([] if state.carried_shown else state.carried or []) + (state.toasts or [])
        state.carried_shown, state.toasts = True, None
        return self._render("toasts.html", toasts=waiting, prefix=self._url(state, ""))

    def theme(self) -> Markup:
        """Return the attribute of <html> that holds the chosen theme; nothing where the system decides."""
        state = self._state("rt.theme()")
        for part in (state.header(b"cookie") or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "rt-theme" and value in ("light", "dark"):
                return Markup('data-rt-theme="{}"').format(value)
        return Markup()

    def url(self, /, **changes: object) -> str:
        """Return the address of this page with parameters changed: `rt.url(tab="notes", page=2)`; None takes one away.

        In a fragment that htmx has asked for, it is that of the page it is for.
        """
        state = self._state("rt.url()")
        scope, query = state.scope, bytes(state.scope.get("query_string", b"")).decode("latin-1")
        htmx = (state.header(b"hx-request") == "true" and state.header(b"hx-current-url")) or None
        path, asked = page_of(quote(str(scope["path"])), query, htmx, state.header(b"host"))
        return path + changed(asked, changes)

    # For everybody

    def banner(self) -> Markup:
        """Return the bar that tells of a lost connection."""
        return self._render("banner.html")

    def queue(self) -> Markup:
        """Return the bar that tells how many changes wait on this device, and the list behind it."""
        return self._render("queue.html")

    def version(self, value: object) -> Markup:
        """Return the attribute that keeps an older copy of an element from replacing this newer one.

        `value` is a whole number, or an object with `lock_version`, `version_id` or `version`.
        """
        number = value
        for name in ("lock_version", "version_id", "version"):
            if not isinstance(number, int) and hasattr(number, name):
                number = getattr(number, name)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ConfigurationError(
                f"rt.version({value!r}) is no version. Pass a whole number that grows with each change, or an object "
                "with lock_version, version_id or version."
            )
        return Markup('rt-version="{}"').format(number)

    # Inside

    def styles(self, state: RequestState) -> str:
        """Return the address of the style sheet; no macro."""
        return self._url(state, "") + self._assets.path(_STYLES)

    def draw(self, template: str, *, lang: str, **values: Any) -> Markup:
        """Return one of our templates; no macro."""
        return self._render(template, lang=lang, **values)

    def undo_page(
        self, state: RequestState, deferred: Iterable[Deferred], *, now: float, back: str, refusal: str
    ) -> Markup:
        """Return the page behind "Undo" of whoever runs no script; no macro."""
        items = [one.record(id=one.id, left=max(0, round(one.due - now))) for one in deferred]
        styles, prefix = self.styles(state), self._url(state, "")
        lang = self._words.choose(state.header(b"accept-language") or "")
        return self._render(
            "undo.html", items=items, back=back, refusal=refusal, styles=styles, prefix=prefix, lang=lang
        )


def checked_transport(transport: Transport) -> Transport:
    """Return what is a transport. Raised for anything else: `ConfigurationError`."""
    if transport not in _LINES:
        raise ConfigurationError(f"transport={transport!r}: use one of {', '.join(_LINES)}.")
    return transport


def picture_id(topic: str, view: str) -> str:
    """Return the id of the element that shows a view of a topic."""
    return f"rt-{view.replace(':', '-')}-{plain_or_hashed(topic)}".replace(".", "-")
