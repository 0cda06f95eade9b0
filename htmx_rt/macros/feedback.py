"""Macros of notifications and of fields that are checked while somebody types."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Final

from markupsafe import Markup

from ..badges import badge
from ..catalogue import plural
from ..exceptions import ConfigurationError
from ..identity import RequestState
from ..notifications import Notes
from ..scribe import Scribe
from ..validation import error_id, errors_of

SHOWN: Final = 20  # in the panel; the page has them all


class FeedbackMacros(Scribe):
    """Notifications, field errors."""

    def bell(self, notes: Notes | None = None) -> Markup:
        """Return the bell with the notifications of whoever is signed in; nothing for anybody else.

        `notes` is what `rt.notifications.list(user_id)` gave the view; without it the page asks for itself. Once a page.
        """
        state = self._state("rt.bell()")
        user = self._who(state)
        if user is None:
            return Markup()
        if notes is not None and (not isinstance(notes, Notes) or notes.user_id != user.id):
            raise ConfigurationError(
                f"rt.bell({type(notes).__name__}): pass what rt.notifications.list({user.id!r}) gives, or nothing."
            )
        news = self._words.find(state.lang, "bell.news")
        count = partial(
            badge, "bell", label=self._words.find(state.lang, "bell.unread"), plural=partial(plural, state.lang)
        )
        return self._render(
            "bell/bell.html",
            notes=notes,
            badge=count(notes.unread if notes else 0),
            news=news,
            who=self._identity.who(state),
            **self._noted(state),
        )

    def field(
        self, name: str, errors: Any = None, *, id: str | None = None, form: str | None = None, hint: str | None = None
    ) -> Markup:
        """Return the attributes of a field: its name, whether it is wrong, and where that is said.

        `errors` is as in `rt.errors`; `hint` is the id of what explains the field; `form` tells fields of the same name
        on one page apart.
        """
        parts = [Markup('name="{}"').format(name)]
        if id is not None:
            parts.append(Markup('id="{}"').format(id))
        places = [hint, error_id(name, form)] if hint else [error_id(name, form)]
        parts.append(Markup('aria-describedby="{}"').format(" ".join(places)))
        if name in errors_of(errors):
            parts.append(Markup('aria-invalid="true"'))
        return Markup(" ").join(parts)

    def field_error(self, name: str = "", errors: Any = None, *, form: str | None = None) -> Markup:
        """Return the place where the error of a field stands, its room kept; without a name that of the form."""
        text = " ".join(errors_of(errors).get(name, ()))
        return Markup('<span class="rt-field-error" id="{}" rt-field-error="{}">{}</span>').format(
            error_id(name, form), name, text
        )

    # Inside

    def bell_panel(self, state: RequestState, notes: Notes, lang: str) -> Markup:
        """Return what is in the panel of the bell; no macro."""
        return self._render("bell/panel.html", lang=lang, notes=notes, **self._noted(state))

    def bell_page(self, state: RequestState, notes: Notes | None, *, back: str) -> Markup:
        """Return the page of all notifications, which runs without scripts; no macro."""
        lang = self._words.choose(state.header(b"accept-language") or "")
        sign_in = self._sign_in.replace("{path}", self._url(state, "/notifications")) if self._sign_in else None
        return self._render(
            "bell/page.html", lang=lang, notes=notes, back=back, sign_in=sign_in,
            styles=self._url(state, "") + self._assets.path("htmx-rt.css"), **self._noted(state),
        )  # fmt: skip

    def _noted(self, state: RequestState) -> dict[str, Any]:
        def iso(at: float) -> str:
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

        def utc(at: float) -> str:
            return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))

        return {"to": self._url(state, "/notifications"), "shown": SHOWN, "iso": iso, "utc": utc}
