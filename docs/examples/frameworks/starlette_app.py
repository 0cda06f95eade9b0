import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates(Path(__file__).parents[1] / "hello" / "templates")
rt.install(templates.env)
notes: list[str] = []


async def index(request: Request):
    return templates.TemplateResponse(request, "index.html", {"notes": notes})


async def add(request: Request):
    async with request.form() as form:
        notes.append(str(form["text"]))
    rt.topic("notes").append("#notes", rt.render("note.html", number=len(notes), text=notes[-1]))
    if rt.is_htmx(request):
        return HTMLResponse(rt.render("index.html", block="form"))
    return RedirectResponse("/", 303)


app = Starlette(
    routes=[Route("/", index), Route("/notes", add, methods=["POST"])],
    middleware=[Middleware(RealtimeMiddleware, rt=rt)],  # the first of the list is outermost
)
