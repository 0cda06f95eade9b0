"""Opening a stream, whatever the transport: who asks, what they may read, and what they have missed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import frames, protocol
from ..attendance import Ticket, Who
from ..exceptions import Refused
from ..frames import parse_cursor
from ..grants import Verdict
from ..hub import Hub
from ..reader import Reader
from ..realtime import Realtime
from ..signing import Grant
from ..topics import base_topic, is_here
from ..types import User
from .granted import TAB
from .http import Call
from .whoami import confirm


@dataclass(slots=True)
class Order:
    """What a page asks for: grants that resume from `cursor`, and fresh ones that start where they were written."""

    cursor: str | None
    resumed: list[str]
    fresh: list[str]
    tabs: list[OrderedTab]


class OrderedTab(NamedTuple):
    """One tab that reads through the stream."""

    id: str
    gen: int
    visible: bool
    tokens: list[str]


async def open_reader(call: Call, order: Order, *, confirmed: bool = False) -> tuple[Reader, bytes]:
    """Return a reader that is subscribed, and what to send it first. Raised for who may not read: `Refused`.

    Where it was `confirmed` who asks, the app is not asked again.
    """
    rt, state = call.rt, call.state
    if rt.draining:
        raise Refused(503, "draining", "This worker is about to stop.", retry_after=1)
    if state.sealed is None and not any(rt.signer.read_grant(token) for token in (*order.resumed, *order.fresh)):
        # A stranger without cookie and grants must not make the app work.
        raise Refused(403, "forbidden", "None of these grants is ours.")
    if not confirmed:
        call.cookies = await confirm(rt, call.app, state)
    user = rt.identity.user(state)
    browser = rt.identity.browser(state) if state.sealed is not None else None
    if rt.bus.shared:  # before the grants are examined: whatever takes time must not come after that
        await rt.bus.prepare(_furthest(rt, order))
    verdict = await rt.grants.examine(order.resumed, order.fresh, browser=browser, user=user)
    if browser is None:
        browser = _browser_without_cookie(call, verdict, user)
    _refuse_if_nothing_is_left(verdict, user)
    identified = state.arrived if state.wrote or state.sealed is None else state.sealed.at
    if identified <= rt.bus.revocations.browser(browser):  # while we asked
        raise Refused(401, "signed-out", "This browser has signed out.")
    hub = rt.hub()
    if len(hub.readers) >= rt.limits.streams:
        raise Refused(503, "limited", "This worker has as many streams as it may have.", retry_after=5)
    crowd = hub.crowd(user.id if user else None, browser)
    for oldest in crowd[: max(0, len(crowd) - rt.limits.streams_per_user + 1)]:
        oldest.finish(frames.event(protocol.STOP, {"why": "too-many"}))

    rt.watch()
    if not hub.readers:
        rt.tune()
    reader = Reader(
        hub,
        topics={grant.topic: grant.issued for grant in verdict.readable.values()},
        user=user.id if user else None,
        browser=browser,
        iat=identified,
    )
    reader.owner = rt.identity.owner(state) if user is None else rt.identity.owner_of(user)
    reader.viewer = user
    reader.tabs = {tab.id: tab.gen for tab in order.tabs}
    reader.lang = next((grant.lang for grant in verdict.accepted.values() if grant.lang), "en")
    full = _join(rt, order, verdict, Who(reader.owner, user, browser, identified))
    # Subscribed and replayed in one go: whatever is published from now on waits for the reader in the log.
    hub.add(reader, lambda: max(_furthest(rt, order).values(), default=0))
    try:
        return reader, _opening(call, order, verdict, hub, full)
    except BaseException:
        close_reader(rt, reader)
        raise


def close_reader(rt: Realtime, reader: Reader) -> None:
    """Forget a reader whose stream has ended, and tell the others what that means."""
    reader.hub.remove(reader)
    for tab, gen in reader.tabs.items():
        if reader.hub.reader_of(reader.owner, tab, gen) is not None:
            continue  # that reads on: the stream of several tabs was opened anew because of one of them
        if reader.ended in ("signed-out", "user-changed"):
            rt.presence.attendance.end(tab, gen, reader.owner, reader.ended)
        else:
            rt.presence.attendance.closed(tab, gen, reader.owner, by_client=not reader.final)


def _join(rt: Realtime, order: Order, verdict: Verdict, who: Who) -> list[str]:
    """Show the tabs of a stream to the others on the topics whose grants say so; return those that have no room."""
    full: list[str] = []
    for tab in order.tabs:
        topics: dict[str, Ticket] = {}
        for token in tab.tokens:
            grant = rt.signer.read_grant(token)
            if grant is not None and "p" in grant.caps and is_here(grant.topic) and grant.topic in verdict.accepted:
                topic = base_topic(grant.topic)
                ticket, there = Ticket(grant.issued, grant.meta), topics.get(topic)
                topics[topic] = ticket if there is None else ticket.beside(there)
        full += rt.presence.join(topics, tab.id, tab.gen, who, visible=tab.visible)
    return full


def read_order(body: dict[str, Any], *, topics: int, tabs: int) -> Order:
    """Return what `body` asks for. Raised where it is malformed: `Refused` (400)."""
    if body.get("v") != protocol.VERSION:
        raise Refused(400, "bad-version", f"This server speaks version {protocol.VERSION}; reload the page.")
    cursor, wanted = body.get("cursor"), body.get("tabs")
    if not (cursor is None or isinstance(cursor, str)) or not isinstance(wanted, list) or not 1 <= len(wanted) <= tabs:
        raise Refused(
            400, "bad-request", f'Send {{"v", "cursor", "tabs": [1 to {tabs} of {{"id", "gen", "grants", "fresh"}}]}}.'
        )
    order = Order(cursor, [], [], [])
    for tab in wanted:
        if not isinstance(tab, dict):
            raise Refused(400, "bad-request", "Each tab is an object.")
        resumed, fresh = tab.get("grants", []), tab.get("fresh", [])
        if not isinstance(resumed, list) or not isinstance(fresh, list):
            raise Refused(400, "bad-request", '"grants" and "fresh" are lists of tokens.')
        if not all(isinstance(token, str) for token in (*resumed, *fresh)):
            raise Refused(400, "bad-request", "A grant is a string.")
        if len(resumed) + len(fresh) > topics:
            raise Refused(
                400, "bad-request", f"A tab asks for {len(resumed) + len(fresh)} topics; {topics} are the most."
            )
        order.resumed += resumed
        order.fresh += fresh
        identity, gen = tab.get("id"), tab.get("gen")
        if isinstance(identity, str) and TAB.fullmatch(identity) and isinstance(gen, int) and 0 <= gen < 2**53:
            order.tabs.append(OrderedTab(identity, gen, tab.get("vis") is not False, resumed + fresh))
    return order


def _browser_without_cookie(call: Call, verdict: Verdict, user: User | None) -> str:
    """Return the browser to go by where no identity cookie came, or raise `Refused`.

    The cookie is missing where the page's headers had left before its first macro ran, which a young grant
    makes up for, or where the browser keeps no cookies, which nothing does.
    """
    identity = call.rt.identity
    if verdict.young is not None:
        identity.seal_browser(call.state, verdict.young.browser)
        return verdict.young.browser
    if verdict.again and user is not None:
        call.state.wrote = True  # the app knows its user by a cookie of its own, so ours can be set too
        return identity.browser(call.state)
    if verdict.foreign and user is not None:
        raise Refused(403, "user-changed", "The page was rendered for somebody else.")
    raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")


def _refuse_if_nothing_is_left(verdict: Verdict, user: User | None) -> None:
    if verdict.accepted or verdict.again:
        return
    if verdict.foreign:
        if user is None:
            raise Refused(401, "signed-out", "The page was rendered for somebody who has signed out since.")
        raise Refused(403, "user-changed", "The page was rendered for somebody else.")
    raise Refused(403, "forbidden", "None of these topics may be read.")


def _furthest(rt: Realtime, order: Order) -> dict[str, int]:
    """Return the furthest place of the present epoch that a page claims to have seen of each topic, else 0."""
    seen: dict[str, int] = {}
    for token, is_fresh in [*((token, False) for token in order.resumed), *((token, True) for token in order.fresh)]:
        grant = rt.signer.read_grant(token)
        if grant is not None:
            text = grant.at if is_fresh or order.cursor is None else order.cursor
            place = parse_cursor(text)
            offset = place.offset if place is not None and place.epoch == rt.bus.log.epoch else 0
            seen[grant.topic] = max(offset, seen.get(grant.topic, 0))
    return seen


def _answer(rt: Realtime, tab: OrderedTab, verdict: Verdict) -> dict[str, Any]:
    """Return what became of the grants of one tab among several: those of the others permit it nothing."""
    held: dict[str, Grant] = {}
    refused: dict[str, None] = {}
    again: dict[str, None] = {}
    for token in tab.tokens:
        grant = rt.signer.read_grant(token)
        if grant is None:
            continue
        if any(grant == holder for holder, _ in verdict.holders.get(grant.topic, ())):
            before = held.get(grant.topic, grant)
            caps = "".join(sorted({*before.caps, *grant.caps}))
            held[grant.topic] = grant._replace(caps=caps, meta=before.meta or grant.meta)
        elif grant.topic in verdict.accepted:
            again[grant.topic] = None  # another tab has a newer one, so this one's page may have, too
        else:
            refused[grant.topic] = None
    return {
        "grants": {topic: rt.grants.renew(grant) for topic, grant in held.items()},
        "refused": [topic for topic in refused if topic in verdict.refused],
        "again": [topic for topic in again if topic not in held],
    }


def _start(holders: list[tuple[Grant, bool]], cursor: str | None, here: frames.Cursor) -> int | str:
    """Return the place in the log from which a topic is replayed, or why it has to be fetched again."""
    # Several tabs, or elements of one page, may hold a topic: it starts where the one farthest behind stands,
    # and the others skip what they have.
    nearest = furthest = written = -1
    for grant, fresh in holders:
        if "r" not in grant.caps:
            continue
        at = parse_cursor(grant.at)
        place = at if fresh or cursor is None else parse_cursor(cursor)
        if place is None or place.epoch != here.epoch:
            return "epoch"
        furthest = max(furthest, place.offset)
        nearest = place.offset if nearest < 0 else min(nearest, place.offset)
        if at is not None and at.epoch == here.epoch:
            written = at.offset if written < 0 else min(written, at.offset)
    if furthest > here.offset:
        return "ahead"
    return max(nearest, written)  # nobody reads what was said before they were granted it, whatever cursor they make up


def _opening(call: Call, order: Order, verdict: Verdict, hub: Hub, full: list[str]) -> bytes:
    """Return hello, what cannot be caught up with, the replay, and the block that ends it."""
    rt, here = call.rt, hub.place
    resync = dict.fromkeys(verdict.again, "grant")
    positions: dict[str, int] = {}
    first_seen: set[str] = set()
    for topic, accepted in verdict.accepted.items():
        if "r" not in accepted.caps:
            continue  # it only lets people be counted
        place = _start(verdict.holders[topic], order.cursor, here)
        if isinstance(place, str):
            resync[topic] = place
            continue
        positions[topic] = place
        if order.fresh and any(fresh for _, fresh in verdict.holders[topic]):
            first_seen.add(topic)
    missed = rt.bus.log.missed(positions, upto=here, fresh=frozenset(first_seen))
    resync |= missed.resync
    hello = {
        "conn": f"{random.getrandbits(72):018x}",  # tells streams apart, and is no secret
        "cursor": str(here),
        "build": rt.build,
        "up": rt.up,
        "heartbeat": round(rt.limits.heartbeat * 1000),
        "retry": rt.limits.retry,
        "refused": verdict.refused,
        "lost": full,
    }
    if len(order.tabs) > 1:
        hello["tabs"] = {tab.id: _answer(rt, tab, verdict) for tab in order.tabs}
    parts = [frames.hello(hello, rt.grants.renewed(verdict), retry=rt.limits.retry)]
    if resync:
        parts.append(hub.resync(resync))
    parts.extend(entry.frame for entry in missed.entries)
    parts.append(frames.checkpoint(str(here)))
    return b"".join(parts)
