"""A team's task board. Everybody who looks at it sees each change at once; without JavaScript it still works.

The live parts are few: `rt` below, `publish()`, which sends what changed, the `rt.` calls in the templates and, in
those, the `rt-` attributes: what shows before the server has answered, and what is kept for later without a line.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import chat
import dashboard
import demo
import documents
import imports
import lobby
import permits
import rides
import sign_in
import whiteboard
from database import Session, engine, open_board, session
from fastapi import Depends, FastAPI, Form, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from forms import PROBLEMS, TaskForm, destination
from models import (
    PATH,
    PRIORITIES,
    Invoice,
    Task,
    all_invoices,
    all_tasks,
    blank,
    change,
    create,
    delete,
    move,
    send,
    totals,
)
from people import PEOPLE, SignedOut, identify, somebody
from sign_in import Me
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.sessions import SessionMiddleware

from htmx_rt import Realtime, RealtimeMiddleware, User
from htmx_rt.undo import Deferred

HERE = Path(__file__).parent
SECRET = os.environ["BOARD_SECRET"]  # run.py makes one for you
TOPIC = "board:1"
IN_PANEL = {"HX-Retarget": "#panel", "HX-Reswap": "outerHTML"}
PAGES = {
    "/": "Board", "/dashboard": "Dashboard", "/documents": "Documents", "/chat": "Chat", "/import": "Import",
    "/permit": "Permit", "/whiteboard": "Whiteboard", "/lobby": "Lobby",
}  # fmt: skip
PICTURES = "img-src 'self' blob:"  # blob: what is about to be uploaded
POLICY = f"default-src 'self'; {PICTURES}; object-src 'none'; base-uri 'none'; form-action 'self'; {demo.FRAMES}"

rt = Realtime(
    secret=SECRET,
    identify=identify,
    name="board",
    build=os.environ.get("BOARD_BUILD"),  # "Deploy" in the demo's strip counts it up
    sign_in="/sign-in",
    bus=os.environ.get("RT_BUS") or "memory://",
    store=os.environ.get("RT_STORE") or f"sqlite:///{PATH.with_name('rt.db')}",  # what was done, what can be undone
    uploads=PATH.with_name("uploads"),
)
templates = Jinja2Templates(HERE / "templates", context_processors=[demo.context, chat.context])
templates.env.globals |= {"PRIORITIES": PRIORITIES, "PEOPLE": PEOPLE, "PAGES": PAGES}
rt.install(templates.env)


@rt.authorize("whiteboard")
@rt.authorize(dashboard.TOPIC)
@rt.authorize("prices")
@rt.authorize(imports.TOPIC)
async def may_work(user: User | None) -> bool:
    return user is not None


@rt.authorize("board:{id}")
@rt.authorize("task:{id}")  # who has it open
@rt.authorize("doc:{id}")  # who has it open, and what happens to it there
async def may_read(user: User | None, id: str) -> bool:
    return user is not None


@rt.authorize("chat:{room}")
async def may_chat(user: User | None, room: str) -> bool:
    return user is not None and room in chat.ROOMS


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await open_board()
    async with ticker.run(), importer.run():
        yield
    await engine.dispose()


ticker, importer = dashboard.Ticker(rt), imports.Importer(rt)
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
    me = somebody(request)
    leaving, mine = await rt.undo.pending("delete-task"), await rt.undo.hidden("delete-task")
    context = {
        "tasks": [one for one in await db.run_sync(all_tasks) if str(one.id) not in mine],
        "leaving": leaving,
        "mine": mine,
        "blank": blank(me.first),
        "totals": await db.run_sync(totals, [int(id) for id in leaving]),
        "invoices": await db.run_sync(all_invoices),
        "form": form,
        "task": task,
        "topic": TOPIC,
        "own": rt.user(me.id).name,
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
    """The form comes back as it was typed, with its reasons, into the panel: also what was typed in a row."""
    response = await panel(request, db, form, task, status)
    response.headers.update({"RT-Problem": problem} | IN_PANEL)
    return response


async def publish(db: AsyncSession, task: Task, said: str = "", *, gone: bool = False) -> dict[str, Any]:
    """Commit, send everybody the row and the totals, and return both.

    The totals are counted before the commit, inside the transaction of the change: so their revision (their
    rt-version) grows with each commit, and what is published late cannot put old numbers on a screen.
    """
    leaving = await rt.undo.pending("delete-task")
    deferred = leaving.get(str(task.id))
    row = rt.render("task.html", task=task, by=deferred and deferred.args["by"])
    summary = rt.render("totals.html", totals=await db.run_sync(totals, [int(id) for id in leaving]))
    with rt.topic(TOPIC).batch(after=db) as everybody:  # one message, one frame: totals and list move together
        if gone:
            everybody.remove(f"#task-{task.id}")
        else:
            everybody.append("#tasks", row)  # a row that is there already is replaced; rt-sort gives it its place
        everybody.replace("#summary", summary)
    if deferred and deferred.user and not gone:  # the others see who deletes it; for that person it is gone already
        rt.user(deferred.user.id).remove(f"#task-{task.id}", after=db)
    if said:
        rt.topic(TOPIC).toast(said, after=db)  # for the others; whoever did it sees the row
    await db.commit()
    return {"row": row, "summary": summary}


async def show(request: Request, db: Db, task: Task, said: str = "", **context: Any) -> Response:
    """Answer the one who changed something with the HTML that everybody is sent."""
    context |= {"task": None} | await publish(db, task, said)
    if not rt.is_htmx(request):
        return RedirectResponse("/", 303)
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


# What sets a value may run twice when nobody knows whether it has run: `repeatable`. What adds or counts may not.


@app.post("/tasks/{id}/title")
@rt.repeatable
async def rename(request: Request, db: Db, me: Me, id: Id, title: Annotated[str, Form()] = "") -> Response:
    task = await db.get(Task, id) or missing()
    form = TaskForm.renamed(task, title)
    if not form.check():
        return await refuse(request, db, form, task)
    task = await db.run_sync(change, id, title=form.title) or missing()
    return await show(request, db, task)


@app.post("/tasks/{id}/done")
@rt.repeatable
async def tick(request: Request, db: Db, me: Me, id: Id, done: Annotated[bool, Form()]) -> Response:
    # The wanted state is sent, not "the other one": two people ticking at once both get what they meant.
    task = await db.run_sync(change, id, done=done) or missing()
    return await show(request, db, task)


@app.post("/tasks/{id}/move")
async def place(request: Request, db: Db, me: Me, id: Id) -> Response:
    where = destination(await request.form()) or not_understood()
    task = await db.run_sync(move, id, **where) or missing()
    return await show(request, db, task)


@app.post("/tasks/{id}/vote")
async def vote(request: Request, db: Db, me: Me, id: Id) -> Response:
    task = await db.run_sync(change, id, votes=Task.votes + 1) or missing()  # the database adds: two at once are two
    return await show(request, db, task)


@app.post("/tasks/{id}/delete")
async def remove(request: Request, db: Db, me: Me, id: Id, opened: Annotated[bool, Form()] = False) -> Response:
    """Put the deletion off: for five seconds it can be undone, and the others see it coming."""
    task = await db.get(Task, id) or missing()
    await rt.undo.defer("delete-task", {"id": id, "by": me.first}, text=f"“{task.title}” is deleted.")
    task = await db.run_sync(change, id) or missing()
    context = {"note": f"“{task.title}” is deleted.", "form": TaskForm.of(None)} if opened else {}
    return await show(request, db, task, f"{me.first} is deleting “{task.title}”", gone=id, **context)


@rt.undo.handler("delete-task", transactional=True)
async def delete_now(undo: Deferred, id: int, by: str) -> None:
    async with Session() as db:
        # Whichever worker gets here, and however often: the mark is written together with the deletion.
        if await db.run_sync(rt.undo.claim, undo.id) and (task := await db.run_sync(delete, id)):
            await publish(db, task, gone=True)


@rt.undo.restore("delete-task")
async def bring_back(undo: Deferred, id: int, by: str) -> None:
    async with Session() as db:
        if task := await db.run_sync(change, id):
            await publish(db, task)


@app.post("/invoices/{id}/send")
@rt.irreversible("/invoices/{id}/send")
async def send_invoice(request: Request, db: Db, me: Me, id: Id) -> Response:
    invoice = await db.run_sync(send, id, by=me.first)
    if invoice is None:
        await db.get(Invoice, id) or missing()
        raise HTTPException(409)  # somebody else was faster
    row = rt.render("invoice.html", invoice=invoice)
    rt.topic(TOPIC).replace(f"#invoice-{id}", row, after=db)
    rt.topic(TOPIC).toast(f"{me.first} sent invoice {invoice.number}", after=db)
    await db.commit()  # and here a real app hands it to its mailer
    return HTMLResponse(row) if rt.is_htmx(request) else RedirectResponse("/", 303)


def missing() -> NoReturn:
    raise HTTPException(404)


def not_understood() -> NoReturn:
    raise HTTPException(400)


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
        problem, words = PROBLEMS.get(status, PROBLEMS[400])
        rt.toast(words, level="warning")
        return Response(status_code=status, headers={"HX-Reswap": "none", "RT-Problem": problem})
    headers = getattr(error, "headers", None)
    return templates.TemplateResponse(
        request, "not_found.html", {"status": status}, status_code=status, headers=headers
    )


@app.middleware("http")
async def strict(request: Request, call_next: RequestResponseEndpoint) -> Response:
    person = PEOPLE.get(request.session.get("person", ""))
    if person and not rt.is_htmx(request) and not request.url.path.startswith("/static/"):
        await chat.remember(rt, request, person)
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    return response


app.include_router(sign_in.routes(rt, templates))
app.include_router(whiteboard.routes(rt, templates))
app.include_router(documents.routes(rt, templates))
app.include_router(permits.routes(rt, templates))
app.include_router(lobby.routes(templates))
app.include_router(dashboard.routes(rt, templates))
app.include_router(rides.routes(rt, templates))
app.include_router(imports.routes(rt, templates, importer))
app.include_router(chat.routes(rt, templates))
app.add_middleware(demo.Strip, env=templates.env)  # to copy the board, leave out every line with "demo" in it
app.add_middleware(SessionMiddleware, secret_key=SECRET, session_cookie="board", same_site="lax")
app.add_middleware(RealtimeMiddleware, rt=rt)  # last = outermost
