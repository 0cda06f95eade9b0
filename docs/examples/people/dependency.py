"""Saying who is asking from a dependency, where the account is looked up anyway."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware, User

TOKENS = {"t-1": ("ada", "Ada Okafor")}  # stands for a table

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


async def account(request: Request) -> str | None:
    found = TOKENS.get(request.cookies.get("token", ""))
    rt.set_user(User(*found) if found else None)
    return found[0] if found else None


Me = Annotated[str | None, Depends(account)]


@app.get("/")
async def index(request: Request, me: Me):
    return templates.TemplateResponse(request, "home.html", {"me": me, "names": {"ada": "Ada Okafor"}})


@app.get("/_rt/whoami", status_code=204)
async def whoami(me: Me) -> None:
    """Nobody can call this from outside: only the question that htmx-rt asks the app gets here."""


app.add_middleware(RealtimeMiddleware, rt=rt)
