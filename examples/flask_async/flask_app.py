"""The board of examples/fastapi on plain Flask: the same models, forms, people and templates.

Flask answers short requests in threads; streams never get there, they end in the middleware around it.
`diff quart_app.py flask_app.py` shows what goes without async.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import demo
import flask
import flask_documents
from a2wsgi import WSGIMiddleware
from flask import Flask, Response, abort, redirect, render_template, request
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
    start,
    totals,
)
from people import PEOPLE, Person, SignedOut, identify, somebody
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from starlette.middleware.sessions import SessionMiddleware
from werkzeug.exceptions import HTTPException

from htmx_rt import Realtime, RealtimeMiddleware, User
from htmx_rt.undo import Deferred

BOARD = Path(__file__).parents[1] / "fastapi"
SECRET = os.environ["BOARD_SECRET"]  # run.py makes one for you
TOPIC = "board:1"
IN_PANEL = {"HX-Retarget": "#panel", "HX-Reswap": "outerHTML"}
PAGES = {"/": "Board", "/documents/1/merge": "Documents"}
POLICY = f"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; {demo.FRAMES}"
ID = f"<int(min=1, max={2**63 - 1}):id>"

engine = create_engine(f"sqlite:///{PATH}")
new_session = sessionmaker(engine, expire_on_commit=False)
with new_session() as opening:
    start(opening)

Answer = Any  # what Flask makes a response of


class Request(flask.Request):
    """Flask's own, with the session of Starlette's middleware: one sign-in counts on all three frameworks."""

    @property
    def scope(self) -> Any:
        return self.environ["asgi.scope"]

    @property
    def session(self) -> dict[str, Any]:
        return self.scope["session"]


app = Flask(__name__, template_folder=str(BOARD / "templates"), static_folder=str(BOARD / "static"))
app.request_class = Request
app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
app.context_processor(lambda: demo.context(request))

rt = Realtime(
    secret=SECRET,
    identify=identify,
    name="board",
    bus=os.environ.get("RT_BUS") or "memory://",
    store=os.environ.get("RT_STORE") or f"sqlite:///{PATH.with_name('rt.db')}",  # what was done, what can be undone
)
app.jinja_env.globals |= {"PRIORITIES": PRIORITIES, "PEOPLE": PEOPLE, "PAGES": PAGES}
rt.install(app.jinja_env)


@rt.authorize("board:{id}")
@rt.authorize("task:{id}")  # who has it open
@rt.authorize("doc:{id}")  # who has it open, and what happens to it there
def may_read(user: User | None, id: str) -> bool:
    return user is not None


def signed_in(view: Callable[..., Answer]) -> Callable[..., Answer]:
    """Hand a view what FastAPI hands its own: a session of the database, and who is signed in."""

    @wraps(view)
    def wrapped(**values: Any) -> Answer:
        me = somebody(request)
        with new_session() as db:
            return view(db, me, **values)

    return wrapped


def sent() -> TaskForm:
    if request.files:  # in place of a title
        abort(400)
    form = request.form
    return TaskForm(form.get("title", ""), form.get("priority", ""), form.get("due", ""))


def page(db: Session, form: TaskForm, task: Task | None = None) -> str:
    """The whole board, with a task or a new one in the panel beside it."""
    me = somebody(request)
    leaving, mine = rt.undo.pending("delete-task").result(), rt.undo.hidden("delete-task").result()
    context = {
        "tasks": [one for one in all_tasks(db) if str(one.id) not in mine],
        "leaving": leaving,
        "mine": mine,
        "blank": blank(me.first),
        "totals": totals(db, [int(id) for id in leaving]),
        "invoices": all_invoices(db),
        "form": form,
        "task": task,
        "topic": TOPIC,
        "own": rt.user(me.id).name,
    }
    return render_template("board.html", **context)


def panel(db: Session, form: TaskForm, task: Task | None = None, note: str = "") -> str:
    """The panel alone for htmx, else the page around it."""
    if not rt.is_htmx(request):
        return page(db, form, task)
    return render_template("task_form.html", form=form, task=task, note=note)


def refuse(
    db: Session, form: TaskForm, task: Task | None = None, status: int = 422, problem: str = "validation"
) -> Answer:
    """The form comes back as it was typed, with its reasons, into the panel: also what was typed in a row."""
    return panel(db, form, task), status, {"RT-Problem": problem} | IN_PANEL


def publish(db: Session, task: Task, said: str = "", *, gone: bool = False) -> dict[str, Any]:
    """Commit, send everybody the row and the totals, and return both.

    The totals are counted before the commit, inside the transaction of the change: so their revision (their
    rt-version) grows with each commit, and what is published late cannot put old numbers on a screen.
    """
    leaving = rt.undo.pending("delete-task").result()
    deferred = leaving.get(str(task.id))
    row = rt.render("task.html", task=task, by=deferred and deferred.args["by"])
    summary = rt.render("totals.html", totals=totals(db, [int(id) for id in leaving]))
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
    db.commit()
    return {"row": row, "summary": summary}


def show(db: Session, task: Task, said: str = "", **context: Any) -> Answer:
    """Answer the one who changed something with the HTML that everybody is sent."""
    context |= {"task": None} | publish(db, task, said)
    if not rt.is_htmx(request):
        return redirect("/", 303)
    return render_template("changed.html", **context)


@app.get("/")
@app.get("/tasks")  # where a refused form leaves the address bar without JavaScript
@signed_in
def board(db: Session, me: Person) -> Answer:
    return page(db, TaskForm.of(None))


@app.get("/tasks/new")
@signed_in
def new(db: Session, me: Person) -> Answer:
    return panel(db, TaskForm.of(None), note="Nothing was changed.")  # where Cancel leads


@app.post("/tasks")
@signed_in
def add(db: Session, me: Person) -> Answer:
    form = sent()
    if not form.check():
        return refuse(db, form)
    task = create(db, author=me.first, **form.values)
    return show(db, task, f"{me.first} added “{task.title}”", form=TaskForm.of(None))


@app.get(f"/tasks/{ID}")
@signed_in
def edit(db: Session, me: Person, id: int) -> Answer:
    task = db.get(Task, id) or missing()
    return panel(db, TaskForm.of(task), task)


@app.post(f"/tasks/{ID}")
@signed_in
def save(db: Session, me: Person, id: int) -> Answer:
    form = sent()
    if not form.check():
        return refuse(db, form, db.get(Task, id))
    task = change(db, id, **form.values)
    if task is None:
        form.errors["task"] = "Somebody deleted this task in the meantime. You can add it again as a new one."
        return refuse(db, form, None, 410, "gone")
    return show(db, task, form=TaskForm.of(None))


# What sets a value may run twice when nobody knows whether it has run: `repeatable`. What adds or counts may not.


@app.post(f"/tasks/{ID}/title")
@rt.repeatable
@signed_in
def rename(db: Session, me: Person, id: int) -> Answer:
    task = db.get(Task, id) or missing()
    form = TaskForm.renamed(task, request.form.get("title", ""))
    if not form.check():
        return refuse(db, form, task)
    task = change(db, id, title=form.title) or missing()
    return show(db, task)


@app.post(f"/tasks/{ID}/done")
@rt.repeatable
@signed_in
def tick(db: Session, me: Person, id: int) -> Answer:
    # The wanted state is sent, not "the other one": two people ticking at once both get what they meant.
    done = request.form.get("done")
    if done not in ("true", "false"):
        abort(400)
    task = change(db, id, done=done == "true") or missing()
    return show(db, task)


@app.post(f"/tasks/{ID}/move")
@signed_in
def place(db: Session, me: Person, id: int) -> Answer:
    where = destination(request.form) or abort(400)
    task = move(db, id, **where) or missing()
    return show(db, task)


@app.post(f"/tasks/{ID}/vote")
@signed_in
def vote(db: Session, me: Person, id: int) -> Answer:
    task = change(db, id, votes=Task.votes + 1) or missing()  # the database adds: two at once are two
    return show(db, task)


@app.post(f"/tasks/{ID}/delete")
@signed_in
def remove(db: Session, me: Person, id: int) -> Answer:
    """Put the deletion off: for five seconds it can be undone, and the others see it coming."""
    task = db.get(Task, id) or missing()
    rt.undo.defer("delete-task", {"id": id, "by": me.first}, text=f"“{task.title}” is deleted.").result()
    task = change(db, id) or missing()
    opened = "opened" in request.form
    context = {"note": f"“{task.title}” is deleted.", "form": TaskForm.of(None)} if opened else {}
    return show(db, task, f"{me.first} is deleting “{task.title}”", gone=id, **context)


@rt.undo.handler("delete-task", transactional=True)
def delete_now(undo: Deferred, id: int, by: str) -> None:
    with new_session() as db:
        # Whichever worker gets here, and however often: the mark is written together with the deletion.
        if rt.undo.claim(db, undo.id) and (task := delete(db, id)):
            publish(db, task, gone=True)


@rt.undo.restore("delete-task")
def bring_back(undo: Deferred, id: int, by: str) -> None:
    with new_session() as db:
        if task := change(db, id):
            publish(db, task)


@app.post(f"/invoices/{ID}/send")
@rt.irreversible("/invoices/{id}/send")
@signed_in
def send_invoice(db: Session, me: Person, id: int) -> Answer:
    invoice = send(db, id, by=me.first)
    if invoice is None:
        db.get(Invoice, id) or missing()
        abort(409)  # somebody else was faster
    row = rt.render("invoice.html", invoice=invoice)
    rt.topic(TOPIC).replace(f"#invoice-{id}", row, after=db)
    rt.topic(TOPIC).toast(f"{me.first} sent invoice {invoice.number}", after=db)
    db.commit()  # and here a real app hands it to its mailer
    return row if rt.is_htmx(request) else redirect("/", 303)


def missing() -> NoReturn:
    abort(404)


@app.errorhandler(SignedOut)
def ask_to_sign_in(error: Exception) -> Answer:
    if rt.is_htmx(request):
        return "", 401, {"HX-Redirect": "/sign-in", "RT-Problem": "signed-out"}
    return redirect("/sign-in", 303)


@app.errorhandler(HTTPException)
def explain(error: HTTPException) -> Answer:
    status = error.code or 500
    if rt.is_htmx(request):
        problem, words = PROBLEMS.get(status, PROBLEMS[400])
        rt.toast(words, level="warning")
        return "", status, {"HX-Reswap": "none", "RT-Problem": problem}
    return render_template("not_found.html", status=status), status, error.get_headers()


@app.get("/sign-in")
def choose() -> Answer:
    return render_template("sign_in.html")


@app.post("/sign-in")
def sign_in() -> Answer:
    person = request.form.get("person")
    if person not in PEOPLE:
        return render_template("sign_in.html", refused=True), 422
    request.session["person"] = person
    return redirect("/", 303)


@app.post("/sign-out")
def sign_out() -> Answer:
    request.session.clear()
    rt.sign_out()  # ends the streams of this browser's other tabs
    return redirect("/sign-in", 303)


@app.after_request
def strict(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response


app.register_blueprint(flask_documents.routes(rt, signed_in))

asgi: Any = WSGIMiddleware(app, workers=20)
asgi = demo.Strip(asgi, env=app.jinja_env)  # to copy the board, leave out every line with "demo" in it
asgi = SessionMiddleware(asgi, secret_key=SECRET, session_cookie="board", same_site="lax")
asgi = RealtimeMiddleware(asgi, rt=rt)  # last = outermost
