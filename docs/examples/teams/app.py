"""Who may read what. Used by docs/howto/authorize.md."""

import os
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, Request, Response
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from htmx_rt import Realtime, RealtimeMiddleware, User

MEMBERS = {("acme", "7"): {"ada", "grace"}}

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    identify=lambda request: request.session.get("person"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


@rt.authorize("{team}:board:{id}")
async def may_read(user: User | None, team: str, id: str) -> bool:
    return user is not None and user.id in MEMBERS.get((team, id), set())


@app.get("/sign-in/{person}")  # for the example only
async def sign_in(request: Request, person: str) -> Response:
    request.session["person"] = person
    return Response(status_code=204)


@app.get("/{team}/boards/{id}")
async def board(request: Request, team: str, id: str):
    if request.session.get("person") not in MEMBERS.get((team, id), set()):
        raise HTTPException(404)
    return templates.TemplateResponse(request, "team.html", {"topic": f"{team}:board:{id}"})


@app.post("/{team}/boards/{id}/remove")
async def leave(team: str, id: str, person: Annotated[str, Form()]):
    MEMBERS[team, id].discard(person)
    rt.revoke(f"{team}:board:{id}", user=person)
    return Response(status_code=204)


app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"])
app.add_middleware(RealtimeMiddleware, rt=rt)
