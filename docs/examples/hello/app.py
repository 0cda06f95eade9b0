import os
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
notes: list[str] = []


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "index.html", {"notes": notes})


@app.post("/notes")
async def add(request: Request, text: Annotated[str, Form()]):
    notes.append(text)
    rt.topic("notes").append("#notes", rt.render("note.html", number=len(notes), text=text))
    if rt.is_htmx(request):
        return HTMLResponse(rt.render("index.html", block="form"))  # the form again, empty
    return RedirectResponse("/", 303)


app.add_middleware(RealtimeMiddleware, rt=rt)  # last, so that it is outermost
