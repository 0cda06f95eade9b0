"""`POST {prefix}/undo/{id}` takes a deferred action back; `GET {prefix}/undo` shows those of whoever asks."""

from __future__ import annotations

import json

from ..deferred import Deferred
from ..exceptions import Refused, StoreUnavailable
from ..paths import back_path
from .http import Call, check_origin, respond
from .revert import revert
from .whoami import confirm

_STORE = (b"cache-control", b"private, no-store")


async def take_back(call: Call) -> None:
    """Answer with JSON where it is asked for, else send the reader back to the page they came from."""
    check_origin(call)
    call.cookies = await confirm(call.rt, call.app, call.state)
    if call.state.sealed is None:
        raise Refused(401, "no-cookie", "Without a cookie nobody knows whose action this was.")
    try:
        if await revert(call, call.path["id"]):
            state = "undone"
        else:
            state = (await call.rt.undo.take_back(call.state, call.path["id"])).state
    except StoreUnavailable:
        raise Refused(503, "limited", "The server cannot note it now.", retry_after=2) from None
    except Refused as refusal:
        if _wants_json(call):
            raise
        await _page(call, refusal.status, refusal)
        return
    if _wants_json(call):
        body = json.dumps({"state": state}).encode()
        await respond(call, 200, body, kind="application/json", headers=[_STORE, *call.cookies])
    else:
        await respond(call, 303, headers=[(b"location", _back(call).encode("latin-1")), _STORE, *call.cookies])


async def show(call: Call) -> None:
    """Answer with what may still be taken back, and what became of the rest."""
    call.cookies = await confirm(call.rt, call.app, call.state)
    try:
        await _page(call, 200, None)
    except StoreUnavailable:
        raise Refused(503, "limited", "The server cannot look it up now.", retry_after=2) from None


async def _page(call: Call, status: int, refusal: Refused | None) -> None:
    rt, state = call.rt, call.state
    mine = await rt.undo.mine(state) if state.sealed is not None else []
    now = rt.store.clock()
    if _wants_json(call):
        body = json.dumps([_public(one, now) for one in mine]).encode()
        await respond(call, status, body, kind="application/json", headers=[_STORE, *call.cookies])
        return
    html = rt.macros.undo_page(state, mine, now=now, back=_back(call), refusal=refusal.detail if refusal else "")
    body = html.encode()
    headers = [_STORE, *call.cookies]
    if refusal is not None:
        headers.append((b"rt-problem", refusal.problem.encode()))
    await respond(call, status, body, kind="text/html; charset=utf-8", headers=headers)


def _public(one: Deferred, now: float) -> dict[str, object]:
    left = max(0, round((one.due - now) * 1000)) if one.state == "pending" else 0
    return {"id": one.id, "action": one.action, "text": one.text, "state": one.state, "left": left}


def _wants_json(call: Call) -> bool:
    return "application/json" in (call.state.header(b"accept") or "")


def _back(call: Call) -> str:
    state = call.state
    root = str(state.scope.get("root_path", ""))
    return back_path(state.header(b"referer"), state.header(b"host"), root=root, but=root + call.rt.prefix)
