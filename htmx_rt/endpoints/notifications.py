"""`GET {prefix}/notifications`: those of whoever asks, as a page, as the panel of the bell, or as JSON; `POST` reads."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from ..exceptions import Refused, StoreUnavailable
from ..notifications import Note, Notes
from ..paths import back_path
from .http import Call, check_origin, read_body, read_json, respond
from .whoami import confirm

_STORE: Final = (b"cache-control", b"private, no-store")
_LANG: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_IDS: Final = 200
_AWAY: Final = Refused(503, "limited", "The notifications cannot be looked up now.", retry_after=5)
_NOBODY: Final = Refused(401, "signed-out", "Sign in to see your notifications.")


async def show(call: Call) -> None:
    """Answer with what there is."""
    user = await _who(call)
    page = not _wants_json(call) and call.state.tab is None
    if user is None and not page:
        raise _NOBODY
    try:
        notes = await call.rt.notifications.find(user) if user is not None else None
    except StoreUnavailable:
        raise _AWAY from None
    if page:
        html = call.rt.macros.bell_page(call.state, notes, back=_back(call))
        await _answer(call, html, status=200 if notes is not None else 401)
    elif _wants_json(call):
        await _json(call, _public(notes or Notes()))
    else:
        await _answer(call, call.rt.macros.bell_panel(call.state, notes or Notes(), _lang(call)))


async def read(call: Call) -> None:
    """Mark some or all as read; a page without scripts is sent back to where its reader came from."""
    check_origin(call)
    user = await _who(call)
    if user is None:
        raise _NOBODY
    call.rt.speech.take(call.rt.identity.owner(call.state), f"notes:{call.rt.identity.owner(call.state)}")
    kind = (call.state.header(b"content-type") or "").partition(";")[0].strip().lower()
    form = kind == "application/x-www-form-urlencoded"
    body = await (_form(call) if form else read_json(call))
    ids, upto = _chosen(body)
    try:
        notes = await call.rt.notifications.mark(user, ids, upto=upto)
    except StoreUnavailable:
        raise _AWAY from None
    if form and not _wants_json(call):
        await respond(call, 303, headers=[(b"location", _origin(call).encode("latin-1")), _STORE, *call.cookies])
    else:
        await _json(call, {"unread": notes.unread, "rev": notes.rev})


async def _who(call: Call) -> str | None:
    call.cookies = await confirm(call.rt, call.app, call.state)
    user = call.rt.identity.user(call.state) if call.state.sealed is not None else None
    asked = _query(call, "who")
    if user is not None and asked and asked != call.rt.identity.who(call.state):
        raise Refused(401, "user-changed", "This page belongs to somebody else.")
    return user.id if user is not None else None


def _query(call: Call, name: str) -> str:
    query = bytes(call.state.scope.get("query_string", b"")).decode("latin-1")
    found = re.search(rf"(?:^|&){name}=([\w-]{{1,40}})(?:&|$)", query)
    return found[1] if found else ""


async def _form(call: Call) -> dict[str, Any]:
    text = (await read_body(call)).decode("utf-8", "replace")
    try:
        fields = parse_qs(text, max_num_fields=_IDS)
    except ValueError:
        raise Refused(413, "too-large", f"The form has more than {_IDS} fields.") from None
    upto = fields.get("all", [""])[0]
    chosen = {"ids": fields["ids"]} if "ids" in fields else {}
    return chosen or {"all": int(upto) if re.fullmatch(r"[0-9]{1,15}", upto) else True}


def _chosen(body: dict[str, Any]) -> tuple[frozenset[str] | None, int | None]:
    """Return the ids that are to be read, or none of them for all up to a revision."""
    ids, upto = body.get("ids"), body.get("all", True)
    if ids is None:
        return None, upto if isinstance(upto, int) and not isinstance(upto, bool) else None
    if not isinstance(ids, list) or len(ids) > _IDS or not all(isinstance(one, str) and len(one) <= 64 for one in ids):
        raise Refused(400, "bad-request", f'"ids" is a list of at most {_IDS} ids; leave it out to read all.')
    return frozenset(ids), None


def _public(notes: Notes) -> dict[str, Any]:
    def one(note: Note) -> dict[str, Any]:
        return {"id": note.id, "text": note.text, "href": note.href, "at": note.at, "read": note.read}

    return {"rev": notes.rev, "unread": notes.unread, "notes": [one(note) for note in notes]}


async def _json(call: Call, body: dict[str, Any]) -> None:
    await respond(call, 200, json.dumps(body).encode(), kind="application/json", headers=[_STORE, *call.cookies])


async def _answer(call: Call, html: str, status: int = 200) -> None:
    headers = [_STORE, (b"vary", b"Accept, RT-Tab"), *call.cookies]
    await respond(call, status, html.encode(), kind="text/html; charset=utf-8", headers=headers)


def _wants_json(call: Call) -> bool:
    return "application/json" in (call.state.header(b"accept") or "")


def _lang(call: Call) -> str:
    """Return the language of the page that asks."""
    lang = _query(call, "lang")
    return lang if _LANG.fullmatch(lang) else "en"


def _back(call: Call) -> str:
    root = str(call.state.scope.get("root_path", ""))
    state = call.state
    return back_path(state.header(b"referer"), state.header(b"host"), root=root, but=root + call.rt.prefix)


def _origin(call: Call) -> str:
    """Return the page with the form: our own, or one of the app with a bell."""
    state, root = call.state, str(call.state.scope.get("root_path", ""))
    own = f"{root}{call.rt.prefix}/notifications"
    try:
        parts = urlsplit(state.header(b"referer") or "")
    except ValueError:
        return own
    if parts.netloc.lower() == (state.header(b"host") or "").lower() and parts.path == own:
        return own
    return _back(call)
