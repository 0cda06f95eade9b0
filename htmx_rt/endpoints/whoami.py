"""Asking the app who is there: one internal request through its own sessions, logins and dependencies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from starlette.requests import Request

from ..exceptions import Refused
from ..identity import SILENCE, RequestState, enter
from ..realtime import Realtime
from ..types import ASGIApp, Message, Scope, User

log = logging.getLogger("htmx_rt")

# What belongs to the request that came in, and not to the question we ask.
_OWN: Final = frozenset(
    (b"content-length", b"content-type", b"transfer-encoding", b"accept", b"accept-encoding", b"range", b"if-match",
     b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"expect", b"connection", b"upgrade",
     b"idempotency-key", b"rt-tab", b"hx-request", b"sec-websocket-key", b"sec-websocket-version",
     b"sec-websocket-protocol", b"sec-websocket-extensions")
)  # fmt: skip
# What most say alike who come with the same browser.
_ALIKE: Final = frozenset((b"host", b"origin", b"user-agent", b"accept-language", b"dnt", b"pragma", b"cache-control"))
_SHARED: Final = 2048  # bytes
_KEPT: Final = ("asgi", "http_version", "scheme", "root_path", "client", "server", "extensions", "state")


def question(rt: Realtime, scope: Scope) -> dict[str, Any]:
    """Return the scope of `GET {prefix}/whoami` with the cookies of `scope`; small, as open streams keep it."""
    path = str(scope.get("root_path", "")) + rt.prefix + "/whoami"
    kept = {name: scope[name] for name in _KEPT if name in scope}
    headers = [(name, value) for name, value in scope["headers"] if name not in _OWN]
    return kept | {
        "type": "http",
        "scheme": {"ws": "http", "wss": "https"}.get(kept.get("scheme", "http"), kept.get("scheme", "http")),
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [*headers, (b"accept", b"*/*")],
    }


def pack(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Return the headers that a question carries in two pieces, for the time that a stream is open.

    The first says what browser it is, and is the same object for all who send the same.
    """
    alike: list[bytes] = []
    own: list[bytes] = []
    for name, value in headers:
        if name not in _OWN:
            (alike if name in _ALIKE or name.startswith(b"sec-") else own).append(name + b":" + value)
    shared = b"\n".join(alike)
    return _one_of(shared) if len(shared) <= _SHARED else shared, b"\n".join(own)


def unpack(pieces: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return what `pack` was given."""
    split = [line.partition(b":") for piece in pieces for line in piece.split(b"\n") if line]
    return [(name, value) for name, _, value in split]


@lru_cache(256)
def _one_of(piece: bytes) -> bytes:
    """Return the first of all that are equal."""
    return piece


async def ask(rt: Realtime, app: ASGIApp, scope: Scope) -> tuple[User | object | None, list[tuple[bytes, bytes]]]:
    """Return what the app says, or `SILENCE`, and the cookies it sets. Raised where it fails: `Refused` (503)."""
    scope = {**scope, "headers": list(scope["headers"])}
    answer = Inner()
    try:
        async with asyncio.timeout(rt.limits.whoami_timeout):
            state = await answer.run(rt, app, scope)
        if state.spoken is SILENCE and rt.identity.identify is not None:
            # The app's middlewares have filled the scope by now, whatever status they answered with.
            state.spoken = User.of(rt.identity.identify(Request(scope)))
    except TimeoutError:
        raise Refused(503, "limited", "The app took too long to say who is asking.", retry_after=5) from None
    except Exception:
        log.exception("The app failed when asked who is there (GET %s/whoami).", rt.prefix)
        raise Refused(503, "limited", "The app failed when asked who is there.", retry_after=5) from None
    return state.spoken, answer.cookies


class Inner:
    """A request of our own through the app, with its answer; whose cookies it carries asks."""

    def __init__(self, body: bytes = b"") -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._body = body
        self._asked = False
        self._finished = asyncio.Event()

    @property
    def cookies(self) -> list[tuple[bytes, bytes]]:
        """Those that the app sets."""
        return [(name, value) for name, value in self.headers if name.lower() == b"set-cookie"]

    async def run(self, rt: Realtime, app: ASGIApp, scope: Scope) -> RequestState:
        """Ask the app, and return what is known of that request then. Raised: whatever the app raises."""
        if "state" in scope:
            scope["state"] = dict(scope["state"])
        state = rt.identity.open(scope, internal=True)
        scope.setdefault("htmx_rt", {})[rt.name] = state
        leave = enter(rt, state)
        try:
            await app(scope, self._receive, self._send)
        finally:
            leave()
            self._finished.set()
        return state

    async def _receive(self) -> Message:
        if self._asked:
            await self._finished.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._finished.set()


async def confirm(rt: Realtime, app: ASGIApp, state: RequestState) -> list[tuple[bytes, bytes]]:
    """Make sure that `state` knows who is asking, and return the cookies to set where the app had to be asked."""
    if rt.identity.settled(state):
        return []
    answer, cookies = await ask(rt, app, question(rt, state.scope))
    if answer is not SILENCE:
        state.spoken = answer  # type: ignore[assignment]
    # Seal what was learnt, unless there is no cookie: then a grant must first show that there ever was a page.
    state.wrote = state.sealed is not None
    prefixes = tuple(name.encode() + b"=" for name in (rt.identity.cookie(state.https), rt.identity.toast_cookie))
    return [(name, value) for name, value in cookies if not value.startswith(prefixes)]
