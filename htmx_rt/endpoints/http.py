"""Small HTTP for our own calls: read a bounded body, check where it comes from, answer or refuse."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from .. import protocol
from ..exceptions import Refused
from ..identity import RequestState
from ..lines import resumed
from ..realtime import Realtime
from ..types import ASGIApp, Receive, Send

# Matches at every quote, closed or not: else each quote of an unclosed string is tried, at the square of the length.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_decode: Final = json.JSONDecoder().decode
_PORTS: Final = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}

Headers = Iterable[tuple[bytes, bytes]]
Rest = Coroutine[Any, Any, None]  # of an answer that goes on, to be awaited where nothing else is held any more


@dataclass(slots=True)
class Call:
    """One request to our own prefix."""

    rt: Realtime
    app: ASGIApp  # the wrapped one, which whoami asks
    state: RequestState
    path: dict[str, str]
    receive: Receive
    send: Send
    wire: Send  # the server's own, which `send` goes out by
    cookies: list[tuple[bytes, bytes]] = field(default_factory=list)  # that the app set when it was asked who is there


def check_origin(call: Call) -> None:
    """Raise `Refused` unless the request comes from a page of this site.

    Browsers say so in Sec-Fetch-Site; for those that do not, Origin or Referer must name this host or one of
    `origins=`. The scheme is not compared, because TLS may end at a proxy.
    """
    state = call.state
    site = state.header(b"sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise Refused(403, "forbidden", f"Sec-Fetch-Site is {site!r}; only same-origin pages may call.")
        return
    if _is_ours(call, state.header(b"origin") or state.header(b"referer") or "") is None:
        raise Refused(
            403, "forbidden", "Send Sec-Fetch-Site: same-origin, or an Origin of this host or one of origins=."
        )


def check_own_origin(call: Call) -> None:
    """Raise `Refused` unless `Origin` is exactly that of this host, or one of `origins=`: no other check holds a WebSocket."""
    parts = _is_ours(call, call.state.header(b"origin") or "")
    if parts is None or parts.path or parts.query or parts.fragment:
        raise Refused(403, "forbidden", "Send an Origin of this host or one of origins=.")


def _is_ours(call: Call, origin: str) -> SplitResult | None:
    """Return the parts of an address of this site; None for any other."""
    state = call.state
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    netloc = parts.netloc.lower().removesuffix(_PORTS.get(parts.scheme, "\0"))
    own = (state.header(b"host") or "").lower()
    own = own.removesuffix(_PORTS.get(state.scope.get("scheme", "http"), "\0"))
    known = netloc == own or f"{parts.scheme}://{netloc}" in call.rt.origins
    return parts if netloc and parts.scheme in _PORTS and "@" not in netloc and known else None


async def read_body(call: Call, *, most: int | None = None) -> bytes:
    """Return the request's body. Raised where it is over the limit, before it is buffered: `Refused` (413)."""
    limit = most or call.rt.limits.body
    declared = call.state.header(b"content-length")
    if declared is not None and _LENGTH.fullmatch(declared) and int(declared) > limit:
        raise Refused(413, "too-large", f"The body has {declared} bytes; {limit} are the most.")
    # Most bodies came with the head of their request: then nothing is waited for, and no clock needs to be set.
    collecting = _collect(call, limit)
    try:
        waits_for = collecting.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    try:
        async with asyncio.timeout(call.rt.limits.body_timeout):
            return await resumed(collecting, waits_for)
    except TimeoutError:
        raise Refused(408, "bad-request", "The body took too long to arrive.") from None


async def _collect(call: Call, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "bad-request", "The client left before its request was complete.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise Refused(413, "too-large", f"The body has more than {limit} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


async def read_json(call: Call, *, most: int | None = None) -> dict[str, Any]:
    """Return the JSON object in the body. Raised where it is none, or nested too deeply: `Refused` (400)."""
    kind = (call.state.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(400, "bad-request", f"Content-Type is {kind or 'missing'!r}; send application/json.")
    return parse_object(await read_body(call, most=most), depth=call.rt.limits.json_depth)


def _check_depth(body: bytes, depth: int) -> None:
    level = 0
    for byte in _STRINGS.sub(b"", body):
        if byte in b"[{":
            level += 1
            if level > depth:
                raise Refused(400, "bad-request", f"The JSON is nested more than {depth} levels deep.")
        elif byte in b"]}":
            level -= 1


def parse_object(body: bytes, *, depth: int) -> dict[str, Any]:
    """Return the JSON object in `body`. Raised where it is none, or nested deeper than `depth`: `Refused` (400)."""
    if body.count(b"[") + body.count(b"{") > depth:
        _check_depth(body, depth)
    try:
        value = _decode(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise Refused(400, "bad-request", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Refused(400, "bad-request", "The body is not a JSON object.")
    return value


async def respond(call: Call, status: int, body: bytes = b"", *, kind: str = "", headers: Headers = ()) -> None:
    """Send one whole response."""
    head = [(b"content-length", str(len(body)).encode())] if status != 204 else []
    if kind:
        head += [(b"content-type", kind.encode()), (b"x-content-type-options", b"nosniff")]
    await call.send({"type": "http.response.start", "status": status, "headers": [*head, *headers]})
    sent = b"" if call.state.scope["method"] == "HEAD" else body
    await call.send({"type": "http.response.body", "body": sent})


async def refuse(call: Call, refusal: Refused) -> None:
    """Answer with a problem; never a redirect, never HTML."""
    body, headers = problem(call, refusal)
    await respond(call, refusal.status, body, headers=headers)


def problem(call: Call, refusal: Refused) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the body and the headers of a problem document."""
    headers = [(protocol.PROBLEM.lower().encode(), refusal.problem.encode()), (b"cache-control", b"no-store")]
    headers.extend(call.cookies)
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    headers += [(b"content-type", b"application/problem+json"), (b"x-content-type-options", b"nosniff")]
    told = {"type": "about:blank", "title": refusal.problem, "status": refusal.status, "detail": refusal.detail}
    return json.dumps(told).encode(), headers
