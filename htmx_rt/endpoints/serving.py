"""An open stream, whatever the transport: sent until its client leaves or the reader is finished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from .. import frames, protocol
from ..exceptions import Refused
from ..identity import SILENCE
from ..lines import let_go, pieces, server_send
from ..reader import Reader
from ..realtime import Realtime
from ..sockets import end
from ..types import ASGIApp, Message, Receive, Scope, Send, User
from .http import Call
from .opening import close_reader
from .whoami import ask, pack, question, unpack

log = logging.getLogger("htmx_rt")

_MOST_KNOWN: Final = 64
_known: dict[str, dict[str, object]] = {}  # what scopes have alike, by how it is written

Hear = Callable[[Message], bool]  # takes what comes from the client; False where that is that it has left


def silent(message: Message) -> bool:
    """Hear a client who says nothing until it leaves; an app that never receives is never told."""
    return bool(message["type"] != "http.disconnect")


async def serve(call: Call, reader: Reader, opening: bytes, hear: Hear = silent, head: Message | None = None) -> None:
    """Send `head` and the opening, and what comes then; an open stream keeps only what it needs for that."""
    rt, receive, send = call.rt, call.receive, call.send
    reader.task = asyncio.current_task(reader.hub.loop)
    reader.link = _Link(call)
    line, scope = server_send(send), call.state.scope
    del call
    try:
        if head is not None:
            await send(head)
        message: Message | None
        for message in (reader.form or pieces)(opening, True):
            await send(message)
            reader.progress()
        opening, head, message = b"", None, None  # or they would stay with the stream as long as it is open
        if line is None:
            await _by_task(reader, receive, send, hear)
        else:
            _lighten(scope)
            let_go(line)
            del send, scope
            direct = rt.accelerator.of(line) if rt.accelerator is not None else None
            reader.begin(line, direct)
            while hear(await receive()):  # here, as each stream would keep a further coroutine, and what came last
                pass
            reader.finish(b"")
    except asyncio.CancelledError:
        if reader.aborted is None:
            raise
        if reader.task is not None:
            reader.task.uncancel()
    except OSError:
        pass  # some servers raise when the client is gone
    finally:
        if reader.aborted is not None:
            reader.aborted.cancel()
        close_reader(rt, reader)


def _lighten(scope: Scope) -> None:
    """Take from the scope of an open stream what nobody looks at any more: a fifth of what such a stream holds."""
    if isinstance(scope["headers"], list):
        scope["headers"].clear()
    for name in ("asgi", "extensions"):  # which uvicorn makes anew for each connection
        own = scope.get(name)
        if isinstance(own, dict):
            told = repr(own)
            if told in _known or len(_known) < _MOST_KNOWN:
                scope[name] = _known.setdefault(told, own)


async def _by_task(reader: Reader, receive: Receive, send: Send, hear: Hear) -> None:
    """Send what the reader takes, where the hub may not do so itself."""
    gone = False

    async def watch() -> None:
        nonlocal gone
        with contextlib.suppress(OSError):
            while hear(await receive()):
                pass
        gone = True
        reader.finish(b"")

    watcher = asyncio.create_task(watch())
    try:
        while not reader.closed:
            messages = await reader.next()
            if reader.closed:  # granian does not close a socket that somebody still listens to
                watcher.cancel()
                await asyncio.wait([watcher])
            for message in messages:
                await send(message)
                reader.progress()
    except RuntimeError:
        if not gone and not reader.closed:  # servers say in many ways that nobody is there any more
            raise
    finally:
        watcher.cancel()


class _Link:
    """What an open stream keeps of the request that it answers: one object, as there are many of them."""

    __slots__ = ("_alike", "_app", "_client", "_own", "_rt", "_scope", "_wire")

    def __init__(self, call: Call) -> None:
        scope = call.state.scope
        self._rt, self._app, self._scope, self._wire = call.rt, call.app, scope, call.wire
        self._client = scope.get("client")
        self._alike, self._own = pack(scope["headers"])

    def cut(self) -> bool:
        """End the connection; return whether it was found."""
        return end(self._wire, (self._client[0], self._client[1]) if self._client else None)

    def check(self, reader: Reader) -> None:
        """Ask again who this is and what they may read; a change sends the page through a new opening, which decides."""
        tasks, asked = self._rt.tasks, question(self._rt, {**self._scope, "headers": unpack((self._alike, self._own))})
        task = asyncio.create_task(_check(self._rt, self._app, asked, reader))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _check(rt: Realtime, app: ASGIApp, asked: Scope, reader: Reader) -> None:
    try:
        answer, _ = await ask(rt, app, asked)
        topics = tuple(reader.topics)
        user = answer if isinstance(answer, User) else None
        if answer is SILENCE:
            return
        if (user.id if user else None) != reader.user:
            reader.finish(frames.event(protocol.BYE, {"in": 0}))
            return
        for topic, allowed in zip(topics, await rt.grants.allowed(user, topics), strict=True):
            if not allowed and topic in reader.topics:
                rt.hub().withdraw([reader], topic)
    except Refused as refusal:
        log.warning("Could not ask the app again who reads a stream: %s", refusal)
