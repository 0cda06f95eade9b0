"""Actions that happen once, whatever the line does. Used by docs/howto/exactly-once.md."""

import os
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
orders: list[str] = []
address = "1 Main Street"


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "shop.html", {"orders": orders, "address": address})


@app.post("/orders")
async def order(request: Request, item: Annotated[str, Form()]):
    orders.append(item)
    row = rt.render("order.html", number=len(orders), item=item)
    return HTMLResponse(row) if rt.is_htmx(request) else RedirectResponse("/", 303)


@app.post("/address")
@rt.repeatable
async def move(request: Request, street: Annotated[str, Form()]):
    global address
    address = street
    return HTMLResponse(address) if rt.is_htmx(request) else RedirectResponse("/", 303)


app.add_middleware(RealtimeMiddleware, rt=rt)
