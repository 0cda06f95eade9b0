"""`POST {prefix}/stream`: open a stream of everything a page was granted, from where the page stands."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from ..exceptions import Refused
from ..plain import plain
from ..types import Message
from .http import Call, Rest, check_origin, read_json
from .opening import Order, open_reader, read_order
from .probe import probe
from .serving import serve
from .ticket import redeem

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
    return await _open(call, order)


async def by_ticket(call: Call) -> Rest | None:
    """`GET {prefix}/stream?ticket=…`: answer with a stream for clients that can only GET, or raise `Refused`.

    `Last-Event-ID` says where it goes on, else `cursor=…`; `format=html` is for readers that know nothing of us.
    """
    state = call.state
    if state.scope["method"] == "HEAD":
        raise Refused(405, "bad-request", "A stream has no end, so there is nothing to say of it.")
    site = state.header(b"sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise Refused(403, "forbidden", f"Sec-Fetch-Site is {site!r}; only same-origin pages may call.")
    query = parse_qs(state.scope.get("query_string", b"").decode("latin-1"))
    if "probe" in query:
        await probe(call, _HEADERS)
        return None
    kind = query.get("format", ["events"])[0]
    if kind not in ("events", "html"):
        raise Refused(400, "bad-request", f"There is no format {kind[:40]!r}; say html, or leave it out.")
    if "ticket" not in query:
        raise Refused(400, "bad-request", f"Send ?ticket= from POST {call.rt.prefix}/ticket, or POST what you ask for.")
    cursor = state.header(b"last-event-id") or query.get("cursor", [""])[0]
    order = redeem(call, query["ticket"][0], cursor or None)
    return await _open(call, order, html=kind == "html")


async def _open(call: Call, order: Order, *, html: bool = False) -> Rest:
    reader, opening = await open_reader(call, order)
    reader.form = plain if html else None
    head: Message = {"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *call.cookies]}
    return serve(call, reader, opening, head=head)
