"""ETags for regions that fetch themselves: what has not changed is not sent again."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from .types import Message, Send

_OK: Final = 200
_START: Final = "http.response.start"
_BODY: Final = "http.response.body"
# What differs each time although the page looks the same.
_VARIES: Final = re.compile(rb"""\s(?:rt-grant|rt-at|nonce)=(?:"[^"]*"|'[^']*')""")
_OF_THE_BODY: Final = frozenset((b"content-length", b"content-type"))
# Whose body is encoded, or cut, says nothing to us; and who has an ETag of their own knows better.
_NOT_OURS: Final = frozenset((b"etag", b"content-encoding", b"content-range", b"content-disposition"))


def etag_of(body: bytes) -> bytes:
    """Return the weak ETag of a fragment; grants, places in the log and nonces do not count."""
    return b'W/"' + hashlib.sha256(_VARIES.sub(b"", body)).hexdigest()[:32].encode() + b'"'


def answers(asked: str | None, etag: bytes) -> bool:
    """Tell whether the `If-None-Match` that was `asked` holds `etag`."""
    names = (name.strip().removeprefix("W/") for name in (asked or "").split(","))
    return etag.decode().removeprefix("W/") in names


def tagging(send: Send, *, asked: str | None, most: int) -> Send:
    """Return a `send` that gives the HTML it is sent an ETag, and sends 304 in its place where that was `asked` for.

    An answer of more than `most` bytes, and whatever is no plain HTML, passes as it is.
    """
    start: Message | None = None  # held back until the whole body is there
    body = bytearray()

    async def tagging_send(message: Message) -> None:
        nonlocal start
        if message["type"] == _START and _plain_html(message):
            start = message
            return
        if start is None:
            await send(message)
            return
        if message["type"] == _BODY and len(body) + len(message.get("body", b"")) <= most:
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            held, start = start, None
            await _finish(send, held, bytes(body), asked)
            return
        # Too long, or sent in a way of its own.
        held, start = start, None
        await send(held)
        if body:
            await send({"type": _BODY, "body": bytes(body), "more_body": True})
        await send(message)

    return tagging_send


def _plain_html(message: Message) -> bool:
    if message["status"] != _OK or message.get("trailers"):
        return False
    headers = {name.lower(): value for name, value in message.get("headers", ())}
    return headers.get(b"content-type", b"").lower().startswith(b"text/html") and not _NOT_OURS & headers.keys()


async def _finish(send: Send, start: Message, body: bytes, asked: str | None) -> None:
    etag = etag_of(body)
    headers = [*start.get("headers", ()), (b"etag", etag)]
    if answers(asked, etag):
        kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_BODY]
        start, body = {**start, "status": 304, "headers": kept}, b""
    else:
        start = {**start, "headers": headers}
    await send(start)
    await send({"type": _BODY, "body": body})
