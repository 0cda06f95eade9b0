"""`POST {prefix}/locks/{resource}`: take, keep, hand on; `POST {prefix}/work/{resource}`: what is not saved yet."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from .. import protocol
from ..exceptions import PublishError, Refused, StoreUnavailable, TooLarge
from ..leases import scoped
from ..lock_record import Holder, Lock, Terms
from ..locks import HIDDEN
from ..signing import Grant
from ..topics import EDIT_PREFIX, is_topic, public_key
from .granted import check_tab, granted
from .http import Call, check_origin, read_json, respond

_FIELD: Final = re.compile(r"[^\s\x00-\x1f]{1,64}")
_HIDDEN_BEAT: Final = 60.0  # seconds; browsers let hidden pages run no more often
_GONE: Final = Refused(503, "limited", "The server cannot note it now.", retry_after=2)


async def change(call: Call) -> None:
    """Answer with how a resource is held after that; that somebody else holds it is no error."""
    body, me, grant = await _read(call)
    act = "release" if call.state.scope["method"] == "DELETE" else body.get("act")
    if act not in protocol.LEASE_ACTS:
        raise Refused(400, "bad-request", f'"act" is one of {", ".join(protocol.LEASE_ACTS)}.')
    resource, locks, terms = call.path["resource"], call.rt.locks, _terms(grant)
    hidden = body.get("hidden") is True
    try:
        if act == "take":
            lock: Lock | None = await locks.take(resource, me, terms, hidden=hidden)
        elif act == "release":
            lock = await locks.release(resource, me.tab)
        elif act == "ask":
            lock = await locks.ask(resource, me)
        elif act == "here":
            lock = await locks.here(resource, me, terms)
        else:
            lock = await locks.answer(resource, me.tab, give=act == "give")
    except StoreUnavailable:
        raise _GONE from None
    answer = json.dumps(_answer(call, lock or Lock(terms), me, hidden=hidden)).encode()
    await respond(call, 200, answer, kind="application/json", headers=[(b"cache-control", b"no-store")])


def _answer(call: Call, lock: Lock, me: Holder, *, hidden: bool) -> dict[str, Any]:
    times = {"ttl": HIDDEN, "beat": _HIDDEN_BEAT} if hidden else {"ttl": lock.terms.ttl, "beat": lock.terms.beat}
    mine = lock.holder is not None and lock.holder.tab == me.tab
    return call.rt.locks.public(lock) | times | {"mine": mine, "you": public_key(me.tab)}


async def work(call: Call) -> None:
    """Show to the others what somebody who holds a resource has typed and not saved."""
    most = call.rt.limits.work
    body, me, _ = await _read(call, most=most + 64 * 1024)
    fence, version, fields = _whole(body, "fence"), _whole(body, "v"), body.get("fields")
    if not isinstance(fields, dict) or not 0 < len(fields) <= call.rt.limits.guarded_fields:
        raise Refused(400, "bad-request", '"fields" maps 1 or more names to values.')
    known = call.rt.guarded(call.path["resource"])
    for name, value in fields.items():
        several = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if not _FIELD.fullmatch(name) or not (value is None or isinstance(value, str) or several):
            raise Refused(400, "bad-request", "A field has a name, and as value text, a list of texts or null.")
        if known is not None and name not in known:
            raise Refused(400, "bad-request", f"{name!r} is no guarded field.")
    try:
        await call.rt.locks.work(call.path["resource"], me.tab, fence, version, fields)
    except StoreUnavailable:
        raise _GONE from None
    except TooLarge as error:
        raise Refused(413, "too-large", str(error)) from None
    except PublishError as error:
        raise Refused(400, "bad-request", str(error)) from None
    await respond(call, 204)


async def _read(call: Call, *, most: int | None = None) -> tuple[dict[str, Any], Holder, Grant]:
    """Return the body, who calls, and their grant. Raised where they may not: `Refused`."""
    check_origin(call)
    rt, state = call.rt, call.state
    if state.sealed is None:
        raise Refused(401, "no-cookie", "The identity cookie that came with the page is missing.")
    body = await read_json(call, most=most)
    tab, user, owner = check_tab(body.get("tab")), rt.identity.user(state), rt.identity.owner(state)
    resource = call.path["resource"]
    grant = granted(call, body.get("grant"), user, "l")
    if not is_topic(resource) or grant is None or grant.topic != EDIT_PREFIX + resource:
        raise Refused(403, "forbidden", "There is no grant to hold this.")
    name = scoped(owner, tab)
    rt.speech.take(owner, name)
    return body, Holder(owner, name, user.shown if user else ""), grant


def _terms(grant: Grant) -> Terms:
    meta = grant.meta or {}
    return Terms(meta.get("kind", "lock"), meta.get("grace", 15.0), meta.get("auto", 20.0))


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise Refused(400, "bad-request", f'"{name}" is a whole number.')
    return value
