"""`GET {prefix}/static/{digest}/{file}`: the built files, kept by browsers for ever."""

from __future__ import annotations

from ..exceptions import Refused
from .http import Call, respond


async def static(call: Call) -> None:
    """Send one built file."""
    asset = call.rt.assets.files.get(call.path["file"])
    if asset is None:
        raise Refused(404, "bad-request", "There is no such file.")
    # While versions are rolled out a page of the other version may ask here: it gets ours, but may not keep it.
    mine = call.path["digest"] == call.rt.assets.digest
    cache = b"public, max-age=31536000, immutable" if mine else b"no-cache"
    await respond(call, 200, asset.body, kind=asset.type, headers=[(b"cache-control", cache)])
