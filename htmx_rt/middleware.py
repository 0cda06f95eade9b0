"""The edge: our own prefix, the lifespan, and what requests and responses of the app carry for us."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Iterator
from typing import Final

from . import protocol
from .actions import is_action, once
from .endpoints import Call, Rest, answer, socket
from .etags import tagging
from .identity import RequestState, enter
from .realtime import Realtime
from .types import ASGIApp, Message, Receive, Scope, Send
from .validation import Unanswered

log = logging.getLogger("htmx_rt")

_CDN: Final = frozenset((b"surrogate-control", b"cdn-cache-control", b"cloudflare-cdn-cache-control", b"edge-control"))
_AWAY: Final = frozenset((b"hx-redirect", b"hx-location", b"hx-refresh"))  # the page that would show a toast goes
_ENDING: Final = 1.0  # seconds that an answer waits until its draft is forgotten
_BUILD: Final = protocol.BUILD.lower().encode()
_PROBLEM: Final = protocol.PROBLEM.lower().encode()
_REGION: Final = protocol.REGION.lower().encode()
_TAKEN: Final = protocol.TAKEN.lower().encode()
_TOAST_HEADER: Final = 4096  # bytes; proxies refuse responses whose headers outgrow a buffer


class RealtimeMiddleware:
    """Wraps any ASGI app. Mount it outermost: `app.add_middleware(RealtimeMiddleware, rt=rt)` as the last one."""

    def __init__(self, app: ASGIApp, *, rt: Realtime) -> None:
        self.app = app
        self.rt = rt
        self._warned_of_cache = False
        self._unanswered = Unanswered(debug=rt.debug, sign_in=rt.sign_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket", "lifespan") or not _on_asyncio():
            await self.app(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            rest = await self._request(scope, receive, send)
            del scope, receive, send  # streams stay open for long, and there are many
            if rest is not None:
                await rest

    # Requests

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> Rest | None:
        rt = self.rt
        if not rt.started:
            await self._start_late()
        state = rt.identity.open(scope)
        path = self._own_path(scope)
        if path is not None and scope["type"] == "http":
            own = self._sealing(state, send, own=True)
            return await answer(Call(rt, self.app, state, {}, receive, own, send), path)
        if path is not None:
            return await socket(Call(rt, self.app, state, {}, receive, send, send), path)
        if scope["type"] == "http" and scope["method"] == "GET" and state.header(_REGION):
            send = tagging(send, asked=state.header(b"if-none-match"), most=rt.limits.region)
        states = scope.setdefault("htmx_rt", {})
        states[rt.name] = state
        leave = enter(rt, state)
        try:
            if scope["type"] == "http" and is_action(state):
                call = Call(rt, self.app, state, {}, receive, self._sealing(state, send, own=True), send)
                await once(call, lambda get, out: self.app(scope, get, self._sealing(state, out)))
            elif scope["type"] == "http":
                await self.app(scope, receive, self._sealing(state, send))
            else:
                await self.app(scope, receive, send)
        except Exception:
            rt.resync_failed(state)
            raise
        except BaseException:
            if not state.answered:  # cancelled half way, not a reader who left at the end
                rt.resync_failed(state)
            raise
        finally:
            leave()
            states.pop(rt.name, None)  # it knows the scope, and what knows each other waits for the collector
            if state.uploads:
                rt.uploads.clear(state)
        return None

    def _own_path(self, scope: Scope) -> str | None:
        """Return the path below our prefix, or None; an app may be mounted below a root path of its own."""
        path, root = str(scope["path"]), str(scope.get("root_path", ""))
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        prefix = self.rt.prefix
        return path[len(prefix) :] if path.startswith(prefix + "/") else None

    def _sealing(self, state: RequestState, send: Send, *, own: bool = False) -> Send:
        async def begin(message: Message) -> None:
            if not own:
                self._unanswered.look(state, message)
            if message["status"] >= 400:
                self.rt.resync_failed(state)
            elif state.draft and not own and not _is_problem(message):
                await self._taken_in(state, state.draft)
            headers = self._headers(state, message, own=own)
            state.answered = True
            await send(message if headers is None else {**message, "headers": headers})

        def sealing_send(message: Message) -> Awaitable[None]:
            return begin(message) if message["type"] == "http.response.start" else send(message)

        return sealing_send

    async def _taken_in(self, state: RequestState, key: str) -> None:
        """Forget the draft of a form before its answer leaves, as the next page may ask for it; else a little later."""
        done = asyncio.Event()

        async def end() -> None:
            try:
                await self.rt.drafts.taken_in(state, key)
            except Exception as error:
                log.warning("The draft of a form that was sent could not be forgotten: %s", error)
            finally:
                done.set()

        self.rt.later(end())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _ENDING)

    def _headers(self, state: RequestState, message: Message, *, own: bool) -> list[tuple[bytes, bytes]] | None:
        """Return the headers of a response with ours, or None where the response is none of our business."""
        if state.silent:  # as most are: files, and whatever has nothing to do with us
            return None
        identity = self.rt.identity
        personal = list(identity.seal(state)) if identity.to_seal(state) else []
        headers = list(message.get("headers", ()))
        if not own:  # our own files are the same for everybody, and no place for toasts
            personal += self._toasts(state, message["status"], headers)
        added = personal if own else [*personal, *identity.response_headers(state)]
        if state.tab is not None and not own:
            added.append((_BUILD, f"{self.rt.build} {self.rt.up}".encode()))
            if state.uploads:
                added.append((_TAKEN, " ".join(path.name.partition(".")[0] for path in state.uploads).encode()))
        if not added:
            return None
        return [*(self._private(headers) if personal else headers), *added]

    def _toasts(
        self, state: RequestState, status: int, headers: list[tuple[bytes, bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield what brings toasts to the actor: a header the extension reads, or a cookie for the next page."""
        stays = not 300 <= status < 400 and not any(name.lower() in _AWAY for name, _ in headers)
        waiting = ([] if state.carried_shown else state.carried or []) + (state.toasts or [])
        if state.tab is not None and stays and waiting:
            value = json.dumps(waiting, separators=(",", ":")).encode()
            while len(value) > _TOAST_HEADER and len(waiting) > 1:  # the oldest gives way
                waiting = waiting[1:]
                value = json.dumps(waiting, separators=(",", ":")).encode()
            state.carried_shown, state.toasts = True, None
            yield protocol.TOAST.lower().encode(), value
        yield from self.rt.identity.seal_toasts(state)

    def _private(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return `headers` such that no shared cache keeps a page with somebody's grants."""
        kept: list[tuple[bytes, bytes]] = []
        cached, control = False, False
        for name, value in headers:
            lower = name.lower()
            if lower in _CDN:
                cached = True
                continue
            if lower == b"cache-control":
                parts = [part.strip() for part in value.decode("latin-1").split(",") if part.strip()]
                private = [
                    part for part in parts if part.lower() != "public" and not part.lower().startswith("s-maxage")
                ]
                cached = cached or len(private) != len(parts)
                if not {"private", "no-store"} & {part.lower() for part in private}:
                    private.insert(0, "private")
                value, control = ", ".join(private).encode("latin-1"), True
            kept.append((name, value))
        if not control:
            kept.append((b"cache-control", b"private"))
        if cached and not self._warned_of_cache:
            self._warned_of_cache = True
            log.warning(
                "A page with rt macros was marked for shared caches; it holds one person's grants, so it is sent as "
                "private. Leave the public cache headers off such pages, or the macros out of public ones."
            )
        return kept

    # Lifespan

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and stop with the app, or by ourselves where the app knows no lifespan."""
        received = refused = False

        async def receive_too() -> Message:
            nonlocal received, refused
            message = await receive()
            received = True
            if message["type"] == "lifespan.startup":
                try:
                    await self._start(send)
                except Exception:
                    refused = True
                    raise
            return message

        async def send_too(message: Message) -> None:
            if refused:  # the server has been told already
                return
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"):
                await self.rt.stop()
            await send(message)

        try:
            await self.app(scope, receive_too, send_too)
        except Exception:
            if received:  # it does know, and has failed
                await self.rt.stop()
                raise
            log.debug("The app raised in lifespan before it received anything, so it has none.", exc_info=True)
        if not received:
            await self._own_lifespan(receive, send)

    async def _start_late(self) -> None:
        """Start where no lifespan has; pages do not depend on it."""
        try:
            await self.rt.start()
        except Exception:
            log.exception("htmx-rt could not start; pages are served, but not live.")

    async def _start(self, send: Send) -> None:
        """Start, or tell the server that it must not: a mere exception means to it that there is no lifespan."""
        try:
            await self.rt.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"htmx-rt could not start: {error}"})
            raise

    async def _own_lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start(send)
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.rt.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _is_problem(message: Message) -> bool:
    return any(name.lower() == _PROBLEM for name, _ in message.get("headers", ()))


def _on_asyncio() -> bool:
    """Tell whether asyncio runs us: under trio we stay out of the way."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
