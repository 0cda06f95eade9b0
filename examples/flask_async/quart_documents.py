"""One document on Quart: the record, the form and the pages of examples/fastapi, merged or locked.

The same as flask_documents.py, with async.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

from document import FIELDS, KINDS, LABELS, PARSE, WAYS, Document, Wrong, problems, sign
from people import Person
from quart import Blueprint, Response, abort, redirect, render_template, request
from sqlalchemy.ext.asyncio import AsyncSession

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import save
from htmx_rt.guards import Saving

Preset = Literal["merge", "lock"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
PATH: Final = f"/documents/<int(min=1, max={2**63 - 1}):id>"
WAY: Final = f"{PATH}/<any({', '.join(PRESETS)}):preset>"

Answer = Any  # what Quart makes a response of


def routes(rt: Realtime, signed_in: Callable[..., Any]) -> Blueprint:
    pages = Blueprint("documents", __name__)

    # A real app has one of these, with one preset.
    guards = {
        preset: rt.guard("doc:{id}", FIELDS, preset=preset, name=preset, fence="lock_fence", labels=LABELS)
        for preset in PRESETS
    }
    docs = guards["merge"]

    @pages.get(f"{PATH}/head")
    @signed_in
    async def head(db: AsyncSession, me: Person, id: int) -> Answer:
        return await render_template("document_head.html", document=await db.get(Document, id), id=id)

    @pages.get(WAY)
    @signed_in
    async def edit(db: AsyncSession, me: Person, id: int, preset: Preset) -> Answer:
        document = await db.get(Document, id)
        if document is None or document.archived:
            abort(404)
        return await form(preset, document, guards[preset].values(document))

    @pages.post(WAY)
    @signed_in
    @docs.answers(Response)
    async def change(db: AsyncSession, me: Person, id: int, preset: Preset) -> Answer:
        guard, sent = guards[preset], await request.form

        def fill(document: Document, saving: Saving) -> None:
            if bad := problems(saving.values):
                raise Wrong(document, saving.values, bad)
            saving.apply(document, PARSE)
            sign(document, me.first)
            rt.changed("document", id, after=db)

        try:  # read, compare, write and commit; again where somebody was faster
            saving = await save(db, guard, Document, id, sent, fill=fill, where=[Document.archived.is_(False)])
        except Wrong as wrong:
            html = await form(preset, wrong.document, wrong.values, wrong.bad)
            return html, 422, {"RT-Problem": "validation"}
        if rt.is_htmx(request):
            return await form(preset, saving.row, guard.values(saving.row), saved=True)
        rt.toast("Saved.", level="success")
        return redirect(request.path, 303)

    async def form(preset: Preset, document: Document, values: Any, bad: Any = None, *, saved: bool = False) -> str:
        """The form alone for htmx, else the page around it."""
        context = {"document": document, "id": document.id, "values": values, "bad": bad or {}, "saved": saved}
        context |= {"preset": preset, "ways": {name: WAYS[name] for name in PRESETS}, "kinds": KINDS}
        return await render_template("document_form.html" if rt.is_htmx(request) else "document_edit.html", **context)

    return pages
