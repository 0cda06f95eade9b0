"""The shop's documents: what happens when two people have the same one open.

What keeps them from overwriting each other is `guards` below, `rt.guard(…)` in the form, `save` with its guard, and
`gone`. The rest is a list, a page to read and a form, as in any app.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn, get_args

from database import session
from document import FIELDS, KINDS, LABELS, PARSE, WAYS, Document, Wrong, blank, problems, sign
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sign_in import Me
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import save
from htmx_rt.guards import Saving

SHOWN = 30  # documents whose readers the list shows; a page may follow 64 topics

Preset = Literal["detect", "merge", "live", "lock", "owner"]
Db = Annotated[AsyncSession, Depends(session)]
Id = Annotated[int, InPath(ge=1, lt=2**63)]


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter(prefix="/documents")

    # A real app has one of these, with one preset.
    guards = {
        preset: rt.guard(
            "doc:{id}", FIELDS, preset=preset, name=preset, fence="lock_fence", labels=LABELS, to="/documents", create="/documents"
        )
        for preset in get_args(Preset)
    }  # fmt: skip
    docs = guards["merge"]

    def draw(request: Request, name: str, status: int = 200, **values: Any) -> Response:
        context = {"ways": WAYS, "kinds": KINDS} | values
        return templates.TemplateResponse(request, name, context, status_code=status)

    @router.get("")
    async def drawer(request: Request, db: Db, me: Me) -> Response:
        found = (await db.scalars(select(Document).order_by(Document.title, Document.id))).all()
        context = {
            "documents": [one for one in found if not one.archived],
            "archived": [one for one in found if one.archived],
            "shown": SHOWN,
        }
        return draw(request, "document_list.html" if rt.is_htmx(request) else "documents.html", **context)

    @router.get("/new")
    async def new(request: Request, me: Me) -> Response:
        return draw(request, "document_new.html", values=blank(), bad={}, document=None)

    @router.post("")
    async def create(request: Request, db: Db, me: Me) -> Response:
        """Make a new one; also of what somebody typed into one that was deleted meanwhile."""
        form = await request.form()
        values = docs.values({name: form.get(name) for name in FIELDS})
        if bad := problems(values):
            response = draw(request, "document_new.html", 422, values=values, bad=bad, document=None)
            response.headers["RT-Problem"] = "validation"
            return response
        document = Document()
        for name, value in values.items():
            setattr(document, name, PARSE.get(name, str)(value))
        sign(document, me.first)
        db.add(document)
        await db.flush()
        rt.changed("document", document.id, "created", after=db)
        await db.commit()
        return RedirectResponse(f"/documents/{document.id}", 303)

    @router.get("/{id}")
    async def read(request: Request, db: Db, me: Me, id: Id) -> Response:
        document = await db.get(Document, id)
        if rt.is_htmx(request):  # the part of the page that follows the document
            return draw(request, "document_text.html", document=document, id=id)
        return draw(request, "document.html", document=document or missing(), id=id, preset="")

    @router.get("/{id}/head")
    async def head(request: Request, db: Db, me: Me, id: Id) -> Response:
        return draw(request, "document_head.html", document=await db.get(Document, id), id=id)

    @router.post("/{id}/archive")
    async def archive(request: Request, db: Db, me: Me, id: Id) -> Response:
        document = await put_away(db, id, me.first, archived=True)
        docs.gone(document, "archived", after=db)
        return await leave(request, db, document, "updated", f"“{document.title}” is in the archive.")

    @router.post("/{id}/restore")
    async def restore(request: Request, db: Db, me: Me, id: Id) -> Response:
        document = await put_away(db, id, me.first, archived=False)
        return await leave(request, db, document, "updated", f"“{document.title}” is back.", f"/documents/{id}")

    @router.post("/{id}/delete")
    async def throw_away(request: Request, db: Db, me: Me, id: Id) -> Response:
        removed = await db.scalars(delete(Document).where(Document.id == id).returning(Document))
        document = removed.one_or_none() or missing()
        docs.gone(document, "deleted", after=db)
        return await leave(request, db, document, "deleted", f"“{document.title}” is deleted.")

    @router.get("/{id}/{preset}")
    async def edit(request: Request, db: Db, me: Me, id: Id, preset: Preset) -> Response:
        document = await db.get(Document, id) or missing()
        if document.archived:
            return RedirectResponse(f"/documents/{id}", 303)
        return form(request, preset, document, guards[preset].values(document))

    @router.post("/{id}/{preset}")
    @docs.answers
    async def change(request: Request, db: Db, me: Me, id: Id, preset: Preset) -> Response:
        guard, sent = guards[preset], await request.form()

        def fill(document: Document, saving: Saving) -> None:
            if bad := problems(saving.values):
                raise Wrong(document, saving.values, bad)
            saving.apply(document, PARSE)
            sign(document, me.first)
            rt.changed("document", id, after=db)

        try:  # read, compare, write and commit; again where somebody was faster
            saving = await save(db, guard, Document, id, sent, fill=fill, where=[Document.archived.is_(False)])
        except Wrong as wrong:
            return form(request, preset, wrong.document, wrong.values, wrong.bad)
        if rt.is_htmx(request):
            return form(request, preset, saving.row, guard.values(saving.row), saved=True)
        rt.toast("Saved.", level="success")
        return RedirectResponse(f"/documents/{id}/{preset}", 303)

    def form(
        request: Request,
        preset: Preset,
        document: Document,
        values: Mapping[str, Any],
        bad: Mapping[str, str] | None = None,
        *,
        saved: bool = False,
    ) -> Response:
        """The form alone for htmx, else the page around it; with what was typed where something is wrong with that."""
        name = "document_form.html" if rt.is_htmx(request) else "document_edit.html"
        status = 422 if bad else 200
        context = {"document": document, "id": document.id, "values": values, "bad": bad or {}, "saved": saved}
        response = draw(request, name, status, preset=preset, **context)
        if bad:
            response.headers["RT-Problem"] = "validation"
        return response

    async def leave(
        request: Request, db: AsyncSession, document: Document, action: Any, said: str, to: str = "/documents"
    ) -> Response:
        rt.changed("document", document.id, action, after=db)
        await db.commit()
        rt.toast(said)
        if rt.is_htmx(request):
            return Response(status_code=204, headers={"HX-Redirect": to})
        return RedirectResponse(to, 303)

    return router


async def put_away(db: AsyncSession, id: int, by: str, *, archived: bool) -> Document:
    """Archive a document or bring it back; a new version of it, as those who have it open must not save it."""
    values = {
        "archived": archived,
        "saved_by": by,
        "saved_at": datetime.now(),
        "lock_version": Document.lock_version + 1,
    }
    changed = update(Document).where(Document.id == id, Document.archived.is_not(archived)).values(values)
    return (await db.scalars(changed.returning(Document))).one_or_none() or missing()


def missing() -> NoReturn:
    raise HTTPException(404)
