"""A shop's dashboard: what takes time comes by itself. Run with: uvicorn app:app"""

import asyncio
import os
from dataclasses import dataclass
from itertools import count

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ.get("RT_SECRET", "change-me: 32 bytes or more, from your environment"))
templates = Jinja2Templates("templates")
rt.install(templates.env)


@dataclass
class Repair:
    id: int
    bicycle: str
    customer: str
    minutes: int


REPAIRS = [Repair(1, "Kestrel Tour", "Ada", 40), Repair(2, "Kestrel Cargo", "Grace", 90)]
slow = 0.4  # seconds
tries = count(1)


async def page(request: Request) -> Response:
    return templates.TemplateResponse(request, "dashboard.html")


async def sales(request: Request) -> Response:
    await asyncio.sleep(slow)
    return templates.TemplateResponse(request, "sales.html", {"sold": 42})


async def repairs(request: Request) -> Response:
    return templates.TemplateResponse(request, "repairs.html", {"repairs": REPAIRS})


async def suppliers(request: Request) -> Response:
    if next(tries) == 1:
        raise HTTPException(502)
    return templates.TemplateResponse(request, "suppliers.html")


async def prices(request: Request) -> Response:
    return templates.TemplateResponse(request, "prices.html", {"prices": {"Chain": 24, "Bell": 9}})


async def done(request: Request) -> Response:
    REPAIRS[:] = [repair for repair in REPAIRS if repair.id != int(request.path_params["id"])]
    rt.changed("repair", request.path_params["id"], "deleted")
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/sales", sales),
        Route("/repairs", repairs),
        Route("/repairs/{id:int}/done", done, methods=["POST"]),
        Route("/suppliers", suppliers),
        Route("/prices", prices),
    ],
    middleware=[Middleware(RealtimeMiddleware, rt=rt)],
)
