"""A team's task board. Everybody who looks at it sees each change at once; without JavaScript it still works.

The live parts are few: `rt` below, `show()`, which sends what changed, and the `rt.` calls in the templates.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import demo
import sign_in
from database import engine, open_board, session
from fastapi import Depends, FastAPI, Form, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from forms import TaskForm
from models import PRIORITIES, Task, all_tasks, change, create, delete, totals
from people import PEOPLE, SignedOut, identify
from sign_in import Me
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.sessions import SessionMiddleware

from htmx_rt import Realtime, RealtimeMiddleware, User

HERE = Path(__file__).parent
SECRET = os.environ["BOARD_SECRET"]  # run.py makes one for you
TOPIC = "board:1"
POLICY = f"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; {demo.FRAMES}"

rt = Realtime(secret=SECRET, identify=identify, name="board", bus=os.environ.get("RT_BUS") or "memory://")
templates = Jinja2Templates(HERE / "templates", context_processors=[demo.context])
templates.env.globals |= {"PRIORITIES": PRIORITIES, "PEOPLE": PEOPLE}
rt.install(templates.env)


@rt.authorize("board:{id}")
async def may_read(user: User | None, id: str) -> bool:
    return user is not None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await open_board()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan, openapi_url=None)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


async def sent(
    title: Annotated[str, Form()] = "", priority: Annotated[str, Form()] = "", due: Annotated[str, Form()] = ""
) -> TaskForm:
    return TaskForm(title, priority, due)


Db = Annotated[AsyncSession, Depends(session)]
Sent = Annotated[TaskForm, Depends(sent)]
Id = Annotated[int, InPath(ge=1, lt=2**63)]


async def page(request: Request, db: Db, form: TaskForm, task: Task | None = None, status: int = 200) -> Response:
    """The whole board, with a task or a new one in the panel beside it."""
    context = {
        "tasks": await db.run_sync(all_tasks),
        "totals": await db.run_sync(totals),
        "form": form,
        "task": task,
        "topic": TOPIC,
    }
    return templates.TemplateResponse(request, "board.html", context, status_code=status)


async def panel(
    request: Request, db: Db, form: TaskForm, task: Task | None = None, status: int = 200, note: str = ""
) -> Response:
    """The panel alone for htmx, else the page around it."""
    if not rt.is_htmx(request):
        return await page(request, db, form, task, status)
    context = {"form": form, "task": task, "note": note}
    return templates.TemplateResponse(request, "task_form.html", context, status_code=status)


async def refuse(
    request: Request, db: Db, form: TaskForm, task: Task | None = None, status: int = 422, problem: str = "validation"
) -> Response:
    """The form comes back as it was typed, with its reasons; the header tells htmx to show it."""
    response = await panel(request, db, form, task, status)
    response.headers["RT-Problem"] = problem
    return response


async def show(
    request: Request, db: Db, task: Task, said: str = "", *, deleted: bool = False, form: TaskForm | None = None
) -> Response:
    """Commit, send everybody the row and the totals, and answer the one who asked with the same HTML.

    The totals are counted before the commit, inside the transaction of the change: so their revision (their
    rt-version) grows with each commit, and what is published late cannot put old numbers on a screen.
    """
    row = rt.render("task.html", task=task)
    summary = rt.render("totals.html", totals=await db.run_sync(totals))
    with rt.topic(TOPIC).batch(after=db) as everybody:  # one message, one frame: totals and list move together
        if deleted:
            everybody.remove(f"#task-{task.id}")
        else:
            everybody.append("#tasks", row)  # a row that is there already is replaced; rt-sort gives it its place
        everybody.replace("#summary", summary)
    if said:
        rt.topic(TOPIC).toast(said, after=db)  # for the others; whoever did it sees the row
    await db.commit()
    if not rt.is_htmx(request):
        return RedirectResponse("/", 303)
    context = {"task": None, "form": form, "row": row, "summary": summary}
    if deleted:
        context |= {"deleted": task.id, "note": f"“{task.title}” is deleted."}
    return templates.TemplateResponse(request, "changed.html", context)


@app.get("/")
@app.get("/tasks")  # where a refused form leaves the address bar without JavaScript
async def board(request: Request, db: Db, me: Me) -> Response:
    return await page(request, db, TaskForm.of(None))


@app.get("/tasks/new")
async def new(request: Request, db: Db, me: Me) -> Response:
    return await panel(request, db, TaskForm.of(None), note="Nothing was changed.")  # where Cancel leads


@app.post("/tasks")
async def add(request: Request, db: Db, me: Me, form: Sent) -> Response:
    if not form.check():
        return await refuse(request, db, form)
    task = await db.run_sync(create, author=me.first, **form.values)
    return await show(request, db, task, f"{me.first} added “{task.title}”", form=TaskForm.of(None))


@app.get("/tasks/{id}")
async def edit(request: Request, db: Db, me: Me, id: Id) -> Response:
    task = await db.get(Task, id) or missing()
    return await panel(request, db, TaskForm.of(task), task)


@app.post("/tasks/{id}")
async def save(request: Request, db: Db, me: Me, id: Id, form: Sent) -> Response:
    if not form.check():
        return await refuse(request, db, form, await db.get(Task, id))
    task = await db.run_sync(change, id, **form.values)
    if task is None:
        form.errors["task"] = "Somebody deleted this task in the meantime. You can add it again as a new one."
        return await refuse(request, db, form, None, 410, "gone")
    return await show(request, db, task, form=TaskForm.of(None))


@app.post("/tasks/{id}/done")
async def tick(request: Request, db: Db, me: Me, id: Id, done: Annotated[bool, Form()]) -> Response:
    # The wanted state is sent, not "the other one": two people ticking at once both get what they meant.
    task = await db.run_sync(change, id, done=done) or missing()
    return await show(request, db, task)


@app.post("/tasks/{id}/delete")
async def remove(request: Request, db: Db, me: Me, id: Id) -> Response:
    task = await db.run_sync(delete, id) or missing()
    return await show(request, db, task, f"{me.first} deleted “{task.title}”", deleted=True, form=TaskForm.of(None))


def missing() -> NoReturn:
    raise HTTPException(404)


@app.exception_handler(SignedOut)
async def ask_to_sign_in(request: Request, error: Exception) -> Response:
    if rt.is_htmx(request):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in", "RT-Problem": "signed-out"})
    return RedirectResponse("/sign-in", 303)


@app.exception_handler(HTTPException)
@app.exception_handler(RequestValidationError)  # an id that is no number, a file in place of a title
async def explain(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    if isinstance(error, RequestValidationError) and error.errors()[0]["loc"][0] == "path":
        status = 404
    if rt.is_htmx(request):
        rt.toast("That task is not there any more." if status == 404 else "That did not work.", level="warning")
        problem = "gone" if status == 404 else "bad-request"
        return Response(status_code=status, headers={"HX-Reswap": "none", "RT-Problem": problem})
    headers = getattr(error, "headers", None)
    return templates.TemplateResponse(
        request, "not_found.html", {"status": status}, status_code=status, headers=headers
    )


@app.middleware("http")
async def strict(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    return response


app.include_router(sign_in.routes(rt, templates))
app.add_middleware(demo.Strip, env=templates.env)  # to copy the board, leave out every line with "demo" in it
app.add_middleware(SessionMiddleware, secret_key=SECRET, session_cookie="board", same_site="lax")
app.add_middleware(RealtimeMiddleware, rt=rt)  # last = outermost
