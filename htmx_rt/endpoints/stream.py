"""`POST {prefix}/stream`: open a stream of everything a page was granted, from where the page stands."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from .. import frames, protocol
from ..exceptions import Refused
from ..identity import SILENCE
from ..lines import pieces, server_send
from ..reader import Reader
from ..realtime import Realtime
from ..sockets import end
from ..types import ASGIApp, Receive, Scope, Send, User
from .http import Call, Rest, check_origin, read_json
from .opening import close_reader, open_reader, read_order
from .whoami import ask, pack, question, unpack

log = logging.getLogger("htmx_rt")

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"private, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"Cookie"),
]


async def stream(call: Call) -> Rest:
    """Answer with a stream, or raise `Refused`."""
    check_origin(call)
    limits = call.rt.limits
    order = read_order(await read_json(call), topics=limits.topics_per_tab, tabs=limits.tabs_per_stream)
    return _serve(call, *await open_reader(call, order))


async def _serve(call: Call, reader: Reader, opening: bytes) -> None:
    """Send until the client leaves or the reader is finished; an open stream keeps only what it needs for that."""
    rt, receive, send, cookies = call.rt, call.receive, call.send, call.cookies
    client = call.state.scope.get("client")
    reader.task = asyncio.current_task()
    reader.cut = partial(end, call.wire, (client[0], client[1]) if client else None)
    line, scope = server_send(send), call.state.scope
    headers = pack(scope["headers"])
    reader.check = partial(_check, rt, call.app, scope, headers)
    del call, client, headers
    try:
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *cookies]})
        for message in pieces(opening, True):
            await send(message)
            reader.progress()
        del opening, message, cookies
        if line is None:
            await _by_task(reader, receive, send)
        else:
            if isinstance(scope["headers"], list):
                scope["headers"].clear()  # a fifth of what an open stream holds, and nobody else is there to look
            del send, scope
            reader.begin(line, rt.accelerator.of(line) if rt.accelerator is not None else None)
            await _left(receive)
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


async def _by_task(reader: Reader, receive: Receive, send: Send) -> None:
    """Send what the reader takes, where the hub may not do so itself."""

    async def watch() -> None:
        await _left(receive)
        reader.finish(b"")

    watcher = asyncio.create_task(watch())
    try:
        more = True
        while more:
            chunk, more = await reader.next()
            for message in pieces(chunk, more):
                await send(message)
                reader.progress()
    finally:
        watcher.cancel()


async def _left(receive: Receive) -> None:
    # An app that never receives is never told that its client left.
    while (await receive())["type"] != "http.disconnect":
        pass


def _check(rt: Realtime, app: ASGIApp, scope: Scope, headers: bytes, reader: Reader) -> None:
    """Ask again who this is and what they may read; a change sends the page through a new opening, which decides."""
    tasks, asked = rt.tasks, question(rt, {**scope, "headers": unpack(headers)})

    async def check() -> None:
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

    task = asyncio.create_task(check())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
