"""Feedback by distance. Used by docs/howto/latency.md."""

import os

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    debug=os.environ.get("DEBUG") == "1",
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")
likes = 0


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "page.html", {"likes": likes})


@app.get("/report")
async def report():
    return HTMLResponse("<p>All is well.</p>")


@app.post("/like")
async def like():
    global likes
    likes += 1
    return HTMLResponse(str(likes))


app.add_middleware(RealtimeMiddleware, rt=rt)
