"""What a person does shows at once. Used by docs/howto/optimistic.md."""

import itertools
import os
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")
numbers = itertools.count(1)


@dataclass
class Task:
    title: str
    done: bool = False
    likes: int = 0
    id: int = field(default_factory=lambda: next(numbers))
    place: float = 0
    version: int = 1

    def __post_init__(self):
        self.place = self.place or self.id


tasks = {task.id: task for task in map(Task, ["Call the printer", "Order paper", "Book the room"])}


@app.get("/")
async def index(request: Request):
    rows = sorted(tasks.values(), key=lambda task: task.place)
    return templates.TemplateResponse(request, "tasks.html", {"tasks": rows})


@app.post("/tasks")
async def add(request: Request, title: Annotated[str, Form()]):
    if len(title) > 40:
        return PlainTextResponse("At most 40 characters, please.", 422, {"RT-Problem": "validation"})
    task = Task(title)
    tasks[task.id] = task
    rt.topic("tasks").append("#tasks", rt.render("task.html", task=task))
    return done(request, rt.render("tasks.html", block="form"))  # the form again, empty


@app.post("/tasks/{id}/tick")
async def tick(request: Request, id: int):
    tasks[id].done = not tasks[id].done
    return changed(request, tasks[id])


@app.post("/tasks/{id}/like")
async def like(request: Request, id: int):
    tasks[id].likes += 1
    return changed(request, tasks[id])


@app.post("/tasks/{id}/move")
async def move(request: Request, id: int, after: Annotated[str, Form()] = ""):
    others = sorted(task.place for task in tasks.values() if task.id != id)
    before = tasks[int(after)].place if after else others[0] - 2
    following = next((place for place in others if place > before), before + 2)
    tasks[id].place = (before + following) / 2
    return changed(request, tasks[id])


@app.post("/tasks/{id}/delete")
async def delete(request: Request, id: int):
    if tasks[id].likes:
        return PlainTextResponse("Somebody likes this one.", 409)
    del tasks[id]
    rt.topic("tasks").remove(f"#task-{id}")
    return done(request)


def changed(request: Request, task: Task):
    task.version += 1
    row = rt.render("task.html", task=task)
    rt.topic("tasks").append("#tasks", row)  # a row that is there is replaced; rt-sort gives it its place
    return done(request)


def done(request: Request, html: str = ""):
    if not rt.is_htmx(request):
        return RedirectResponse("/", 303)
    return HTMLResponse(html) if html else Response(status_code=204)


app.add_middleware(RealtimeMiddleware, rt=rt)
