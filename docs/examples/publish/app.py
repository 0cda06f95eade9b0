"""Everything that can be said on a topic. Used by docs/howto/publish.md."""

import os
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")
orders: dict[int, str] = {}


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "kitchen.html", {"orders": orders})


@app.post("/orders")
async def add(request: Request, dish: Annotated[str, Form()]):
    number = len(orders) + 1
    orders[number] = dish
    row = rt.render("order.html", number=number, dish=dish)
    rt.topic("kitchen").append("#orders", row)
    return HTMLResponse(row) if rt.is_htmx(request) else RedirectResponse("/", 303)


@app.post("/orders/{number}/serve")
async def serve(number: int):
    del orders[number]
    with rt.topic("kitchen").batch() as everybody:  # one message, one frame
        everybody.remove(f"#order-{number}")
        everybody.text("#waiting", len(orders))
    rt.toast("Served.", level="success")  # for whoever made this request
    return Response(status_code=204)


@app.post("/temperature")
async def temperature(degrees: Annotated[int, Form()]):
    rt.topic("kitchen").state("oven", "text", "#oven", f"{degrees} °C")
    return Response(status_code=204)


@app.post("/chart")
async def chart(degrees: Annotated[int, Form()]):
    rt.topic("kitchen").event("oven:sample", {"degrees": degrees})
    return Response(status_code=204)


@app.post("/break")
def lunch():  # not async: FastAPI runs it in a thread
    rt.topic("kitchen").toast("Ada is on a break.", level="info", key="break")
    rt.topic("kitchen").refresh("#mine").result(timeout=2)  # seconds
    return Response(status_code=204)


@app.post("/close")
async def close():
    kitchen = rt.topic("kitchen")
    kitchen.signal("closing", {"in": 10})
    await kitchen.redirect("/closed")
    return Response(status_code=204)


@app.get("/closed")
async def closed():
    return HTMLResponse("<h1>Closed</h1>")


app.add_middleware(RealtimeMiddleware, rt=rt)
