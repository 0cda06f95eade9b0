"""A page that htmx's own SSE extension keeps up to date, without ours. Used by docs/howto/transports.md."""

import os

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    limits={"ticket_life": 12 * 3600},  # seconds: a stock reader cannot get a new one by itself
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "stock.html", {})


@app.post("/news")
async def news(request: Request):
    text = (await request.body()).decode()
    rt.topic("news").append("#news", Markup('<li id="news-{}">{}</li>').format(abs(hash(text)), text))
    return Response(status_code=204)


app.add_middleware(RealtimeMiddleware, rt=rt)
