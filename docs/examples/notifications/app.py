"""A task with comments; whoever is mentioned is told, wherever they are. Used by docs/howto/notifications.md."""

import os
import re
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),  # notifications outlive a restart
    identify=lambda request: request.cookies.get("who"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
comments: list[tuple[str, str]] = []


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "index.html", {"who": request.cookies.get("who", "")})


@app.post("/sign-in")
async def sign_in(who: Annotated[str, Form()]):
    response = RedirectResponse("/tasks/7", 303)
    response.set_cookie("who", who)
    return response


@app.get("/tasks/7")
async def task(request: Request):
    notes = await rt.notifications.list(request.cookies.get("who", "nobody"))
    return templates.TemplateResponse(request, "task.html", {"comments": comments, "notes": notes})


@app.post("/tasks/7/comments")
async def comment(request: Request, text: Annotated[str, Form()]):
    author = request.cookies.get("who", "somebody")
    comments.append((author, text))
    for person in set(re.findall(r"@(\w+)", text)) - {author}:
        await rt.notifications.send(person, f"{author} mentioned you", href="/tasks/7")
    await rt.notifications.send("grace", f"{len(comments)} comments", href="/tasks/7", key="comments:7")
    return RedirectResponse("/tasks/7", 303)


@app.post("/inbox/clear")
async def clear(request: Request):
    await rt.notifications.read(request.cookies.get("who", "nobody"))
    return RedirectResponse("/", 303)


@app.get("/unread")
async def unread(request: Request):
    return {"unread": await rt.notifications.unread(request.cookies.get("who", "nobody"))}


app.add_middleware(RealtimeMiddleware, rt=rt)
