"""`POST {prefix}/beat`: the tabs of a page are alive, look away, or leave; and which pictures they show."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from ..exceptions import Refused
from ..presence import Who
from ..views import is_view
from .http import Call, check_origin, read_json, respond

_TAB: Final = re.compile(r"[0-9a-f]{32}")
_VIEWS: Final = 32  # of one tab


async def beat(call: Call) -> None:
    """Answer with the tabs that this server knows nothing of (they open their stream again), and how often to move."""
    check_origin(call)
    rt, state = call.rt, call.state
    if state.sealed is None:
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    who = Who(rt.identity.owner(state), rt.identity.user(state))
    lost: list[str] = []
    for tab in read_tabs(await read_json(call), most=rt.limits.tabs_per_stream):
        identity, gen = tab["id"], tab["gen"]
        if not rt.bucket.take(identity):
            raise Refused(429, "limited", "Too many calls from this tab.", retry_after=2)
        if tab.get("bye"):
            rt.presence.goodbye(identity, gen, who)
            continue
        views = {"tab": identity, "gen": gen, "owner": who.owner, "views": tab.get("views") or {}}
        if views["views"] and not rt.show_views(views):
            rt.presence.gossip.touch(views)
        known = rt.presence.beat(identity, gen, who, visible=bool(tab.get("vis")), idle=bool(tab.get("idle")))
        if not known and tab.get("here"):
            lost.append(identity)
    body = json.dumps({"lost": lost}).encode()
    await respond(call, 200, body, kind="application/json", headers=[(b"cache-control", b"no-store")])


def read_tabs(body: dict[str, Any], *, most: int) -> list[dict[str, Any]]:
    """Return the tabs of a beat. Raised where it is malformed: `Refused` (400)."""
    tabs = body.get("tabs")
    if not isinstance(tabs, list) or not 1 <= len(tabs) <= most:
        raise Refused(400, "bad-request", f'Send {{"tabs": [1 to {most} of {{"id", "gen", "vis", "idle", "views"}}]}}.')
    for tab in tabs:
        fits = isinstance(tab, dict) and isinstance(tab.get("id"), str) and _TAB.fullmatch(tab["id"])
        gen = tab.get("gen") if fits else None
        if not isinstance(gen, int) or isinstance(gen, bool) or not 0 <= gen < 2**53:
            raise Refused(400, "bad-request", 'Each tab has an "id" of 32 hex digits and a whole number "gen".')
        views = tab.get("views")
        if views is not None and not (
            isinstance(views, dict)
            and sum(len(names) if isinstance(names, list) else _VIEWS + 1 for names in views.values()) <= _VIEWS
            and all(is_view(name) for names in views.values() for name in names)
        ):
            raise Refused(400, "bad-request", f'"views" maps topics to lists of view names, {_VIEWS} in all.')
    return tabs
