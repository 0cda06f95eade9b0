"""An app on trio."""

import sniffio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware


async def page(request: Request) -> PlainTextResponse:
    """Say what runs us."""
    return PlainTextResponse(f"on {sniffio.current_async_library()}")


rt = Realtime(secret="a secret of thirty-two bytes or more", name="trio")
app = RealtimeMiddleware(Starlette(routes=[Route("/", page)]), rt=rt)
