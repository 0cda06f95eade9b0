"""Who reads a document. Used by docs/howto/presence.md."""

import os

from fastapi import FastAPI, Form, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from htmx_rt import Realtime, RealtimeMiddleware, User

PEOPLE = {"ada": "Ada Okafor", "grace": "Grace Lindqvist"}
PICTURES: dict[str, str] = {}  # user id → address


def identify(request: Request) -> User | None:
    person = request.session.get("person")
    return User(person, PEOPLE[person]) if person in PEOPLE else None


rt = Realtime(secret=os.environ["RT_SECRET"], identify=identify)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


@rt.authorize("doc:{id}")
async def may_read(user: User | None, id: str) -> bool:
    return True


@rt.presence.fetch
async def faces(ids):
    return {id: {"picture": PICTURES[id]} for id in ids if id in PICTURES}


@app.get("/docs/{id}")
async def document(request: Request, id: int):
    return templates.TemplateResponse(request, "doc.html", {"topic": f"doc:{id}"})


@app.get("/docs/{id}/board")
async def board(request: Request, id: int):
    return templates.TemplateResponse(request, "board.html", {"topic": f"doc:{id}"})


@app.get("/docs/{id}/watch")
async def watch(request: Request, id: int):
    return templates.TemplateResponse(request, "watch.html", {"topic": f"doc:{id}"})


@app.post("/docs/{id}/check")
async def check(id: int):
    rt.presence.track(f"doc:{id}", User("checker", "Spelling"))
    return "ok"


@app.post("/sign-in")
async def sign_in(request: Request, person: str = Form()):
    request.session["person"] = person
    return RedirectResponse("/docs/1", 303)


app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"])
app.add_middleware(RealtimeMiddleware, rt=rt)
