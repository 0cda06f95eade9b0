"""Who is asking. Used by docs/howto/identity.md."""

import os
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from htmx_rt import Realtime, RealtimeMiddleware, User

NAMES = {"ada": "Ada Okafor", "grace": "Grace Lindqvist"}


def identify(request: Request) -> User | None:
    person = request.session.get("person")
    return User(id=person, name=NAMES[person]) if person else None


rt = Realtime(secret=os.environ["RT_SECRET"], identify=identify)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "home.html", {"me": request.session.get("person"), "names": NAMES})


@app.post("/sign-in")
async def sign_in(request: Request, person: Annotated[str, Form()]):
    if person in NAMES:
        request.session["person"] = person
    return RedirectResponse("/", 303)


@app.post("/sign-out")
async def sign_out(request: Request):
    request.session.clear()
    rt.sign_out()
    return RedirectResponse("/", 303)


@app.post("/wave")
async def wave(to: Annotated[str, Form()]):
    rt.user(to).toast("Somebody waves at you.")
    return RedirectResponse("/", 303)


app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"])
app.add_middleware(RealtimeMiddleware, rt=rt)  # last, so that it is outermost
