"""`GET {prefix}/presence/{topic}`: who is here, as HTML or as JSON; and `POST {prefix}/signal`: a word for now."""

from __future__ import annotations

import json
from typing import Any

from ..exceptions import PublishError, Refused
from ..identity import RequestState
from ..operations import checked_name
from ..people import Person
from ..topics import HERE_PREFIX, here_topic, is_topic, public_key
from .http import Call, check_origin, read_json, respond
from .whoami import confirm


async def presence(call: Call) -> None:
    """Answer for whoever holds a grant: in the query, or by the word of `authorize`."""
    rt = call.rt
    topic = call.path["topic"]
    call.cookies = await confirm(rt, call.app, call.state)
    if not is_topic(HERE_PREFIX + topic):
        raise Refused(400, "bad-request", "This is no topic.")
    if not rt.grants.has_policy(topic) or not (await rt.grants.allowed(rt.identity.user(call.state), [topic]))[0]:
        raise Refused(403, "forbidden", "Write @rt.authorize for this topic to make its people public to some.")
    headers = [(b"cache-control", b"private, no-store"), (b"vary", b"Accept, Cookie"), *call.cookies]
    if "application/json" in (call.state.header(b"accept") or ""):
        people = [public(person) for person in rt.presence.list(topic)]
        body = json.dumps({"topic": topic, "count": len(people), "people": people}).encode()
        await respond(call, 200, body, kind="application/json", headers=headers)
        return
    html = rt.macros.picture(here_topic(topic), "roster", 200, call.state.lang)
    await respond(call, 200, html.encode(), kind="text/html; charset=utf-8", headers=headers)


def public(person: Person) -> dict[str, Any]:
    """Return what anybody on the topic may know of a person."""
    return {"key": person.key, "name": person.name, "state": person.state, "since": person.since, "metas": person.metas}


async def signal(call: Call) -> None:
    """Pass a word on to whoever is on the topic at this moment."""
    check_origin(call)
    rt, state = call.rt, call.state
    body = await read_json(call)
    tab, grant = body.get("tab"), rt.signer.read_grant(body.get("grant"))
    if state.sealed is None:
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    user = rt.identity.user(state)
    if (
        not isinstance(tab, str)
        or grant is None
        or "s" not in grant.caps
        or grant.user != (user.id if user else None)
        or grant.browser != rt.identity.browser(state)
        or not rt.grants.valid(grant)
    ):
        raise Refused(403, "forbidden", "There is no grant to speak here.")
    if not rt.bucket.take(tab[:64]):
        raise Refused(429, "limited", "Too many calls from this tab.", retry_after=2)
    try:
        name = checked_name(body.get("name"), "signal")
        rt.speak(grant.topic, name, body.get("data"), sender(state, rt.identity.owner(state), user, tab))
    except PublishError as error:
        raise Refused(400, "bad-request", str(error)) from None
    await respond(call, 204)


def sender(state: RequestState, owner: str, user: Any, tab: str) -> dict[str, Any]:
    """Return who speaks, as all may know them: never from the client's own words."""
    key = public_key(owner)
    return {"k": key, "n": user.name or user.id if user else "", "c": int(key, 16) % 10, "tab": public_key(tab)}
