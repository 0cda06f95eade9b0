"""A handbook whose pages say nothing of who is here: it is said once, for all below a path. Used by docs/howto/presence.md."""

import os

from fastapi import FastAPI, Request
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware, User

PAGES = {"bikes": "Renting bikes out", "till": "The till"}

rt = Realtime(
    secret=os.environ["RT_SECRET"], identify=lambda request: request.query_params.get("as")
)  # yours: a session
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()

rt.section("/", visitors=True)  # whoever is on any page is counted, and where they are
rt.section("/handbook/{page}", topics=["handbook:{page}"], presence=True)


@rt.authorize("handbook:{page}")
async def may_read(user: User | None, page: str) -> bool:
    return page in PAGES


@app.get("/handbook/{page}")
async def handbook(request: Request, page: str):
    return templates.TemplateResponse(request, "handbook.html", {"title": PAGES[page]})


@app.get("/visitors")  # for a few: ask who it is before you show this
async def visitors(request: Request):
    return templates.TemplateResponse(request, "visitors.html")


@app.get("/visitors.json")
async def numbers():
    stats = rt.stats()
    return {"people": stats.people, "visitors": stats.visitors, "pages": stats.pages}


app.add_middleware(RealtimeMiddleware, rt=rt)
