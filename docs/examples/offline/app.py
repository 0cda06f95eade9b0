"""Readings that are taken where there is no network. Used by docs/howto/offline.md."""

import os
from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),  # a day's receipts should outlive a restart
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")


@dataclass
class Room:
    id: int
    name: str
    reading: int = 0
    version: int = 1


rooms = {1: Room(1, "Boiler room"), 2: Room(2, "Cellar"), 3: Room(3, "Roof")}


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "rooms.html", {"rooms": rooms.values()})


@app.post("/rooms/{id}")
@rt.repeatable
async def save(request: Request, id: int, reading: Annotated[int, Form()]):
    room = rooms[id]
    if reading < room.reading:
        return PlainTextResponse("A meter does not run backwards.", 422, {"RT-Problem": "validation"})
    room.reading = reading
    room.version += 1
    row = rt.render("room.html", room=room)
    rt.topic("rooms").replace(f"#room-{id}", row)
    return HTMLResponse(row) if rt.is_htmx(request) else RedirectResponse("/", 303)


app.add_middleware(RealtimeMiddleware, rt=rt)
