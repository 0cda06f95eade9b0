"""`GET {prefix}/presence/{topic}`: who is here, as HTML or as JSON; and `POST {prefix}/signal`: a word for now."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from ..exceptions import PublishError, Refused
from ..leases import scoped
from ..operations import checked_name
from ..people import COLOURS, Person
from ..realtime import Realtime
from ..sight import Viewer
from ..speech import OURS
from ..topics import HERE_PREFIX, base_topic, here_topic, is_here, is_topic, public_key
from ..types import User
from .granted import TAB, counting, granted
from .http import Call, check_origin, read_json, respond
from .whoami import confirm

_MOST: Final = 200  # people in one answer


async def presence(call: Call) -> None:
    """Answer whoever holds a grant, `?grant=…`, or may read the topic by the word of `authorize`."""
    rt, state = call.rt, call.state
    topic = call.path["topic"]
    call.cookies = await confirm(rt, call.app, state)
    if not is_topic(HERE_PREFIX + topic):
        raise Refused(400, "bad-request", "This is no topic.")
    user = rt.identity.user(state)
    query = parse_qs(state.scope.get("query_string", b"").decode("latin-1"))
    grant = granted(call, query.get("grant", [""])[0], user, "r")
    by_grant = grant is not None and grant.topic == here_topic(topic)
    if not by_grant and not rt.grants.has_policy(topic):
        raise Refused(403, "forbidden", "Send ?grant=, or write @rt.authorize for this topic.")
    if rt.grants.has_policy(topic) and not (await rt.grants.allowed(user, [topic]))[0]:
        raise Refused(403, "forbidden", "This topic may not be read.")
    people, tally = rt.presence.first(topic, _MOST, Viewer(rt.identity.owner(state), user))
    headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Accept, Cookie"), *call.cookies]
    if "application/json" in (state.header(b"accept") or ""):
        shown = [public(person) for person in people]
        body = json.dumps({"topic": topic, "count": tally.people + tally.visitors, "people": shown}).encode()
        await respond(call, 200, body, kind="application/json", headers=headers)
        return
    html = rt.macros.picture(here_topic(topic), "roster", people, tally, state.lang)
    await respond(call, 200, html.encode(), kind="text/html; charset=utf-8", headers=headers)


def public(person: Person) -> dict[str, Any]:
    """Return what anybody on the topic may know of a person."""
    return {"key": person.key, "name": person.name, "state": person.state, "since": person.since, "metas": person.metas}


async def signal(call: Call) -> None:
    """Pass a word on to whoever is on the topic at this moment."""
    check_origin(call)
    rt, state = call.rt, call.state
    if state.sealed is None:
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    identity = rt.identity
    hear(rt, await read_json(call), Speaker(identity.user(state), identity.browser(state), identity.owner(state)))
    await respond(call, 204)


class Speaker(NamedTuple):
    """Whose word it is."""

    user: User | None
    browser: str
    owner: str


def hear(rt: Realtime, body: dict[str, Any], who: Speaker) -> None:
    """Pass a word on to whoever is on its topic. Raised where that is not to be: `Refused`."""
    tab, (user, browser, owner) = body.get("tab"), who
    grant = counting(rt, body.get("grant"), user, browser, "s")
    if grant is None or not isinstance(tab, str) or not TAB.fullmatch(tab):
        raise Refused(403, "forbidden", "There is no grant to speak here.")
    # Named within its owner: nobody can speak for another's tab, whose id others may have learnt.
    name = scoped(owner, tab)
    try:
        kind, data = checked_name(body.get("name"), "signal"), body.get("data")
        frame = rt.whisper(grant.topic, kind, data, sender(owner, user, name))
    except PublishError as error:
        raise Refused(400, "bad-request", str(error)) from None
    # Who is not shown does not show by typing either; their page says nothing, and one that does is not heard.
    if kind not in OURS or not is_here(grant.topic) or name in rt.presence.leases.room(base_topic(grant.topic)):
        rt.speech.say(grant.topic, kind, data, frame, owner=owner, tab=name)


def sender(owner: str, user: User | None, tab: str) -> dict[str, Any]:
    """Return who speaks, as all may know them: never from the client's own words."""
    key = public_key(owner)
    return {"k": key, "n": user.shown if user else "", "c": int(key, 16) % COLOURS, "tab": public_key(tab)}
