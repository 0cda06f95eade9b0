"""How a stream's bytes get to the server: stepped by the hub where the server is known to allow it, else by a task.

`send()` of a known server writes to its transport and returns, and waits only where the connection is not taking
any more. So the hub runs it one step itself, without a task that would have to be woken for each delivery; only a
`send` that does wait becomes a task. That holds for the servers and the wrappers named here, and for no others: what
sets a time-out, or counts tasks, must run in a task.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, MutableMapping
from typing import Any, Final, TypeVar

from .types import Message, Send

T = TypeVar("T")

PIECE: Final = 64 * 1024  # bytes; each piece that is taken counts as progress: a slow line is no dead one
_WRAPPERS: Final = 16  # middlewares that may have wrapped a server's send
# Methods whose one step writes: module and qualified name.
_SERVERS: Final = frozenset(
    (
        ("uvicorn.protocols.http.httptools_impl", "RequestResponseCycle.send"),
        ("uvicorn.protocols.http.h11_impl", "RequestResponseCycle.send"),
        ("uvicorn.protocols.websockets.websockets_sansio_impl", "WebSocketsSansIOProtocol.send"),
        ("uvicorn.protocols.websockets.wsproto_impl", "WSProtocol.send"),
        # Events only: over its WebSockets a task is the faster one. And not hypercorn, which loses what is stepped.
        ("granian._granian", "ASGIHTTPProtocol.send"),
    )
)
# Functions around it that pass the body of a response on as it is.
_PASSING: Final = frozenset(
    (
        ("starlette.middleware.errors", "ServerErrorMiddleware.__call__.<locals>._send"),
        ("htmx_rt.middleware", "RealtimeMiddleware._sealing.<locals>.sealing_send"),
    )
)


def server_send(send: Any) -> Send | None:
    """Return the server's own `send` where the hub may step it, and everything around it only passes bodies on."""
    for _ in range(_WRAPPERS):
        function = getattr(send, "__func__", send)
        owner = send.__self__ if isinstance(send, types.BuiltinMethodType) else function
        name = (getattr(owner, "__module__", ""), getattr(function, "__qualname__", ""))
        if name in _SERVERS:
            return send  # type: ignore[no-any-return]
        names = getattr(getattr(function, "__code__", None), "co_freevars", ())
        if name not in _PASSING or "send" not in names:
            return None
        send = function.__closure__[names.index("send")].cell_contents
    return None


def let_go(send: Send) -> None:
    """Drop the headers of the upgrade that uvicorn keeps with a WebSocket, and looks at no more: a quarter of the whole."""
    protocol: Any = getattr(send, "__self__", None)
    if not getattr(protocol, "handshake_complete", False):
        return
    for name in ("request", "response"):
        headers = getattr(getattr(protocol, name, None), "headers", None)
        if isinstance(headers, MutableMapping):
            headers.clear()


Form = Callable[[bytes, bool], Iterable[Message]]  # what a transport makes of events, and of there being no more


class Body(dict[str, Any]):
    """The message that sends some events; what other transports make of them is made once, and kept with it."""

    __slots__ = ("_formed",)
    _formed: dict[Form, tuple[Message, ...]]

    def formed(self, form: Form) -> tuple[Message, ...]:
        """Return the messages of a transport, the same to all who ask."""
        try:
            known = self._formed
        except AttributeError:
            known = self._formed = {}
        messages = known.get(form)
        if messages is None:
            messages = known[form] = tuple(form(self["body"], True))
        return messages


def body(chunk: bytes, more: bool = True) -> Body:
    """Return the message that sends `chunk`."""
    return Body(type="http.response.body", body=chunk, more_body=more)


def pieces(chunk: bytes, more: bool) -> Iterator[Message]:
    """Yield the messages that send `chunk`; the last says whether there is more."""
    last = max(0, len(chunk) - 1) // PIECE * PIECE
    for place in range(0, last, PIECE):
        yield body(chunk[place : place + PIECE])
    yield body(chunk[last:], more)


def step(send: Send, message: Message) -> Coroutine[Any, Any, None] | None:
    """Send `message` at once; return what is left to be awaited, where the connection takes no more for now."""
    sending: Any = send(message)
    if not isinstance(sending, types.CoroutineType):
        return _step_plain(sending.__await__())
    try:
        waits_for = sending.send(None)
    except StopIteration:
        return None
    return _rest(sending, waits_for)


def _step_plain(waiting: Iterator[Any]) -> Coroutine[Any, Any, None] | None:
    """Do the same with what is no coroutine: granian's awaitables are iterators, and nothing can be thrown into them."""
    try:
        waits_for = next(waiting)
    except StopIteration:
        return None
    return _plain_rest(waiting, waits_for)


async def _plain_rest(waiting: Iterator[Any], waits_for: Any) -> None:
    await _resumed_plain(waiting, waits_for)


@types.coroutine
def _resumed_plain(waiting: Iterator[Any], waits_for: Any) -> Generator[Any, Any, None]:
    yield waits_for
    yield from waiting


async def _rest(sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await resumed(sending, waits_for)


@types.coroutine
def resumed(stepped: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on, in a task, with what was stepped until it waited."""
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = stepped.throw(error)
            else:
                waits_for = stepped.send(value)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
