"""A room whose people wave to each other from a script, over WebSockets. Used by docs/howto/transports.md."""

import os

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware, User

SECRET = os.environ["RT_SECRET"]


def identify(request: Request) -> User | None:
    name = request.cookies.get("person")  # as your app does
    return User(id=name.lower(), name=name) if name else None


rt = Realtime(secret=SECRET, transport="socket", identify=identify)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "room.html", {})


@app.post("/bell")
async def bell():
    rt.topic("room:7").event("wave", {"hand": "bell"})
    return Response(status_code=204)


app.add_middleware(RealtimeMiddleware, rt=rt)
