"""Each action of a page once: the edge around an unsafe request that carries an action id (`protocol.md` §3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from . import protocol
from .endpoints.http import Call, refuse
from .endpoints.whoami import confirm
from .exceptions import Refused
from .identity import RequestState
from .receipts import Answer, Claim, replayed_headers
from .types import Message, Receive, Send

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"))
_QUEUED: Final = protocol.QUEUED.lower().encode()
_VALIDATE: Final = protocol.VALIDATE.lower().encode()

Run = Callable[[Receive, Send], Awaitable[None]]


def is_action(state: RequestState) -> bool:
    """Tell whether a request is one to run once, or to run for one person only: unsafe, with an id, from our pages."""
    if state.scope["method"] in SAFE:
        return False
    if state.action is not None:
        return state.sealed is not None or state.header(_QUEUED) is not None
    return state.tab is not None and state.header(b"idempotency-key") is not None  # malformed: refused


async def once(call: Call, run: Run) -> None:
    """Run the app for a new action, or give the answer that was given before."""
    rt, state = call.rt, call.state
    try:
        if state.action is None:
            raise Refused(400, "bad-request", "Idempotency-Key takes 1 to 64 visible ASCII characters.")
        if state.header(_VALIDATE) is not None:  # its answer would pass for that of the form
            raise Refused(400, "bad-request", f"A request with {protocol.VALIDATE} carries no Idempotency-Key.")
        queued = state.header(_QUEUED)
        if queued is not None:
            await _same_person(call, queued)
        owner = rt.identity.keeper(state)
        if rt.receipts is None or owner is None:
            found = None
        else:
            path = state.scope["path"]
            found = await rt.receipts.claim(owner, state.action, state.scope["method"], path, queued=queued is not None)
        if isinstance(found, Answer):
            await _still_same(call, owner)
            await _replay(call, found)
            return
    except Refused as refusal:
        await refuse(call, refusal)
        return
    if found is None:
        await run(call.receive, call.wire)
        return
    state.claim = found
    capture = Capture(found, call.receive, call.wire, rt.limits.receipt_body)
    try:
        await run(capture.receive, capture.send)
    except Exception:
        await capture.returned()  # what it had answered before counts, as far as there is anything
        raise
    except BaseException:
        await capture.cancelled()
        raise
    await capture.returned()


async def _same_person(call: Call, who: str) -> None:
    """Raise `Refused` unless `who` kept this action for later is asking now."""
    rt, state = call.rt, call.state
    if rt.is_irreversible(state.scope["path"]):
        raise Refused(403, "forbidden", "This cannot be kept for later: it could not be taken back.")
    call.cookies = await confirm(rt, call.app, state)
    if rt.identity.who(state) != who:
        _refuse_person(call)


async def _still_same(call: Call, owner: str | None) -> None:
    """Raise `Refused` where the app, asked again because the cookie is old, names somebody else."""
    call.cookies += await confirm(call.rt, call.app, call.state)
    if call.rt.identity.owner(call.state) != owner:
        _refuse_person(call)


def _refuse_person(call: Call) -> NoReturn:
    if call.rt.identity.user(call.state) is None:
        raise Refused(401, "signed-out", "Sign in to go on with this.")
    raise Refused(401, "user-changed", "This was begun by somebody else.")


async def _replay(call: Call, answer: Answer) -> None:
    await call.send(
        {"type": "http.response.start", "status": answer.status, "headers": [*replayed_headers(answer), *call.cookies]}
    )
    await call.send({"type": "http.response.body", "body": answer.body or b""})


class Capture:
    """Hands an answer on and keeps a copy for the receipt, which is written before the answer is complete."""

    def __init__(self, claim: Claim, receive: Receive, send: Send, most: int) -> None:
        self._claim = claim
        self._receive = receive
        self._send = send
        self._most = most  # bytes
        self._start: Message | None = None
        self._body: bytearray | None = bytearray()
        self._gone = False

    async def receive(self) -> Message:
        """Receive as the app does, and notice when the reader leaves."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """Send as the app does."""
        kind = message["type"]
        if kind == "http.response.start":
            self._start = message
        elif kind == "http.response.body":
            more = message.get("more_body", False)
            if self._body is not None:
                self._body += message.get("body", b"")
                if len(self._body) > self._most or (not more and not self._whole(message)):
                    self._body = None
            if not more or (self._body is None and not self._refused):
                await self._settle()
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):  # a file, which we do not see
            self._body = None
        await self._send(message)

    def _whole(self, last: Message) -> bool:
        """Tell whether the body is all that the app had to say; some middlewares cut it short once the reader left."""
        assert self._start is not None
        assert self._body is not None
        for name, value in self._start.get("headers", ()):
            if name.lower() == b"content-length":
                return bool(value == str(len(self._body)).encode())
        return not self._gone or len(last.get("body", b"")) == len(self._body)

    @property
    def _refused(self) -> bool:
        return self._start is not None and self._start["status"] >= 400

    async def _settle(self) -> None:
        if self._start is None or self._refused:
            await self._claim.release()
        else:
            body = None if self._body is None else bytes(self._body)
            await self._claim.settle(self._start["status"], self._start.get("headers", ()), body)

    async def returned(self) -> None:
        """The app is done, well or not; where its answer has no end, the reader left before it."""
        if self._start is not None:
            self._body = None
        await self._settle()

    async def cancelled(self) -> None:
        """The app was stopped half way."""
        if self._start is None:
            await self._claim.lose()
        else:
            await self.returned()
