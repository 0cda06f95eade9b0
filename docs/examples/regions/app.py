"""Live parts of a page. Used by docs/howto/regions.md."""

import itertools
import os
from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


@dataclass
class Race:
    id: int
    name: str
    place: int
    version: int = 1


numbers = itertools.count(1)
races = {1: Race(1, "Spring cup", 10), 2: Race(2, "Night run", 20)}


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "races.html", {"races": sorted_races()})


@app.get("/races/list")
async def listing(request: Request):
    return templates.TemplateResponse(request, "list.html", {"races": sorted_races()})


@app.post("/races/{id}")
async def change(id: int, place: Annotated[int, Form()]):
    race = races[id]
    race.place = place
    race.version += 1
    rt.topic("races").append("#races", rt.render("race.html", race=race))
    return Response(status_code=204)


@app.post("/log")
async def log(line: Annotated[str, Form()]):
    entry = rt.render("entry.html", id=next(numbers), line=line)
    rt.topic("races").prepend("#log", entry)
    return HTMLResponse(entry)


@app.post("/tickets")
async def sell():
    rt.topic("races").refresh("#my-tickets")
    return Response(status_code=204)


def sorted_races() -> list[Race]:
    return sorted(races.values(), key=lambda race: race.place)


app.add_middleware(RealtimeMiddleware, rt=rt)
