"""`GET|PUT|DELETE {prefix}/drafts/{key}` keeps what is typed; `POST` does so for pages without scripts."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl

from .. import protocol
from ..drafts import TRIES, Draft
from ..exceptions import Refused, StoreConflict, StoreUnavailable, TooLarge
from ..paths import back_path
from ..realtime import Realtime
from .http import Call, Headers, check_origin, read_body, read_json, respond
from .whoami import confirm

_REV: Final = re.compile(r"[0-9]{1,15}")
_FIELDS: Final = 500
_NOT_KEPT: Final = Refused(503, "limited", "The draft cannot be kept now.", retry_after=5)
_PRIVATE: Final = (b"cache-control", b"private, no-store")


async def read(call: Call) -> None:
    """Answer with the draft, for another device or after a conflict."""
    owner, name = await _open(call)
    try:
        draft = await call.rt.drafts.find(owner, name)
    except StoreUnavailable:
        raise _NOT_KEPT from None
    await _answer(call, 200, _public(draft))


async def write(call: Call) -> None:
    """Keep it where nothing newer is there: 409 with the newer one otherwise."""
    check_origin(call)
    owner, name = await _open(call)
    call.rt.speech.take(owner, f"draft:{owner}:{name}")
    body = await read_json(call, most=call.rt.limits.draft + 4096)
    fields = body.get("fields")
    if not isinstance(fields, dict) or len(fields) > _FIELDS or not all(map(_is_values, fields.values())):
        raise Refused(400, "bad-request", f'"fields" maps at most {_FIELDS} names to lists of texts.')
    try:
        draft, gone = await call.rt.drafts.keep(owner, name, fields, rev=_rev(call), tab=_tab(call))
    except StoreConflict as conflict:
        await _newer(call, conflict.present)
        return
    except TooLarge as error:
        raise Refused(413, "too-large", str(error)) from None
    except StoreUnavailable:
        raise _NOT_KEPT from None
    await _answer(call, 200, {"rev": draft.rev, "at": draft.at, "gone": gone})


async def end(call: Call) -> None:
    """Discard it, leaving a tombstone."""
    check_origin(call)
    owner, name = await _open(call)
    try:
        draft = await call.rt.drafts.end(owner, name, rev=_rev(call))
    except StoreConflict as conflict:
        await _newer(call, conflict.present)
        return
    except StoreUnavailable:
        raise _NOT_KEPT from None
    await _answer(call, 200, {"rev": draft.rev, "at": draft.at})


async def post(call: Call) -> None:
    """Keep the form that a page without scripts sends, whatever is there, and send its reader back."""
    check_origin(call)
    owner, name = await _open(call)
    call.rt.speech.take(owner, f"draft:{owner}:{name}")
    kind = (call.state.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(400, "bad-request", "Send the form as application/x-www-form-urlencoded.")
    text = (await read_body(call, most=3 * call.rt.limits.draft)).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise Refused(413, "too-large", f"The form has more than {_FIELDS} fields.") from None
    fields: dict[str, list[str]] = {}
    for field, value in pairs:
        fields.setdefault(field, []).append(value)
    try:
        await _overwrite(call.rt, owner, name, fields)
    except StoreUnavailable:
        raise _NOT_KEPT from None
    except TooLarge as error:
        raise Refused(413, "too-large", str(error)) from None
    root = str(call.state.scope.get("root_path", ""))
    state = call.state
    back = back_path(state.header(b"referer"), state.header(b"host"), root=root, but=root + call.rt.prefix)
    await respond(call, 303, headers=[(b"location", back.encode("latin-1")), _PRIVATE, *call.cookies])


async def _open(call: Call) -> tuple[str, str]:
    call.cookies = await confirm(call.rt, call.app, call.state)
    if call.state.sealed is None:
        raise Refused(401, "no-cookie", "Without a cookie nobody knows whose draft this is.")
    owner, key = call.rt.identity.owner(call.state), call.path["key"]
    try:
        return owner, call.rt.drafts.name_of(owner, key)
    except Refused:
        if call.rt.identity.user(call.state) is None and call.rt.signer.loads("draft", key) is not None:
            raise Refused(401, "signed-out", "Sign in to go on with this.") from None
        raise


async def _overwrite(rt: Realtime, owner: str, name: str, fields: dict[str, list[str]]) -> None:
    """Keep it whatever is there: who runs no script sees what they keep, and nothing else does it for them."""
    for _ in range(TRIES):
        there = await rt.drafts.find(owner, name)
        with contextlib.suppress(StoreConflict):
            await rt.drafts.keep(owner, name, fields, rev=there.rev, tab="")
            return
    raise _NOT_KEPT


async def _newer(call: Call, draft: Draft) -> None:
    await _answer(call, 409, _public(draft), [(protocol.PROBLEM.lower().encode(), b"draft-newer")])


async def _answer(call: Call, status: int, body: dict[str, Any], headers: Headers = ()) -> None:
    rev = (protocol.DRAFT_REV.lower().encode(), str(body["rev"]).encode())
    data = json.dumps(body).encode()
    await respond(call, status, data, kind="application/json", headers=[rev, _PRIVATE, *headers, *call.cookies])


def _public(draft: Draft) -> dict[str, Any]:
    return {"rev": draft.rev, "at": draft.at, "fields": draft.fields, "tab": draft.tab, "ended": draft.ended}


def _rev(call: Call) -> int:
    text = call.state.header(protocol.DRAFT_REV.lower().encode()) or ""
    if not _REV.fullmatch(text):
        raise Refused(400, "bad-request", f"{protocol.DRAFT_REV} is the revision that the page knows; 0 for none.")
    return int(text)


def _tab(call: Call) -> str:
    return call.state.tab or ""


def _is_values(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _FIELDS and all(isinstance(one, str) for one in value)
