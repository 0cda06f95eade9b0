"""A wall of sticky notes: everybody sees each other's pointer, and each note where it is put.

The wall is a grid, so that places need neither scripts nor inline styles: a note says its column and row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from database import session
from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from models import Base
from sign_in import Me
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from htmx_rt import Realtime

TOPIC = "whiteboard"
COLUMNS, ROWS = 6, 4
WAYS = {"left": (-1, 0), "up": (0, -1), "down": (0, 1), "right": (1, 0)}

Db = Annotated[AsyncSession, Depends(session)]
Id = Annotated[int, InPath(ge=1, lt=2**63)]


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    column: Mapped[int]
    row: Mapped[int]
    author: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter(prefix="/whiteboard")

    def answer(request: Request, html: str) -> Response:
        return HTMLResponse(html) if rt.is_htmx(request) else RedirectResponse("/whiteboard", 303)

    @router.get("")
    async def wall(request: Request, db: Db, me: Me) -> Response:
        notes = (await db.scalars(select(Note).order_by(Note.row, Note.column, Note.id))).all()
        context = {"notes": notes, "topic": TOPIC, "ways": WAYS}
        return templates.TemplateResponse(request, "whiteboard.html", context)

    @router.post("/notes")
    async def add(
        request: Request, db: Db, me: Me, text: Annotated[str, Form(min_length=1, max_length=140)]
    ) -> Response:
        taken = {(note.column, note.row) for note in await db.scalars(select(Note))}
        cells = [(column, row) for row in range(1, ROWS + 1) for column in range(1, COLUMNS + 1)]
        column, row = next((cell for cell in cells if cell not in taken), cells[-1])
        note = Note(text=text.strip(), column=column, row=row, author=me.first)
        db.add(note)
        await db.flush()
        html = rt.render("note.html", note=note, ways=WAYS)
        rt.topic(TOPIC).append("#wall", html, after=db)
        await db.commit()
        return answer(request, html + rt.render("note_field.html", again=True))  # and an empty field

    @router.post("/notes/{id}/move")
    async def move(request: Request, db: Db, me: Me, id: Id, to: Annotated[str, Form()]) -> Response:
        if to not in WAYS:
            raise HTTPException(400)
        across, down = WAYS[to]
        return await put(request, db, id, lambda note: (note.column + across, note.row + down))

    @router.post("/notes/{id}/place")
    async def place(
        request: Request, db: Db, me: Me, id: Id, column: Annotated[int, Form()], row: Annotated[int, Form()]
    ) -> Response:
        return await put(request, db, id, lambda note: (column, row))

    async def put(request: Request, db: AsyncSession, id: int, where: Callable[[Note], tuple[int, int]]) -> Response:
        """Put a note elsewhere; who is there already changes places with it."""
        # Writing comes first: of two people who move at once, the second reads what the first has done.
        changed = update(Note).where(Note.id == id).values(version=Note.version + 1)
        note = (await db.scalars(changed.returning(Note))).one_or_none()
        if note is None:
            raise HTTPException(404)
        before, (column, row) = (note.column, note.row), where(note)
        note.column, note.row = min(max(column, 1), COLUMNS), min(max(row, 1), ROWS)
        here = select(Note).where(Note.column == note.column, Note.row == note.row, Note.id != id)
        with db.no_autoflush:
            others = (await db.scalars(here)).all() if (note.column, note.row) != before else []
        for other in others:
            other.column, other.row = before
            other.version += 1
        await db.flush()
        with rt.topic(TOPIC).batch(after=db) as everybody:
            for one in (note, *others):
                everybody.replace(f"#note-{one.id}", rt.render("note.html", note=one, ways=WAYS))
        html = rt.render("note.html", note=note, ways=WAYS)
        await db.commit()
        return answer(request, html)

    return router
