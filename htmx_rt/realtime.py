"""`Realtime`: the one object an app makes. It wires the parts and keeps none of their work."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jinja2 import Environment
from markupsafe import Markup

from . import buses, protocol
from .assets import Assets
from .buses.base import Bus, Mark
from .drain import watch
from .entities import ACTIONS, Action, Entity
from .exceptions import BadOperation, BadTopic, ConfigurationError, RealtimeError
from .grants import Grants, Policy
from .hub import Hub
from .identity import Identify, Identity, RequestState, current
from .operations import toast_args
from .publishing import Published, Publisher, Topic
from .signing import Signer
from .sockets import tune_listeners
from .solitude import Solitude
from .templating import Environments, Macros
from .topics import check_topic, user_topic
from .types import Level, Limits, User

_P = TypeVar("_P", bound=Policy)


class Realtime:
    """Real time for one app: publish with `topic` and `user`, render with `render`, mount with `RealtimeMiddleware`.

    Raised at once if it could not work as configured: `ConfigurationError`.
    """

    def __init__(
        self,
        *,
        secret: str | bytes | Sequence[str | bytes],  # 32 bytes or more; a list rotates, newest first
        identify: Identify | None = None,  # Request → None, a str id, or User(id, name)
        bus: str | Bus = "memory://",
        name: str = "app",  # part of cookies, salts and files: two objects never meet
        origins: Sequence[str] = (),  # further origins whose pages may call, e.g. "https://app.example"
        prefix: str = protocol.PREFIX,
        build: str | None = None,  # version of the app; pages learn when it changes
        limits: Limits | dict[str, Any] | None = None,
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
        self.limits = Limits.of(limits)
        self.signer = Signer(secret, name=name)
        self.bus = buses.connect(bus, self.limits, name=name)
        self.identity = Identity(name=name, signer=self.signer, bus=self.bus, limits=self.limits, identify=identify)
        self.grants = Grants(signer=self.signer, bus=self.bus, limits=self.limits)
        self.assets = Assets()
        self.build = f"{build}-{self.assets.digest}" if build else self.assets.digest
        self.draining = False
        self.tasks: set[asyncio.Task[None]] = set()  # of endpoints, kept from being collected
        self._environments = Environments()
        self.macros = Macros(
            owner=self, identity=self.identity, grants=self.grants, assets=self.assets,
            environments=self._environments, prefix=prefix, build=self.build, debug=debug,
        )  # fmt: skip
        self._publisher = Publisher(owner=self, bus=self.bus, identity=self.identity, limits=self.limits)
        self._solitude = Solitude(name, self.signer.fingerprint)
        self._hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()
        self._started: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._tuned: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._stop_watching: Callable[[], None] | None = None

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
        args = {k: v for k, v in toast_args(text, level=level, key=key, timeout=timeout).items() if v is not None}
        state.toasts = [*(state.toasts or []), args][-3:]

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

    # Life

    def hub(self) -> Hub:
        """Return the hub of the running loop, making it where this loop is new."""
        loop = asyncio.get_running_loop()
        hub = self._hubs.get(loop)
        if hub is None:
            with self._lock:
                for other in tuple(self._hubs):
                    if other.is_closed():  # without a word, as test clients do
                        self._hubs.pop(other).close()
                hub = self._hubs.get(loop) or self._hubs.setdefault(loop, Hub(loop, self.bus, self.limits))
        return hub

    @property
    def started(self) -> bool:
        """Whether somebody has started us for the running loop."""
        return asyncio.get_running_loop() in self._started

    async def start(self) -> None:
        """Start for the running loop; called at lifespan startup, or by the first request where there is none.

        Does nothing the second time. Raised if the bus cannot be started: `BusUnavailable`.
        """
        if self.started:
            return
        loop = asyncio.get_running_loop()
        self._started.add(loop)
        try:
            self.hub()
            await self.bus.start()
        except BaseException:
            self._started.discard(loop)
            raise
        if not self.bus.shared:
            self._solitude.claim()

    def watch(self) -> None:
        """Hear of SIGTERM and SIGINT; repeated at each stream, because a server may have put its own handlers on top."""
        if not self.draining:
            self._stop_watching = watch(self)

    def tune(self) -> None:
        """Set options of the server's sockets, at the first stream: servers open them after the app has started."""
        loop = asyncio.get_running_loop()
        if loop not in self._tuned:
            self._tuned.add(loop)
            loop.call_soon(tune_listeners)

    def begin_drain(self) -> None:
        """Send all streams away, to come back elsewhere; safe in a signal handler and in any thread."""
        if self.draining:
            return
        self.draining = True
        for loop, hub in tuple(self._hubs.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(hub.drain)

    async def drain(self) -> None:
        """End all streams of this worker and wait until those of the running loop have ended, at most a second."""
        self.begin_drain()
        await self.hub().emptied(within=1.0)

    async def stop(self) -> None:
        """Let go of everything that belongs to the running loop, and only to it; it may be started again."""
        loop = asyncio.get_running_loop()
        hub = self._hubs.get(loop)
        if hub is None:
            return
        hub.drain()
        await hub.emptied(within=1.0)
        asking = [task for task in tuple(self.tasks) if task.get_loop() is loop]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        hub.close()
        self._hubs.pop(loop, None)
        self._started.discard(loop)
        self._tuned.discard(loop)
        if any(not other.is_closed() for other in self._hubs):
            return
        await self.bus.stop()
        self._solitude.release()
        if self._stop_watching is not None:
            self._stop_watching()
            self._stop_watching = None
        self.draining = False

    # Inside

    def resync_failed(self, state: RequestState) -> None:
        """Make readers fetch again what a request published before it failed."""
        for topic in state.topics or ():
            self._publisher.resync(topic, "failed")
        state.topics = None

    def _request(self, what: str) -> RequestState:
        state = current(self)
        if state is None:
            raise ConfigurationError(
                f"{what} was called outside a request. Wrap the app in RealtimeMiddleware(app, rt=rt)."
            )
        return state
