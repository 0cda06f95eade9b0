"""Deleting that can be taken back for five seconds. Used by docs/howto/undo.md."""

import os
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


@dataclass
class Task:
    id: int
    title: str


tasks = {1: Task(1, "Call the printer"), 2: Task(2, "Order paper"), 3: Task(3, "Book the room")}


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "tasks.html", await visible())


@app.get("/tasks")
async def listing(request: Request):
    return templates.TemplateResponse(request, "list.html", await visible())


async def visible():
    mine = await rt.undo.hidden("delete-task")  # what I have deleted: gone for me
    leaving = await rt.undo.pending("delete-task")  # what anybody has: on its way out
    shown = [task for task in tasks.values() if str(task.id) not in mine]
    return {"tasks": shown, "leaving": leaving}


@app.post("/tasks/{id}/delete")
async def delete(request: Request, id: int):
    task = tasks[id]
    await rt.undo.defer("delete-task", {"id": id}, text=f"“{task.title}” deleted")
    rt.topic("tasks").refresh("#tasks")  # each page fetches its own view
    return Response(status_code=204) if rt.is_htmx(request) else RedirectResponse("/", 303)


@rt.undo.handler("delete-task")
async def delete_now(undo, id: int):
    tasks.pop(id, None)
    rt.topic("tasks").remove(f"#task-{id}")


@rt.undo.restore("delete-task")
async def show_again(undo, id: int):
    rt.topic("tasks").refresh("#tasks")


app.add_middleware(RealtimeMiddleware, rt=rt)
