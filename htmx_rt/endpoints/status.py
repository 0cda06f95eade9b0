"""`GET {prefix}/health`: is this worker up, and may it take new streams?"""

from __future__ import annotations

import json

from .http import Call, respond


async def health(call: Call) -> None:
    """Answer 200, or 503 while draining, so that a balancer sends new streams elsewhere."""
    status = 503 if call.rt.draining else 200
    body = json.dumps({"status": "draining" if call.rt.draining else "ok", "build": call.rt.build}).encode()
    await respond(call, status, body, kind="application/json", headers=[(b"cache-control", b"no-store")])
