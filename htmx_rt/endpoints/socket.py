"""`WS {prefix}/socket`: the same stream over a WebSocket, and what a page says on its way back.

upgrade with cookie, Origin and subprotocol → accepted, or refused as HTTP where the server can
first message: the body of POST {prefix}/stream → the events of the stream, or `rt:answer` and a close
then {"signal": …} and {"beat": …}, with a number "n" where an answer is wanted; what is refused is always answered
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from .. import frames, protocol
from ..attendance import Who
from ..exceptions import Refused
from ..reader import Reader
from ..realtime import Realtime
from ..speech import TABS
from ..texts import texts
from ..types import Message
from .beat import take_beat
from .http import Call, Rest, check_own_origin, parse_object, problem
from .opening import Order, open_reader, read_order
from .presence import Speaker, hear
from .serving import serve
from .whoami import confirm

_RESPONSE: Final = "websocket.http.response"


async def socket(call: Call, path: str) -> Rest | None:
    """Accept a WebSocket and open its stream, or refuse it."""
    if (await call.receive())["type"] != "websocket.connect":
        return None
    try:
        subprotocol = await _checked(call, path)
    except Refused as refusal:
        await _reject(call, refusal)
        return None
    rt, state = call.rt, call.state
    sealed = list(rt.identity.seal(state)) if rt.identity.to_seal(state) else []
    browser = rt.identity.browser(state)
    rt.opening[browser] += 1
    try:
        headers = [*call.cookies, *sealed]
        await call.send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})
        reader, opening = await open_reader(call, await _order(call), confirmed=True)
    except Refused as refusal:
        for message in texts(_answer(refusal), False):
            await call.send(message)
        return None
    except (_Left, OSError):
        return None
    finally:
        rt.opening[browser] -= 1
        if not rt.opening[browser]:
            del rt.opening[browser]
    reader.form = texts
    return serve(call, reader, opening, _Ear(rt, reader))


async def _checked(call: Call, path: str) -> str:
    """Return the subprotocol of a socket that may be opened, and know who asks. Raised for others: `Refused`."""
    rt, state, limits = call.rt, call.state, call.rt.limits
    if path != "/socket":
        raise Refused(404, "bad-request", "There is no WebSocket at this address.")
    check_own_origin(call)
    if protocol.SUBPROTOCOL not in state.scope.get("subprotocols", ()):
        raise Refused(400, "bad-version", f"Ask for the subprotocol {protocol.SUBPROTOCOL}.")
    if rt.draining:
        raise Refused(503, "draining", "This worker is about to stop.", retry_after=1)
    if state.sealed is None:  # its absence can be made up for where a cookie can still be set, which is POST
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    # Those that have not said what they want yet count, too, or they could be opened without end.
    if len(rt.hub().readers) + rt.opening.total() >= limits.streams:
        raise Refused(503, "limited", "This worker has as many streams as it may have.", retry_after=5)
    if rt.opening[state.sealed.browser] >= limits.streams_per_user:
        raise Refused(429, "limited", "Too many sockets of this browser have not said what they want.", retry_after=5)
    call.cookies = await confirm(rt, call.app, state)
    return protocol.SUBPROTOCOL


async def _reject(call: Call, refusal: Refused) -> None:
    """Answer an upgrade with a problem; where the server knows only yes and no, with a no."""
    if _RESPONSE not in (call.state.scope.get("extensions") or {}):
        code = protocol.CLOSES.get(refusal.problem, 1008)
        await call.send({"type": "websocket.close", "code": code, "reason": refusal.problem})
        return
    body, headers = problem(call, refusal)
    await call.send({"type": f"{_RESPONSE}.start", "status": refusal.status, "headers": headers})
    await call.send({"type": f"{_RESPONSE}.body", "body": body})


async def _order(call: Call) -> Order:
    limits = call.rt.limits
    try:
        async with asyncio.timeout(limits.first_message):
            body = _object(call.rt, await call.receive())
    except TimeoutError:
        raise Refused(408, "bad-request", "The first message took too long to arrive.") from None
    return read_order(body, topics=limits.topics_per_tab, tabs=limits.tabs_per_stream)


class _Left(Exception):
    """The client has left."""


def _object(rt: Realtime, message: Message) -> dict[str, Any]:
    """Return the JSON object that `message` is. Raised where it is none: `Refused` (400, 413), `_Left` at the end."""
    if message["type"] == "websocket.disconnect":
        raise _Left
    text = message.get("text")
    if text is None:
        raise Refused(400, "bad-request", "Messages are text, and not binary.")
    if len(text) > rt.limits.body or len(body := text.encode("utf-8", "surrogatepass")) > rt.limits.body:
        raise Refused(413, "too-large", f"The message has more than {rt.limits.body} bytes.")
    return parse_object(body, depth=rt.limits.json_depth)


class _Ear:
    """Takes what a page says; what is no message at all, and a flood of them, end its stream."""

    __slots__ = ("_at", "_level", "_reader", "_rt")

    def __init__(self, rt: Realtime, reader: Reader) -> None:
        self._rt = rt
        self._reader = reader
        self._level: float = rt.limits.calls_burst * TABS
        self._at = time.monotonic()

    def __call__(self, message: Message) -> bool:
        """Take one message; return whether there may be more."""
        limits, reader = self._rt.limits, self._reader
        try:
            body = _object(self._rt, message)
            now = time.monotonic()
            level = self._level + (now - self._at) * limits.calls_per_second * TABS
            self._level, self._at = min(float(limits.calls_burst * TABS), level) - 1, now
            if self._level < 0:
                raise Refused(429, "limited", "Too many messages from here.", retry_after=2)
        except _Left:
            return False
        except Refused as refusal:
            reader.finish(_answer(refusal))
            return True
        if reader.final is None:
            _take(self._rt, reader, body)
        return True


def _take(rt: Realtime, reader: Reader, body: dict[str, Any]) -> None:
    number = body.get("n")
    number = number if isinstance(number, int) else None
    told: dict[str, Any] = {}
    try:
        if isinstance(body.get("signal"), dict):
            hear(rt, body["signal"], Speaker(reader.viewer, reader.browser, reader.owner))
        elif isinstance(body.get("beat"), dict):
            who = Who(reader.owner, reader.viewer, reader.browser, reader.iat)
            told["lost"] = take_beat(rt, body["beat"], who)
        else:
            raise Refused(400, "bad-request", 'A message is {"signal": {…}} or {"beat": {…}}.')
    except Refused as refusal:
        reader.tell(_answer(refusal, number))
        return
    if number is not None:
        reader.tell(frames.event(protocol.ANSWER, {"n": number, "status": 200 if told else 204, **told}))


def _answer(refusal: Refused, number: int | None = None) -> bytes:
    data = {"n": number, "status": refusal.status, "title": refusal.problem, "detail": refusal.detail}
    data["retry"] = refusal.retry_after
    return frames.event(protocol.ANSWER, {name: value for name, value in data.items() if value is not None})
