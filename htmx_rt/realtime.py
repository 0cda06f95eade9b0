"""`Realtime`: the one object an app makes. It wires the parts and keeps none of their work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from jinja2 import Environment
from markupsafe import Markup

from . import buses, protocol, stores
from .accelerator import Accelerator
from .assets import Assets
from .bases import Bases
from .buses.base import Bus, Mark
from .catalogue import Catalogue, Word
from .declarations import Declarations
from .deferred import FAILED, UNKNOWN, Deferred
from .drafts import Ciphers, Drafts
from .editing import Editing
from .entities import ACTIONS, Action, Entity
from .exceptions import BadOperation, BadTopic, ConfigurationError, RealtimeError
from .grants import Grants, Policy
from .identity import Identify, Identity, RequestState, current
from .locks import Locks
from .macros import Macros
from .macros.pages import checked_transport
from .operations import toast_args
from .presence import Presence
from .publishing import Published, Publisher, Topic
from .receipts import Receipts
from .sections import Sections
from .services import Services
from .signing import Signer
from .solitude import Solitude
from .speech import Speech
from .stores.base import Store
from .templating import Environments
from .topics import check_topic, user_topic
from .types import Level, Limits, Transport, User
from .undo import Undo
from .undo_runner import Runner
from .visitors import Stats, Visitors

_P = TypeVar("_P", bound=Policy)
_E = TypeVar("_E", bound=Callable[..., Any])
_BUILD: Final = re.compile(r"[!-~]{1,64}")
_UNDO_WORDS: Final = {
    FAILED: "This could not be done, and nothing was changed: {}",
    UNKNOWN: "Nobody knows whether this was done. Please look: {}",
}


class Realtime(Declarations, Services):
    """Real time for one app: publish with `topic` and `user`, render with `render`, mount with `RealtimeMiddleware`.

    Raised at once if it could not work as configured: `ConfigurationError`.
    """

    def __init__(
        self,
        *,
        secret: str | bytes | Sequence[str | bytes],  # 32 bytes or more; a list rotates, newest first
        words: Mapping[str, Mapping[str, Word]] | None = None,  # language → name → words, in place of the kit's own
        identify: Identify | None = None,  # Request → None, a str id, or User(id, name)
        bus: str | Bus = "memory://",
        store: str | Store = "memory://",  # keeps receipts, undo and the like
        uploads: str | Path | None = None,  # folder of files that wait for their form; the system's temporary one
        draft_keys: str | Sequence[str] | None = None,  # Fernet keys to encrypt drafts with, newest first
        receipts: bool = True,  # run each action of a page once
        name: str = "app",  # part of cookies, salts and files: two objects never meet
        origins: Sequence[str] = (),  # further origins whose pages may call, e.g. "https://app.example"
        prefix: str = protocol.PREFIX,
        build: str | None = None,  # version of the app; pages learn when it changes
        sign_in: str | None = None,  # address of the page to sign in on; "{path}" in it is where to return to
        transport: Transport = "auto",  # of pages: streams, WebSockets where those do not get through; "sse", "socket"
        limits: Limits | dict[str, Any] | None = None,
        accelerate: bool = False,  # write past send() where the server is known: uvicorn with httptools
        debug: bool = False,
    ) -> None:
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or len(name) > 32:
            raise ConfigurationError(
                f"Realtime(name={name!r}): use 1 to 32 letters, digits, - or _, as it becomes part of a cookie's name."
            )
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ConfigurationError(
                f"Realtime(prefix={prefix!r}): begin with a slash and end without one, such as '/_rt'."
            )
        self.name = name
        self.prefix = prefix
        self.origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self.debug = debug
        self.accelerator = Accelerator() if accelerate else None
        self.sign_in = sign_in
        self.limits = Limits.of(limits)
        self.signer = Signer(secret, name=name)
        self.bus = buses.connect(bus, self.limits, name=name)
        self.store = stores.connect(store, name=name)
        self.identity = Identity(name=name, signer=self.signer, bus=self.bus, limits=self.limits, identify=identify)
        self.receipts = None
        if receipts:
            self.receipts = Receipts(
                store=self.store, limits=self.limits, later=self.later, leaving=lambda: self.draining
            )
        self.undo = Undo(
            store=self.store, identity=self.identity, limits=self.limits, home=self.home, request=self._request,
            toast=self._undo_toast,
        )  # fmt: skip
        self.drafts = Drafts(
            store=self.store, identity=self.identity, signer=self.signer, limits=self.limits, home=self.home,
            request=self._request, ciphers=Ciphers(draft_keys),
        )  # fmt: skip
        self.presence = Presence(
            bus=self.bus, limits=self.limits, draw=self.people_changed, home=self.home, later=self.later
        )
        self.presence.asked = self.show_views
        self.words = Catalogue(words)
        self.speech = Speech(self.limits, self.bus.signal)
        self.visitors = Visitors(presence=self.presence, limits=self.limits, request=self._request)
        self._sections = Sections()
        self.grants = Grants(signer=self.signer, bus=self.bus, limits=self.limits)
        self.assets = Assets()
        if build is not None and not _BUILD.fullmatch(build):
            raise ConfigurationError(
                f"Realtime(build={build!r}): use 1 to 64 letters, digits and signs, without spaces."
            )
        self.build = f"{build}-{self.assets.digest}" if build else self.assets.digest
        self.up = round(time.time())  # tells which of two builds came after the other
        self.begin_declarations()
        self._environments = Environments()
        self.macros = Macros(
            owner=self, identity=self.identity, grants=self.grants, assets=self.assets,
            environments=self._environments, presence=self.presence, words=self.words, sections=self._sections, limits=self.limits,
            irreversible=self._irreversible, guards=self._guards, drafts=self.drafts, prefix=prefix, build=self.build, up=self.up, sign_in=sign_in, transport=checked_transport(transport), debug=debug,
        )  # fmt: skip
        self._publisher = Publisher(owner=self, bus=self.bus, identity=self.identity, limits=self.limits)
        self.locks = Locks(
            store=self.store, leases=self.presence.leases, lock=self.presence.gossip.lock, publish=self._publisher.tell,
            home=self.home, later=self.later,
        )  # fmt: skip
        self.presence.moved = self.locks.moved
        self._editing = Editing(
            store=self.store, locks=self.locks, bases=Bases(self.signer, most=self.limits.base), identity=self.identity,
            publisher=self._publisher, words=self.words, limits=self.limits, home=self.home, request=self._request,
            here=lambda: current(self), later=self.later, render=self.macros.draw, styles=self.macros.styles, prefix=prefix,
        )  # fmt: skip
        self.reverts = self._editing.reverts
        self.begin_services(uploads=uploads)
        runner = Runner(self.undo, lease=self.limits.undo_lease, kept=self.limits.undo_kept, tell=self._undo_failed)
        solitude = Solitude(name, self.signer.fingerprint)
        self.begin_life(
            bus=self.bus,
            store=self.store,
            limits=self.limits,
            runner=runner,
            solitude=solitude,
            presence=self.presence,
            locks=self.locks,
            picture=self.macros.picture,
        )

    # Publishing

    def topic(self, name: str) -> Topic:
        """Return the topic `name` to publish to. Raised if the name is malformed: `BadTopic`."""
        return Topic(self._publisher, name)

    def user(self, user_id: str) -> Topic:
        """Return the personal topic of a person, which every page of theirs hears."""
        if not isinstance(user_id, str) or not user_id:
            raise BadTopic(f"rt.user({user_id!r}): pass the same str id that identify() gives.")
        return Topic(self._publisher, user_topic(user_id))

    def changed(
        self,
        kind: str,  # such as "task"
        id: object = None,
        action: Action = "updated",
        *,
        parent: tuple[str, object] | None = None,  # such as ("board", 3)
        after: object = None,
    ) -> list[Published]:
        """Say that an entity was created, updated or deleted: regions with `on=` fetch themselves again.

        Commit first, or pass the session as `after=`. Without an `id`, any of the kind may have changed.
        """
        if action not in ACTIONS:
            raise BadOperation(f"Unknown action {action!r}. Use one of: {', '.join(ACTIONS)}.")
        above = (parent[0], str(parent[1])) if parent is not None else None
        entity = Entity(kind, None if id is None else str(id), above)
        data = {"kind": kind, "id": entity.id, "action": action, "parent": list(above) if above else None}
        raise_event = self._publisher.raise_event
        return [raise_event(name, protocol.ENTITY, data, after=after) for name in entity.topics]

    def toast(self, text: str, *, level: Level = "info", key: str | None = None, timeout: float | None = None) -> None:
        """Show a toast to whoever made the current request, also across the redirect that follows."""
        state = self._request("rt.toast()")
        if state.answered:
            raise RealtimeError(
                "rt.toast() travels with the response, which has left already. From a task use rt.user(user_id).toast(…)."
            )
        _add_toast(state, toast_args(text, level=level, key=key, timeout=timeout))

    # Templates

    def install(self, environment: Environment, *, name: str = "rt") -> None:
        """Make the macros known to a Jinja environment, as the global `name` and as "htmx_rt/macros.html"."""
        self._environments.install(environment, self.macros, name=name)

    def render(self, template: str, *, block: str | None = None, **values: Any) -> Markup:
        """Render a template, or one `block` of it, for everybody: with `values` and globals, nothing personal.

        Raised if the template uses something personal: `PersonalContent`.
        """
        return self._environments.render_shared(template, values, block=block)

    def is_htmx(self, request: Any) -> bool:
        """Tell whether `request` wants a fragment: made by htmx, and neither boosted nor a history restore."""
        headers = request.headers
        return headers.get("HX-Request") == "true" and not (
            headers.get("HX-Boosted") == "true"
            or headers.get("HX-History-Restore-Request") == "true"
            or headers.get("HX-Request-Type") == "full"
        )

    # People

    def set_user(self, user: User | str | None) -> None:
        """Say who makes the current request; None is nobody."""
        self.identity.tell(self._request("rt.set_user()"), user)

    def sign_out(self) -> None:
        """Say that the current person has signed out: their streams in this browser end within two seconds."""
        self.identity.tell(self._request("rt.sign_out()"), None)

    def authorize(self, pattern: str) -> Callable[[_P], _P]:
        """Register a function `(user, **fields) -> bool`, sync or async, that decides on topics matching `pattern`."""

        def register(policy: _P) -> _P:
            self.grants.add_policy(pattern, policy)
            return policy

        return register

    def revoke(self, topic: str, user: str | None = None) -> None:
        """Take `topic` away from everybody, or from one person: grants written until now count no more."""
        self.bus.revoke(Mark("topic", check_topic(topic), user, self.identity.clock()))

    def section(
        self,
        path: str,
        *,
        topics: Sequence[str] = (),
        presence: bool | str = False,
        visitors: bool = False,
        public: bool = False,
    ) -> None:
        """Say what all pages at and below `path` have in common, so that `rt.head()` alone subscribes them.

        They read `topics`, with the fields of the path put in ("/docs/{id}", "doc:{id}"); with `presence` their readers
        are shown on the first of them, or on the one it names; with `visitors` they are counted by `rt.visitors`. As
        error pages have a head too, each topic needs an `authorize` function, or `public`: it may be read by anybody.
        Raised where it could not work: `ConfigurationError`.
        """
        self._sections.add(path, topics=topics, presence=presence, visitors=visitors, public=public)

    def stats(self) -> Stats:
        """Return how many connections, people and visitors there are, by topic, by page and in all."""
        return self.visitors.stats(streams=self.streams)

    # Inside

    def whisper(self, topic: str, name: str, data: object, sender: dict[str, Any]) -> bytes:
        """Encode a word of one page to all others on a topic. Raised where it is too long: `TooLarge`."""
        return self._publisher.whisper(topic, name, data, sender=sender)

    def resync_failed(self, state: RequestState) -> None:
        """Make readers fetch again what a request published before it failed, and do nothing that it put off."""
        state.failed = True
        for deferred in state.deferred or ():
            self.later(self.undo.give_up(deferred))
        if state.deferred:
            state.toasts = [toast for toast in state.toasts or () if "undo" not in toast]
        state.deferred = None
        for topic in state.topics or ():
            self._publisher.resync(topic, "failed")
        state.topics = None

    def _undo_toast(self, state: RequestState, deferred: Deferred) -> None:
        left = max(0, round((deferred.due - self.store.clock()) * 1000))
        undo = {"id": deferred.id, "left": left}
        _add_toast(state, toast_args(deferred.text, level="info", key=None, timeout=None, undo=undo))

    def _undo_failed(self, deferred: Deferred) -> None:
        if deferred.user is not None and deferred.text:
            word = _UNDO_WORDS[deferred.state].format(deferred.text)
            self.user(deferred.user.id).toast(word, level="error")

    def _request(self, what: str) -> RequestState:
        state = current(self)
        if state is None:
            raise ConfigurationError(
                f"{what} was called outside a request. Wrap the app in RealtimeMiddleware(app, rt=rt)."
            )
        return state


def _add_toast(state: RequestState, args: dict[str, Any]) -> None:
    kept = {key: value for key, value in args.items() if value is not None}
    state.toasts = [*(state.toasts or []), kept][-3:]
