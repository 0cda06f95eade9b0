"""`POST {prefix}/progress/{id}` cancels what takes long, or takes what has ended off one's own pages; `GET` shows it."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from ..exceptions import Refused, StoreUnavailable
from ..paths import back_path
from ..progress_record import Record
from ..signing import Grant
from ..topics import is_topic, user_topic
from .granted import granted
from .http import Call, check_origin, read_body, read_json, respond
from .whoami import confirm

_PRIVATE: Final = (b"cache-control", b"private, no-store")
_LOCAL: Final = re.compile(r"/(?![/\\])[^\x00-\x20\\]{0,1000}")
_FORM: Final = "application/x-www-form-urlencoded"


async def show(call: Call) -> None:
    """Answer with a page that fetches itself again while it goes on, or with JSON where that is asked for."""
    call.cookies = await confirm(call.rt, call.app, call.state)
    query = bytes(call.state.scope.get("query_string", b"")).decode("latin-1")
    asked = _fields(query)
    record, grant = await _find(call, asked)
    if _wants_json(call):
        await _answer(call, 200 if record else 404, record.public if record else {"state": "gone"})
        return
    back = asked.get("back", "")
    if not _LOCAL.fullmatch(back):
        root = str(call.state.scope.get("root_path", ""))
        back = back_path(
            call.state.header(b"referer"), call.state.header(b"host"), root=root, but=root + call.rt.prefix
        )
    topic, token = asked.get("topic", ""), call.rt.grants.renew(grant) if grant else ""
    html = call.rt.macros.progress_page(
        call.state, record, here=_address(call, topic, token, back), post=_path(call, ""), topic=topic, token=token, back=back
    )  # fmt: skip
    headers = [_PRIVATE, (b"referrer-policy", b"same-origin"), *call.cookies]
    await respond(call, 200 if record else 404, html.encode(), kind="text/html; charset=utf-8", headers=headers)


async def act(call: Call) -> None:
    """Cancel, or dismiss; a form is sent on to the page of it, or back where it came from."""
    check_origin(call)
    call.cookies = await confirm(call.rt, call.app, call.state)
    if call.state.sealed is None:
        raise Refused(401, "no-cookie", "Without a cookie nobody knows who asks.")
    kind = (call.state.header(b"content-type") or "").partition(";")[0].strip().lower()
    form = kind == _FORM
    body: dict[str, Any] = (
        _fields((await read_body(call)).decode("utf-8", "replace")) if form else await read_json(call)
    )
    owner = call.rt.identity.owner(call.state)
    call.rt.speech.take(owner, f"progress:{owner}")
    record, grant = await _find(call, body)
    if record is None:
        raise Refused(404, "gone", "There is nothing like that any more.")
    verb, topic = body.get("act", "cancel"), str(body.get("topic"))
    if verb not in ("cancel", "dismiss"):
        raise Refused(400, "bad-request", '"act" is "cancel" or "dismiss".')
    try:
        state = await (_cancel(call, record, owner) if verb == "cancel" else _dismiss(call, record, owner))
    except StoreUnavailable:
        raise Refused(503, "limited", "The server cannot note it now.", retry_after=2) from None
    if not form:
        await _answer(call, 202 if state == "cancelling" else 200, {"state": state})
        return
    root = str(call.state.scope.get("root_path", ""))
    back = back_path(call.state.header(b"referer"), call.state.header(b"host"), root=root, but=root + call.rt.prefix)
    place = _address(call, topic, call.rt.grants.renew(grant) if grant else "", back) if verb == "cancel" else back
    await respond(call, 303, headers=[(b"location", place.encode("latin-1")), _PRIVATE, *call.cookies])


async def _cancel(call: Call, record: Record, owner: str) -> str:
    if not (record.cancel == "all" or (record.cancel == "owner" and record.owner == owner)):
        raise Refused(
            403, "forbidden", "Only who has begun it may cancel it." if record.cancel else "It goes on to its end."
        )
    if not record.running:
        raise Refused(409, "already-done", "It has ended already.")
    user = call.rt.identity.user(call.state)
    await call.rt.progresses.cancel(record, user.shown if user and record.owner != owner else "")
    return "cancelling"


async def _dismiss(call: Call, record: Record, owner: str) -> str:
    if record.running:
        raise Refused(409, "running", "It has not ended.")
    await call.rt.progresses.dismiss(record, owner)
    return "dismissed"


async def _find(call: Call, asked: dict[str, Any]) -> tuple[Record | None, Grant | None]:
    """Return what is asked for, and the grant it is asked by. Raised where whoever asks may not see it: `Refused`."""
    rt, topic, id = call.rt, asked.get("topic"), call.path["id"]
    if not is_topic(topic):
        raise Refused(400, "bad-request", '"topic" is what it was begun on.')
    topic, user = str(topic), rt.identity.user(call.state)
    try:
        record = await rt.progresses.find(topic, id)
    except StoreUnavailable:
        raise Refused(503, "limited", "The server cannot look it up now.", retry_after=2) from None
    grant = granted(call, asked.get("grant"), user, "r")
    old = grant is not None and rt.identity.clock() - grant.issued > rt.limits.grant_age  # however often it was renewed
    if grant is not None and (grant.topic != topic or old):
        grant = None
    if record is not None and record.owner and record.owner == rt.identity.owner(call.state):
        return record, grant
    may = grant is not None or (user is not None and topic == user_topic(user.id))
    if rt.grants.has_policy(topic):
        may = (await rt.grants.allowed(user, [topic]))[0]
    if not may:
        raise Refused(403, "forbidden", 'Send the "grant" that the page was written with.')
    return record, grant


def _fields(text: str) -> dict[str, Any]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise Refused(400, "bad-request", "There are too many fields.") from None


def _path(call: Call, id: str) -> str:
    return f"{str(call.state.scope.get('root_path', '')).rstrip('/')}{call.rt.prefix}/progress/{id}"


def _address(call: Call, topic: str, token: str, back: str) -> str:
    return f"{_path(call, call.path['id'])}?{urlencode({'topic': topic, 'grant': token, 'back': back})}"


def _wants_json(call: Call) -> bool:
    return "application/json" in (call.state.header(b"accept") or "")


async def _answer(call: Call, status: int, body: dict[str, Any]) -> None:
    headers = [_PRIVATE, *call.cookies]
    await respond(call, status, json.dumps(body).encode(), kind="application/json", headers=headers)
