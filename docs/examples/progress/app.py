"""Imports that take long: in a task, in a thread, and what becomes of them. Used by docs/howto/progress.md."""

import asyncio
import os
import time
from typing import Annotated

from fastapi import BackgroundTasks, FastAPI, Form, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),  # how far it is outlives a restart
    identify=lambda request: request.cookies.get("who"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
prices: dict[str, float] = {}
pause = float(os.environ.get("PAUSE", "0.01"))  # seconds that a row takes


@app.get("/imports")
async def imports(request: Request):
    running = await rt.running("imports")
    return templates.TemplateResponse(request, "imports.html", {"running": running})


@app.post("/imports")
async def start(rows: Annotated[str, Form()], tasks: BackgroundTasks):
    tasks.add_task(import_prices, rows.splitlines())
    return RedirectResponse("/imports", 303)


async def import_prices(rows: list[str]):
    async with rt.progress("imports", "Importing prices", total=len(rows)) as p:
        for number, row in enumerate(rows):
            p.update(done=number, step=f"Row {number + 1}")
            name, _, price = row.partition(",")
            if not price.strip().replace(".", "", 1).isdigit():
                p.fail(f"Row {number + 1} has no price.")
                return
            prices[name] = float(price)
            await asyncio.sleep(pause)


@app.post("/stocktaking")
def take_stock():  # not async: it runs in a thread
    with rt.progress("imports", "Taking stock", cancel="all") as p:
        counted = 0
        for shelf in "ABC":
            for _ in range(40):
                counted += 1
                p.update(done=counted, step=f"Shelf {shelf}")
                time.sleep(pause)
    return RedirectResponse("/imports", 303)


@app.post("/reports")
async def report(request: Request, tasks: BackgroundTasks):
    who = request.cookies.get("who", "")
    tasks.add_task(make_report, who)
    return RedirectResponse("/me", 303)


async def make_report(who: str):
    async with rt.progress(rt.user(who), "Your report", total=3, user=who) as p:
        for number, part in enumerate(("Sales", "Stock", "Repairs")):
            p.update(done=number, step=part)
            await asyncio.sleep(pause)
            p.check()  # as update(), where there is nothing to report


@app.get("/me")
async def me(request: Request):
    topic = rt.user(request.cookies.get("who", ""))
    return templates.TemplateResponse(request, "me.html", {"topic": topic, "running": await rt.running(topic)})


app.add_middleware(RealtimeMiddleware, rt=rt)
