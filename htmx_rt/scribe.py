"""How macros write: for whom a page is, which topics it gets, and in which words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from markupsafe import Markup

from .assets import Assets
from .catalogue import Catalogue
from .drafts import Drafts
from .exceptions import ConfigurationError
from .grants import Grants
from .guards import Guard
from .identity import Identity, RequestState, current
from .paths import PathPattern
from .presence import Presence
from .sections import Found, Sections
from .templating import Environments, personal, shared
from .topics import VISITORS, here_topic
from .types import Limits, Transport, User

_SPOKEN: Final = ("typing.", "field.one", "here.visitor", "here.as-of")  # words that pages need at hand


class Scribe:
    """What all macros need."""

    def __init__(
        self,
        *,
        owner: object,
        identity: Identity,
        grants: Grants,
        assets: Assets,
        environments: Environments,
        presence: Presence,
        words: Catalogue,
        sections: Sections,
        limits: Limits,
        irreversible: Sequence[PathPattern],
        guards: Mapping[str, Guard],
        drafts: Drafts,
        prefix: str,
        build: str,
        up: int,
        sign_in: str | None,
        transport: Transport,
        debug: bool,
    ) -> None:
        self._owner = owner
        self._identity = identity
        self._grants = grants
        self._assets = assets
        self._environments = environments
        self._presence = presence
        self._words = words
        self._sections = sections
        self._limits = limits
        self._irreversible = irreversible
        self._guards = guards
        self._drafts = drafts
        self._prefix = prefix
        self._build = build
        self._up = up
        self._sign_in = sign_in
        self._transport = transport
        self._debug = debug

    def _state(self, what: str) -> RequestState:
        if shared() is not None:
            raise personal(what)
        state = current(self._owner)
        if state is None:
            raise ConfigurationError(
                f"{what} was called outside a request. Wrap the app: app.add_middleware(RealtimeMiddleware, rt=rt)."
            )
        return state

    def _who(self, state: RequestState) -> User | None:
        self._identity.speak(state)
        state.wrote = True
        return self._identity.user(state)

    def _subscribe(
        self,
        state: RequestState,
        topics: Iterable[str],
        *,
        caps: str = "r",
        lang: str = "",
        meta: dict[str, Any] | None = None,
    ) -> Markup:
        names = list(topics)
        browser, user, at = self._identity.browser(state), self._identity.user(state), str(state.position)
        issue = partial(self._grants.issue, browser=browser, user=user, at=at, caps=caps, lang=lang, meta=meta or None)
        return Markup('rt-stream="{}" rt-grant="{}" rt-at="{}"').format(
            " ".join(names), " ".join(map(issue, names)), at
        )

    def _found(self, state: RequestState) -> Found:
        path, root = str(state.scope["path"]), str(state.scope.get("root_path", "")).rstrip("/")
        path = path.removeprefix(root) if path.startswith(root + "/") else path
        return self._sections.of(path, guarded=self._grants.has_policy)

    def _here(self, state: RequestState, topic: str | None, what: str) -> str | None:
        """Return the topic of who is on `topic`, or on what the page belongs to; None where it belongs to nothing."""
        if topic is None:
            if not self._sections:
                raise ConfigurationError(f"{what} needs a topic, such as 'board:7', or rt.section(…, presence=True).")
            topic = next(reversed(self._found(state).here), None)
        return here_topic(topic) if topic is not None else None

    def _section(self, state: RequestState) -> list[Markup]:
        """Return what the page's section and `rt.visitors` subscribe it to."""
        found = self._found(state) if self._sections else Found()
        parts = [self._subscribe(state, found.topics)] if found.topics else []
        for topic in found.here:
            parts.append(
                Markup("rt-here {}").format(self._subscribe(state, [here_topic(topic)], caps="rps", lang=state.lang))
            )
        visiting = state.visiting or ({"page": str(state.scope["path"])[:200]} if found.visitors else None)
        if visiting is not None:
            grant = self._subscribe(state, [here_topic(VISITORS)], caps="p", meta=visiting)
            parts.append(Markup("rt-here {}").format(grant))
        return parts

    def _spoken(self, lang: str) -> str:
        """Return the words that the page puts its own sentences together from, as JSON."""
        return json.dumps(self._words.all(lang, *_SPOKEN), ensure_ascii=False, separators=(",", ":"))

    def _url(self, state: RequestState, path: str) -> str:
        return str(state.scope.get("root_path", "")).rstrip("/") + self._prefix + path

    def _render(self, name: str, *, lang: str = "", **values: Any) -> Markup:
        state = current(self._owner)
        words = self._words.speaking(lang or (state.lang if state else "en"))
        return self._environments.render(f"htmx_rt/{name}", words | values)
