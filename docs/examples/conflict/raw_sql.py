"""Guards over plain SQL, with a lock whose fence is compared in the UPDATE. Used by docs/howto/conflicts.md and locks.md."""

import os
import sqlite3
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.datastructures import FormData

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import Conflict
from htmx_rt.merge import text, whole, words

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),  # where locks are kept
    identify=lambda request: request.cookies.get("person"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()

docs = rt.guard("doc:{id}", {"title": whole, "body": text, "tags": words}, preset="lock", fence="fence", to="/")


@contextmanager
def database():
    db = sqlite3.connect(os.environ.get("DATABASE", "docs.db"), isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        yield db
    finally:
        db.close()


with database() as db:
    db.execute("""CREATE TABLE IF NOT EXISTS docs (
        id INTEGER PRIMARY KEY, title TEXT, body TEXT, tags TEXT, lock_version INTEGER DEFAULT 1, fence INTEGER DEFAULT 0)""")
    db.execute("INSERT OR IGNORE INTO docs (id, title, body, tags) VALUES (7, 'Plan', 'One.\nTwo.\nThree.\n', 'draft')")

SELECT = "SELECT * FROM docs WHERE id = :id"
UPDATE = """
    UPDATE docs SET title = :title, body = :body, tags = :tags, lock_version = lock_version + 1, fence = :fence
    WHERE id = :id AND lock_version = :version AND fence <= :fence
    RETURNING *"""


@app.exception_handler(Conflict)  # in place of @docs.answers, for all endpoints and what they depend on
async def answer(request: Request, conflict: Conflict):
    return conflict.response()


async def form_of(request: Request):
    return await request.form()


Form = Annotated[FormData, Depends(form_of)]


@app.post("/docs/{id}")
def save(request: Request, id: int, form: Form):
    with database() as db:
        while True:
            doc = db.execute(SELECT, {"id": id}).fetchone()
            saving = docs.check(doc, form).result()
            fence = saving.fence or doc["fence"]  # None: nobody holds it
            saved = db.execute(
                UPDATE, {**saving.values, "id": id, "version": saving.version, "fence": fence}
            ).fetchone()
            if saved is not None:
                break  # else somebody was faster, and it is looked at again
    saving.done(saved)
    if rt.is_htmx(request):
        return templates.TemplateResponse(request, "doc_form.html", {"doc": saved, "lock": True})
    return RedirectResponse(f"/docs/{id}", 303)


@app.get("/docs/{id}")
def edit(request: Request, id: int):
    with database() as db:
        doc = db.execute(SELECT, {"id": id}).fetchone()
    return templates.TemplateResponse(request, "doc.html", {"doc": doc, "lock": True})


app.add_middleware(RealtimeMiddleware, rt=rt)
