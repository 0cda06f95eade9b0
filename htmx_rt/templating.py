"""What templates see: macros that subscribe a page, and rendering of fragments that everybody gets."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, cast

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, Undefined
from markupsafe import Markup

from . import protocol
from .assets import HTMX, Assets
from .catalogue import Catalogue
from .entities import watched
from .exceptions import ConfigurationError, PersonalContent
from .grants import Grants
from .identity import Identity, RequestState, current
from .paths import PathPattern
from .presence import Presence
from .topics import base_topic, here_topic, plain_or_hashed, user_topic
from .types import User
from .undo import Deferred
from .views import parse_view

_PERSONAL: Final = ("request", "current_user", "csrf_token")
# As personal where a framework puts them among the globals; as arguments they may be anything.
_PERSONAL_GLOBALS: Final = (*_PERSONAL, "session", "g", "get_flashed_messages")
_shared: ContextVar[str | None] = ContextVar("htmx_rt_shared", default=None)  # name of what is rendered for all
_EXTENSION: Final = "htmx-rt.js"
_MORE: Final = ("htmx-rt-more.mjs",)  # what the extension loads by itself
_MORE_HTMX2: Final = ("htmx-rt-htmx2.mjs", *_MORE)
_STYLES: Final = "htmx-rt.css"


class _Poison(Undefined):
    """Stands for a personal name in shared HTML; any use of it raises."""

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> Any:
        raise _personal(self._undefined_name or "this")

    __iter__ = __str__ = __len__ = _fail_with_undefined_error
    __eq__ = __ne__ = __bool__ = __hash__ = _fail_with_undefined_error
    __call__ = __getitem__ = _fail_with_undefined_error
    __html__ = _fail_with_undefined_error


def _personal(what: str) -> PersonalContent:
    return PersonalContent(
        f"{what!r} is personal, and {_shared.get()!r} is rendered once for everybody on a topic. Pass what all may see as "
        "an argument of rt.render(), or publish rt.topic(…).refresh('#target'), so that each reader fetches their own."
    )


class Environments:
    """The template environments of one app: its own, and what we see of it."""

    def __init__(self) -> None:
        self._installed: Environment | None = None
        self._own: Environment | None = None  # for our templates
        self._shared: Environment | None = None  # for what everybody gets

    def install(self, environment: Environment, macros: Macros, *, name: str) -> None:
        """Make the macros known to `environment` as the global `name` and as `htmx_rt/macros.html`."""
        ours = PrefixLoader({"htmx_rt": PackageLoader("htmx_rt", "templates/htmx_rt")})
        # The app's loader comes first, so that it can override htmx_rt/banner.html and the like.
        environment.loader = ChoiceLoader([environment.loader, ours]) if environment.loader else ours
        environment.globals[name] = macros
        environment.globals.setdefault("htmx_rt", macros)
        self._installed, self._own, self._shared = environment, None, None

    def render(self, name: str, values: Mapping[str, Any]) -> Markup:
        """Render one of our templates, synchronously and escaped, whatever the app's environment does."""
        if self._own is None:
            self._own = self._environment().overlay(enable_async=False, autoescape=True)
        return Markup(self._own.get_template(name).render(values))

    def render_shared(self, name: str, values: Mapping[str, Any], *, block: str | None = None) -> Markup:
        """Render what everybody on a topic gets: only what is passed and globals, and nothing personal."""
        with _rendering(name):
            for personal in _PERSONAL:
                if personal in values:
                    raise _personal(personal)
            if self._shared is None:
                self._shared = _poisoned(self._environment())
            template = self._shared.get_template(name)
            if block is None:
                return Markup(template.render(values))
            if block not in template.blocks:
                known = ", ".join(template.blocks) or "none"
                raise ConfigurationError(f"Template {name!r} has no block {block!r}. Its blocks: {known}.")
            return Markup("".join(template.blocks[block](template.new_context(dict(values)))))

    def _environment(self) -> Environment:
        if self._installed is None:
            raise ConfigurationError("No templates yet. Call rt.install(templates.env) once, where the app is made.")
        return self._installed


def _poisoned(environment: Environment) -> Environment:
    """Return a view of `environment` in which personal names raise, those among its globals too.

    Globals, not values: imported templates see nothing else, and Flask has `request` among them.
    """
    view: Any = environment.overlay(enable_async=False)
    poison: dict[str, Any] = {word: _Poison(name=word) for word in _PERSONAL_GLOBALS}
    view.globals = ChainMap(poison, environment.globals)
    return cast(Environment, view)


@contextmanager
def _rendering(name: str) -> Iterator[None]:
    token = _shared.set(name)
    try:
        yield
    finally:
        _shared.reset(token)


class Macros:
    """The object templates know as `rt`. Each macro returns safe markup."""

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
        irreversible: Sequence[PathPattern],
        prefix: str,
        build: str,
        debug: bool,
    ) -> None:
        self._owner = owner
        self._identity = identity
        self._grants = grants
        self._assets = assets
        self._environments = environments
        self._presence = presence
        self._words = words
        self._irreversible = irreversible
        self._prefix = prefix
        self._build = build
        self._debug = debug

    # Personal: these belong to the page of one person

    def head(self, *, htmx: int | None = None, nonce: str | None = None, lang: str = "en") -> Markup:
        """Return what belongs into <head>: configuration, style sheet, extension, and on wish htmx 4 or 2."""
        state = self._state("rt.head()")
        if htmx is not None and htmx not in HTMX:
            raise ConfigurationError(
                f"rt.head(htmx={htmx!r}): vendored are {', '.join(map(str, HTMX))}. Leave it out to bring your own."
            )
        user = self._who(state)
        state.lang = lang
        prefix = self._url(state, "")
        config = {
            "v": protocol.VERSION, "name": self._identity.name, "prefix": prefix, "build": self._build,
            "debug": self._debug, "lang": lang, "who": self._identity.who(state),
            "me": user.name if user else "", "irreversible": [path.pattern for path in self._irreversible],
        }  # fmt: skip
        personal = self._subscribe(state, [user_topic(user.id)]) if user else Markup()
        return self._render(
            "head.html",
            config=json.dumps(config, separators=(",", ":")),
            personal=personal,
            styles=prefix + self._assets.path(_STYLES),
            htmx=prefix + self._assets.path(HTMX[htmx]) if htmx else None,
            modules=[prefix + self._assets.path(name) for name in (_MORE_HTMX2 if htmx == 2 else _MORE)],
            extension=prefix + self._assets.path(_EXTENSION),
            nonce=nonce,
        )

    def stream(self, *topics: str) -> Markup:
        """Return the attributes that make an element live: operations on `topics` may change it and what is in it."""
        state = self._state("rt.stream()")
        if not topics:
            raise ConfigurationError("rt.stream() needs a topic, such as rt.stream('board:7').")
        self._who(state)
        return self._subscribe(state, topics)

    def region(self, url: str, *topics: str, on: str | Iterable[str] = ()) -> Markup:
        """Return the attributes of an element that can fetch itself again from `url`; live where `topics` are given.

        With `on` it does so when an entity changes: "task", "task:7" or "board:3/task", one or several.
        """
        source = Markup('rt-src="{}"').format(url)
        named = [on] if isinstance(on, str) else on
        watching = list(dict.fromkeys(topic for name in named for topic in watched(name)))
        parts = [source]
        if watching:
            parts.append(Markup('rt-on="{}"').format(" ".join(watching)))
        if topics or watching:
            parts.append(self.stream(*dict.fromkeys((*topics, *watching))))
        return Markup(" ").join(parts)

    def presence(self, topic: str, view: str = "avatars", *, track: bool = True) -> Markup:
        """Return a picture of who is on `topic`: "avatars", "count", "line" or "roster", "avatars:7" for seven of them.

        Who looks is shown to the others, too, unless `track` is false.
        """
        state = self._state("rt.presence()")
        name, most = parse_view(view)
        self._who(state)
        here = here_topic(topic)
        grant = self._subscribe(state, [here], caps="rps" if track else "rs", lang=state.lang)
        values = {"id": picture_id(here, view), "view": view, "grant": grant, "track": track}
        return self._render("presence.html", picture=self.picture(here, name, most, state.lang), **values)

    def picture(self, topic: str, name: str, most: int, lang: str) -> Markup:
        """Return who is on the topic that `topic` is the presence of, drawn as `name` for all who look; no macro."""
        people, count = self._presence.first(base_topic(topic), most)
        return self._render(
            f"presence/{name}.html",
            id=picture_id(topic, name),
            people=[self._presence.shown(person) for person in people],
            count=count,
            more=count - len(people),
            say=partial(self._words.say, lang),
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

    def undo_page(
        self, state: RequestState, deferred: Iterable[Deferred], *, now: float, back: str, refusal: str
    ) -> Markup:
        """Return the page behind "Undo" of whoever runs no script; no macro."""
        items = [one.record(id=one.id, left=max(0, round(one.due - now))) for one in deferred]
        styles = self._url(state, "") + self._assets.path(_STYLES)
        prefix = self._url(state, "")
        return self._render("undo.html", items=items, back=back, refusal=refusal, styles=styles, prefix=prefix)

    def _state(self, what: str) -> RequestState:
        if _shared.get() is not None:
            raise _personal(what)
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

    def _subscribe(self, state: RequestState, topics: Iterable[str], *, caps: str = "r", lang: str = "") -> Markup:
        names = list(topics)
        browser, user, at = self._identity.browser(state), self._identity.user(state), str(state.position)
        tokens = [self._grants.issue(topic, browser=browser, user=user, at=at, caps=caps, lang=lang) for topic in names]
        return Markup('rt-stream="{}" rt-grant="{}" rt-at="{}"').format(" ".join(names), " ".join(tokens), at)

    def _url(self, state: RequestState, path: str) -> str:
        return str(state.scope.get("root_path", "")).rstrip("/") + self._prefix + path

    def _render(self, name: str, **values: Any) -> Markup:
        return self._environments.render(f"htmx_rt/{name}", values)


def picture_id(topic: str, view: str) -> str:
    """Return the id of the element that shows a view of a topic."""
    return f"rt-{view.replace(':', '-')}-{plain_or_hashed(topic)}".replace(".", "-")
