"""`POST {prefix}/uploads` announces a file; `HEAD|PATCH|DELETE …/{id}` ask for, add to and drop it (as of tus 1.0)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from .. import protocol
from ..exceptions import Refused
from ..types import Receive
from ..upload_disk import Busy, DiskFull, Writer, WrongOffset
from ..uploads import Arriving, full
from .http import Call, Headers, check_origin, read_json, respond
from .whoami import confirm

_T = TypeVar("_T")
PIECE: Final = 256 * 1024  # bytes gathered before they are written: what a killed server had in hand is lost
LEAST: Final = 1024  # bytes that have to come within `body_timeout`
DRAINED: Final = 2 * 1024 * 1024  # bytes of a refused body that are read, so that the refusal is
HANDOVER: Final = 2.0  # seconds that an older request for the same file has to let go of it
KIND: Final = "application/offset+octet-stream"
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_GONE: Final = Refused(404, "gone", "There is no such file here.")
_PRIVATE: Final = (b"cache-control", b"no-store")
_OFFSET: Final = protocol.UPLOAD_OFFSET.lower().encode()
_LENGTH: Final = protocol.UPLOAD_LENGTH.lower().encode()


async def create(call: Call) -> None:
    """Announce a file under the rules of a field; 201 with its id, its handle and how much to send at once."""
    check_origin(call)
    owner = await _owner(call)
    call.rt.speech.take(owner, f"upload:{owner}")
    body = await read_json(call)
    name, size, said = body.get("name"), body.get("size"), body.get("type", "")
    if not isinstance(name, str) or not isinstance(said, str) or len(name) > 4096 or len(said) > 255:
        raise Refused(400, "bad-request", '"name" is a text of at most 4096 characters, "type" one of at most 255.')
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 10**15:
        raise Refused(400, "bad-request", '"size" is a whole number of bytes.')
    token = body.get("policy")
    if not isinstance(token, str):
        raise Refused(400, "bad-request", '"policy" is what the macro wrote.')
    try:
        record, handle = await call.rt.uploads.announce(owner, token, name, size, said)
    except Refused as refusal:
        if refusal.status == 403 and call.rt.identity.user(call.state) is None and call.rt.uploads.of_person(token):
            raise Refused(401, "signed-out", "Sign in to go on with this.") from None
        raise
    answer = {"id": record.id, "handle": handle, "chunk": int(call.rt.limits.upload_chunk), "name": record.name}
    await respond(
        call, 201, json.dumps(answer).encode(), kind="application/json", headers=[_PRIVATE, *call.cookies]
    )  # fmt: skip


async def look(call: Call) -> None:
    """Say how much of a file is here."""
    _, found = await _find(call)
    await _answer(call, 200, found, found.offset)


async def drop(call: Call) -> None:
    """Forget a file."""
    check_origin(call)
    owner = await _owner(call)
    await call.rt.uploads.forget(owner, call.path["id"])
    await respond(call, 204, headers=[_PRIVATE, *call.cookies])


async def add(call: Call) -> None:
    """Add what comes at the offset that the sender names; what has come is kept, whatever happens then."""
    check_origin(call)
    body = _Body(call.receive)
    try:
        owner, found = await _find(call)
        record = found.record
        offset, length = _number(call, _OFFSET), _length(call)
        if (call.state.header(b"content-type") or "").partition(";")[0].strip().lower() != KIND:
            raise Refused(415, "bad-request", f"Content-Type is {KIND}.")
        if offset + (length or 0) > record.size:
            raise Refused(413, "too-large", f"The file was said to have {record.size} bytes.")
        turn = _Turn(call.rt.uploads.turns, record.id)
        async with turn:
            writer = await _whole(call.rt.uploads.disk.open, owner, record, offset)
            try:
                await _receive(call, owner, writer, turn, body)
            finally:
                writer.close()
        await _answer(call, 204, found, writer.offset)
    except WrongOffset as error:
        await body.drain(call.rt.limits.body_timeout)
        problem = {"type": "about:blank", "title": "stale", "status": 409, "detail": f"{error.offset} bytes are here."}
        headers = [(protocol.PROBLEM.lower().encode(), b"stale")]
        await _answer(call, 409, found, error.offset, json.dumps(problem).encode(), headers)
    except Busy:
        raise Refused(423, "locked", "Another request adds to this file just now.", retry_after=1) from None
    except FileNotFoundError:
        raise _GONE from None
    except DiskFull:
        await body.drain(call.rt.limits.body_timeout)
        raise full() from None
    except Refused:
        await body.drain(call.rt.limits.body_timeout)
        raise


async def _receive(call: Call, owner: str, writer: Writer, turn: _Turn, body: _Body) -> None:
    """Write what comes until the body ends, or the line does. Raised where it must not go on: `Refused`."""
    uploads, more, piece = call.rt.uploads, True, bytearray()
    while more:
        more, wanted = await body.gather(piece, turn, call.rt.limits.body_timeout)
        if writer.offset + len(piece) > writer.record.size:
            await _whole(writer.undo)
            raise Refused(413, "too-large", f"The file was said to have {writer.record.size} bytes.")
        if piece and not await _whole(uploads.add, owner, writer, bytes(piece)):
            raise Refused(415, "validation", f"What is in {writer.record.name!r} is not what its name says.")
        piece.clear()
        if not wanted:
            raise Refused(408, "bad-request", "The body took too long, or another request has taken over.")


class _Body:
    """What a request brings, as it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def _next(self) -> bytes:
        message = await self._receive()
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def gather(self, piece: bytearray, turn: _Turn, patience: float) -> tuple[bool, bool]:
        """Fill `piece`; return whether more may come, and whether it was worth waiting for."""
        loop, since = asyncio.get_running_loop(), 0
        if turn.stopped:
            return False, False
        try:
            async with asyncio.timeout(patience) as turn.waiting:
                while len(piece) < PIECE and not self._ended:
                    piece += await self._next()
                    if len(piece) - since >= LEAST and not turn.stopped:
                        since = len(piece)
                        turn.waiting.reschedule(loop.time() + patience)
            return not self._ended, True
        except TimeoutError:
            return False, False
        finally:
            turn.waiting = None

    async def drain(self, patience: float) -> None:
        """Read the rest of what is refused, within bounds: a browser that still sends would see a broken line instead."""
        left = DRAINED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while left > 0 and not self._ended:
                    left -= len(await self._next())


class _Turn:
    """The right of a request to add to a file. Whoever comes later has lost the line on which the one before waits."""

    def __init__(self, turns: dict[str, object], id: str) -> None:
        self._turns = turns
        self._id = id
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self.stopped = False
        self.waiting: asyncio.Timeout | None = None  # for the next bytes

    async def __aenter__(self) -> _Turn:
        before = self._turns.get(self._id)
        if isinstance(before, _Turn) and before._loop is self._loop:
            await before._stop()
        if self._turns.setdefault(self._id, self) is not self:
            raise Busy
        return self

    async def __aexit__(self, *_: object) -> None:
        del self._turns[self._id]
        self._ended.set()

    async def _stop(self) -> None:
        self.stopped = True
        if self.waiting is not None and not self.waiting.expired():
            self.waiting.reschedule(self._loop.time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), HANDOVER)


async def _whole(work: Callable[..., _T], *arguments: Any) -> _T:
    """Do it in a thread, to its end even where we are cancelled: nobody closes a file that is being written to."""
    doing = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


async def _owner(call: Call) -> str:
    call.cookies = await confirm(call.rt, call.app, call.state)
    if call.state.sealed is None:
        raise Refused(401, "no-cookie", "Without a cookie nobody knows whose file this is.")
    return call.rt.identity.owner(call.state)


async def _find(call: Call) -> tuple[str, Arriving]:
    owner = await _owner(call)
    found = await call.rt.uploads.find(owner, call.path["id"])
    if found is None:
        raise _GONE  # somebody else's is told from none to nobody
    return owner, found


async def _answer(
    call: Call, status: int, found: Arriving, offset: int, body: bytes = b"", headers: Headers = ()
) -> None:
    said = [(_OFFSET, str(offset).encode()), (_LENGTH, str(found.record.size).encode()), _PRIVATE]
    kind = "application/problem+json" if body else ""
    await respond(call, status, body, kind=kind, headers=[*said, *headers, *call.cookies])


def _number(call: Call, name: bytes) -> int:
    text = call.state.header(name) or ""
    if not _NUMBER.fullmatch(text):
        raise Refused(400, "bad-request", f"{protocol.UPLOAD_OFFSET} is how many bytes are here already.")
    return int(text)


def _length(call: Call) -> int | None:
    text = call.state.header(b"content-length") or ""
    return int(text) if _NUMBER.fullmatch(text) else None
