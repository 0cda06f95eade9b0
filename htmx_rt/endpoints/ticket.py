"""`POST {prefix}/ticket`: an order for a stream as one short word, for clients that can only GET.

Nothing is kept for it, so it is good at every worker. It is bound to the browser and the user, by the cookie that comes
with each request: alone it opens nothing. It holds what the grants of the order say, and counts for as long as they do;
an `EventSource` comes back with the same address when its stream has ended, so it outlives one.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ..exceptions import Refused
from ..signing import MAX_TOKEN, Grant
from .http import Call, check_origin, read_json, respond
from .opening import Order, OrderedTab, read_order
from .whoami import confirm

_NO: Final = "This ticket does not count, or not any more, or not for you: get one by POST {}/ticket."


async def ticket(call: Call) -> None:
    """Answer with a ticket for an order, and when it ends, or raise `Refused`."""
    check_origin(call)
    rt, state, limits = call.rt, call.state, call.rt.limits
    if state.sealed is None:
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    order = read_order(await read_json(call), topics=limits.topics_per_tab, tabs=limits.tabs_per_stream)
    call.cookies = await confirm(rt, call.app, state)
    user, browser = rt.identity.user(state), rt.identity.browser(state)
    fresh, tabs = set(order.fresh), {token: number for number, tab in enumerate(order.tabs) for token in tab.tokens}
    rows: list[list[Any]] = []
    for token in dict.fromkeys((*order.resumed, *order.fresh)):
        grant = rt.signer.read_grant(token)
        if grant is not None and grant.browser == browser and grant.user == (user.id if user else None):
            rows.append([tabs.get(token, -1), token in fresh, *_told(grant)])
    if not rows:
        raise Refused(403, "forbidden", "None of these grants is ours.")
    expires = rt.identity.clock() + limits.ticket_life
    shown = [[tab.id, tab.gen, tab.visible] for tab in order.tabs]
    word = rt.signer.dumps("ticket", [browser, user.id if user else None, round(expires), order.cursor, shown, rows])
    if len(word) > MAX_TOKEN:
        raise Refused(413, "too-large", f"This makes {len(word)} characters; {MAX_TOKEN} fit. Split the order.")
    body = json.dumps({"ticket": word, "expires": round(expires)}).encode()
    headers = [(b"cache-control", b"private, no-store"), *call.cookies]
    await respond(call, 200, body, kind="application/json", headers=headers)


def redeem(call: Call, word: str, cursor: str | None) -> Order:
    """Return the order in a ticket, from `cursor` on where there is one. Raised, for whatever reason: `Refused` (403)."""
    rt, sealed = call.rt, call.state.sealed
    value = rt.signer.loads("ticket", word)
    if not isinstance(value, list) or len(value) != 6 or sealed is None:
        raise Refused(403, "forbidden", _NO.format(rt.prefix))
    browser, user, expires, own, shown, rows = value
    theirs = browser == sealed.browser and user == (sealed.user.id if sealed.user else None)
    if not theirs or rt.identity.clock() >= expires:
        raise Refused(403, "forbidden", _NO.format(rt.prefix))
    order = Order(cursor or own, [], [], [OrderedTab(name, gen, visible, []) for name, gen, visible in shown])
    for number, fresh, *told in rows:
        topic, caps, *rest = told
        token = rt.signer.sign_grant(Grant(topic, caps, browser, user, *rest))
        (order.fresh if fresh and cursor is None else order.resumed).append(token)
        if number >= 0:
            order.tabs[number].tokens.append(token)
    return order


def _told(grant: Grant) -> list[Any]:
    """Return what a grant says beside whose it is, in its order."""
    return [grant.topic, grant.caps, grant.at, grant.issued, grant.expires, grant.lang, grant.meta]
