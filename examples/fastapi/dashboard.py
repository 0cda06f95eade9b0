"""The shop at a glance: parts that load by themselves, one of them slow and one of them broken, and prices that move.

Each part is a route of its own. Where no script runs, its link leads to the same part as a page.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Annotated, Any

import shop
from database import session
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sign_in import Me
from sqlalchemy.ext.asyncio import AsyncSession

from htmx_rt import Realtime
from htmx_rt.exceptions import BusUnavailable

TOPIC = "dashboard"
SLOW, TOO_SLOW = 2.0, 12.0  # seconds the weather service takes, and what it takes every third time
TITLES = {
    "sales": "Sales today", "stock": "Stock running low", "repairs": "Repair queue", "roads": "Roads and weather",
    "suppliers": "Supplier prices", "here": "In the shop",
}  # fmt: skip

Db = Annotated[AsyncSession, Depends(session)]
Id = Annotated[int, InPath(ge=1, lt=2**63)]


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter(prefix="/dashboard")
    asked: Counter[tuple[str, str]] = Counter()  # how often each person has asked for what does not always work

    def part(request: Request, name: str, **values: Any) -> Response:
        """One part of the dashboard; as a page for whoever has followed its link."""
        values |= {"part": f"dashboard_{name}.html", "heading": TITLES[name]}
        shown = values["part"] if rt.is_htmx(request) else "dashboard_part.html"
        return templates.TemplateResponse(request, shown, values)

    @router.get("")
    async def whole(request: Request, db: Db, me: Me) -> Response:
        # Only what is at hand; whatever takes time is asked for by the page itself.
        context = {
            "topic": TOPIC,
            "orders": await shop.open_orders(db),
            "quotes": [shop.quote(slot, tick()) for slot in range(len(shop.TRADED))],
            "now": datetime.now(),
            "shop": shop.in_the_shop(datetime.now()),
            "example": {  # what skeletons are drawn after
                "sales": shop.sales(datetime.now()),
                "repairs": shop.repairs(),
                "roads": shop.roads(datetime.now()),
                "suppliers": shop.SUPPLIERS,
            },
        }
        return templates.TemplateResponse(request, "dashboard.html", context)

    @router.get("/here")
    async def here(request: Request, me: Me) -> Response:
        return part(request, "here", shop=shop.in_the_shop(datetime.now()))

    @router.get("/sales")
    async def sales(request: Request, me: Me) -> Response:
        return part(request, "sales", sales=shop.sales(datetime.now()))

    @router.get("/stock")
    async def stock(request: Request, db: Db, me: Me) -> Response:
        return part(request, "stock", parts=await shop.low_stock(db))

    @router.get("/repairs")
    async def repairs(request: Request, me: Me) -> Response:
        return part(request, "repairs", repairs=shop.repairs())

    @router.get("/roads")
    async def roads(request: Request, me: Me) -> Response:
        asked[me.id, "roads"] += 1
        await asyncio.sleep(SLOW if asked[me.id, "roads"] % 3 else TOO_SLOW)
        return part(request, "roads", roads=shop.roads(datetime.now()))

    @router.get("/suppliers")
    async def suppliers(request: Request, me: Me) -> Response:
        asked[me.id, "suppliers"] += 1
        if asked[me.id, "suppliers"] % 3:
            # Their server is away. The third time it is back.
            if not rt.is_htmx(request):
                raise HTTPException(502)
            return PlainTextResponse("The suppliers do not answer.", 502)
        return part(request, "suppliers", suppliers=shop.SUPPLIERS)

    @router.post("/orders")
    async def take(request: Request, db: Db, me: Me) -> Response:
        order = await shop.take_order(db)
        row = rt.render("order.html", order=order)
        rt.topic(TOPIC).append("#orders", row, after=db)
        return await changed(request, db, row)

    @router.post("/orders/{id}/pack")
    @rt.repeatable
    async def pack(request: Request, db: Db, me: Me, id: Id) -> Response:
        if await shop.pack(db, id, me.first):
            rt.topic(TOPIC).remove(f"#order-{id}", after=db)
        return await changed(request, db, "")

    async def changed(request: Request, db: AsyncSession, row: str) -> Response:
        rt.topic(TOPIC).badge("orders", await shop.count_open(db), after=db)
        await db.commit()
        return Response(row, media_type="text/html") if rt.is_htmx(request) else RedirectResponse("/dashboard", 303)

    return router


def tick() -> int:
    return int(time.time() / shop.TICK)


class Ticker:
    """Lets prices move, two or three a second, for as long as somebody looks at them."""

    def __init__(self, rt: Realtime) -> None:
        self._rt = rt
        self._someone = asyncio.Event()
        rt.presence.subscribe(self._look)

    def _look(self, news: Any) -> None:
        if news.topic == TOPIC:
            self._someone.set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Tick while the block lasts."""
        self._someone = asyncio.Event()
        task = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            self._someone.clear()
            if not self._rt.presence.count(TOPIC):
                await self._someone.wait()  # nobody looks, nothing is said
            await asyncio.sleep(shop.TICK - time.time() % shop.TICK)
            now = tick()
            html = self._rt.render("quote.html", quote=shop.quote(shop.slot_of(now), now))
            with suppress(BusUnavailable):  # the next one tells it again
                await self._rt.topic("prices").replace(f"#quote-{shop.slot_of(now)}", html)
