"""The route table of our own prefix."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from ..exceptions import Refused
from . import drafts, progress, uploads
from .beat import beat
from .http import Call as Call
from .http import Rest as Rest
from .http import refuse
from .locks import change, work
from .notifications import read as read_notifications
from .notifications import show as show_notifications
from .presence import presence, signal
from .socket import socket as socket
from .static import static
from .status import health
from .stream import by_ticket, stream
from .ticket import ticket
from .undo import show, take_back

Endpoint = Callable[[Call], Awaitable[Rest | None]]

ROUTES: Final[list[tuple[str, re.Pattern[str], Endpoint]]] = [
    ("POST", re.compile(r"/stream"), stream),
    ("GET", re.compile(r"/stream"), by_ticket),
    ("POST", re.compile(r"/ticket"), ticket),
    ("POST", re.compile(r"/beat"), beat),
    ("GET", re.compile(r"/presence/(?P<topic>[^/]{1,128})"), presence),
    ("POST", re.compile(r"/signal"), signal),
    ("POST", re.compile(r"/locks/(?P<resource>[^/]{1,128})"), change),
    ("DELETE", re.compile(r"/locks/(?P<resource>[^/]{1,128})"), change),
    ("POST", re.compile(r"/work/(?P<resource>[^/]{1,128})"), work),
    ("GET", re.compile(r"/drafts/(?P<key>[^/]{1,1024})"), drafts.read),
    ("PUT", re.compile(r"/drafts/(?P<key>[^/]{1,1024})"), drafts.write),
    ("DELETE", re.compile(r"/drafts/(?P<key>[^/]{1,1024})"), drafts.end),
    ("POST", re.compile(r"/drafts/(?P<key>[^/]{1,1024})"), drafts.post),
    ("POST", re.compile(r"/uploads"), uploads.create),
    ("HEAD", re.compile(r"/uploads/(?P<id>[0-9a-f]{32})"), uploads.look),
    ("PATCH", re.compile(r"/uploads/(?P<id>[0-9a-f]{32})"), uploads.add),
    ("DELETE", re.compile(r"/uploads/(?P<id>[0-9a-f]{32})"), uploads.drop),
    ("GET", re.compile(r"/progress/(?P<id>[0-9a-f]{24})"), progress.show),
    ("POST", re.compile(r"/progress/(?P<id>[0-9a-f]{24})"), progress.act),
    ("GET", re.compile(r"/health"), health),
    ("GET", re.compile(r"/notifications"), show_notifications),
    ("POST", re.compile(r"/notifications"), read_notifications),
    ("GET", re.compile(r"/undo"), show),
    ("POST", re.compile(r"/undo/(?P<id>[0-9a-f]{36})"), take_back),
    ("GET", re.compile(r"/static/(?P<digest>[0-9a-f]{16})/(?P<file>[A-Za-z0-9_./-]+)"), static),
]


async def answer(call: Call, path: str) -> Rest | None:
    """Answer a request for `path` below the prefix, up to what it returns; every refusal is a problem document."""
    try:
        return await _find(call, path)(call)
    except Refused as refusal:
        await refuse(call, refusal)
        return None


def _find(call: Call, path: str) -> Endpoint:
    method = call.state.scope["method"]
    other = False
    for verb, pattern, endpoint in ROUTES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if method == verb or (method == "HEAD" and verb == "GET"):
            call.path = found.groupdict()
            return endpoint
        other = True
    if other:
        raise Refused(405, "bad-request", f"{method} is not for this address.")
    raise Refused(404, "bad-request", "There is nothing at this address.")
