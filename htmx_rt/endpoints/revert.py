"""Taking a merged save back: its form with the values before it, posted to the app once more."""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from urllib.parse import urlencode

from ..exceptions import Refused
from ..reverts import Revert
from .http import Call
from .whoami import Inner, question

log = logging.getLogger("htmx_rt")

TIMEOUT: Final = 30.0  # seconds


async def revert(call: Call, id: str) -> bool:
    """Do it; False where there is nothing of that id. Raised where it cannot be done any more: `Refused` (409, 503)."""
    rt, state = call.rt, call.state
    kept = await rt.reverts.take(rt.identity.owner(state), id)
    if kept is None:
        return False
    body = urlencode([(name, value) for name, value in kept.fields]).encode()
    answer = Inner(body)
    try:
        async with asyncio.timeout(TIMEOUT):
            await answer.run(rt, call.app, _scope(call, kept, body))
    except TimeoutError:
        await _again(call, id, kept)
        raise Refused(503, "limited", "The app took too long.", retry_after=5) from None
    except Exception:
        log.exception("A save could not be taken back by %s %s.", kept.method, kept.path)
        await _again(call, id, kept)
        raise Refused(503, "limited", "The app failed.", retry_after=5) from None
    if answer.status >= 500:
        await _again(call, id, kept)
        raise Refused(503, "limited", "The app failed.", retry_after=5)
    if answer.status >= 400:
        raise Refused(409, "already-done", "It has been changed again since.")
    call.cookies += answer.cookies
    return True


async def _again(call: Call, id: str, kept: Revert) -> None:
    """It may be asked for once more: what the app did not finish compares versions, and so is not done twice."""
    await call.rt.reverts.keep(call.rt.identity.owner(call.state), id, kept)


def _scope(call: Call, kept: Revert, body: bytes) -> dict[str, object]:
    scope = question(call.rt, call.state.scope)
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept"]
    headers += [(name.encode(), value.encode("latin-1")) for name, value in kept.headers]
    headers += [
        (b"accept", b"text/html"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(len(body)).encode()),
        (b"hx-request", b"true"),
    ]
    return scope | {
        "method": kept.method,
        "path": kept.path,
        "raw_path": kept.path.encode(),
        "query_string": kept.query.encode("latin-1"),
        "headers": headers,
    }
