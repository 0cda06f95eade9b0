"""`POST {prefix}/beat`: the tabs of a page are alive, look away, or leave; and which pictures they show."""

from __future__ import annotations

import json
from typing import Any, Final

from ..attendance import Who
from ..exceptions import BadOperation, Refused, TooLarge
from ..leases import scoped
from ..presence import checked_meta
from ..realtime import Realtime
from ..topics import base_topic, is_topic
from ..types import Limits
from ..views import is_view
from .granted import TAB
from .http import Call, check_origin, read_json, respond

_VIEWS: Final = 32  # of one tab
_SHAPE: Final = '{"tabs": [{"id", "gen", "vis", "idle", "here", "views", "meta", "bye"}]}'


async def beat(call: Call) -> None:
    """Answer with the tabs that no server knows of any more: they open their streams again."""
    check_origin(call)
    rt, state = call.rt, call.state
    if state.sealed is None:
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    owner, user = rt.identity.owner(state), rt.identity.user(state)
    who = Who(owner, user, rt.identity.browser(state), state.sealed.at)
    body = json.dumps({"lost": take_beat(rt, await read_json(call), who)}).encode()
    await respond(call, 200, body, kind="application/json", headers=[(b"cache-control", b"no-store")])


def take_beat(rt: Realtime, body: dict[str, Any], who: Who) -> list[str]:
    """Take what the tabs of a page say; return those that no server knows of. Raised where one may not: `Refused`."""
    lost: list[str] = []
    for tab in read_tabs(body, rt.limits):
        identity, gen = tab["id"], tab["gen"]
        if tab.get("bye"):  # never too many: one that is refused would be shown for long
            rt.presence.goodbye(identity, gen, who)
            continue
        rt.speech.take(who.owner, scoped(who.owner, identity))
        if "views" in tab:
            views = {"tab": identity, "gen": gen, "owner": who.owner, "views": tab["views"] or {}}
            if not rt.show_views(views) and views["views"]:
                rt.presence.gossip.touch(views)
        known = rt.presence.beat(
            identity, gen, who, visible=bool(tab.get("vis")), idle=bool(tab.get("idle")), meta=tab.get("meta")
        )
        if not known and tab.get("here"):
            lost.append(identity)
    return lost


def read_tabs(body: dict[str, Any], limits: Limits) -> list[dict[str, Any]]:
    """Return the tabs of a beat. Raised where it is malformed: `Refused` (400, 413)."""
    tabs = body.get("tabs")
    if not isinstance(tabs, list) or not 1 <= len(tabs) <= limits.tabs_per_stream:
        raise Refused(400, "bad-request", f"Send {_SHAPE}, 1 to {limits.tabs_per_stream} tabs.")
    for tab in tabs:
        fits = isinstance(tab, dict) and isinstance(tab.get("id"), str) and TAB.fullmatch(tab["id"])
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
        tab["meta"] = _read_meta(tab.get("meta"), limits)
    return tabs


def _read_meta(meta: object, limits: Limits) -> dict[str, dict[str, Any]] | None:
    """Return what a tab says of itself, by topic."""
    if meta is None:
        return None
    if not isinstance(meta, dict) or len(meta) > limits.topics_per_tab or not all(map(is_topic, meta)):
        raise Refused(400, "bad-request", '"meta" maps topics to objects.')
    try:
        return {base_topic(topic): checked_meta(one, limits) for topic, one in meta.items()}
    except TooLarge as error:
        raise Refused(413, "too-large", str(error)) from None
    except BadOperation as error:
        raise Refused(400, "bad-request", str(error)) from None
