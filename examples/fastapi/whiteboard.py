"""A wall of sticky notes: everybody sees each other's pointer, and each note where it is put.

The wall is a grid, so that places need neither scripts nor inline styles: a note says its column and row.
"""

from __future__ import annotations

from typing import Annotated

from database import session
from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from models import Base
from sign_in import Me
from sqlalchemy import ColumnElement, case, select, update
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
        # Counted by the database: two people who push at once both push.
        column = within(Note.column + across, COLUMNS)
        row = within(Note.row + down, ROWS)
        changed = update(Note).where(Note.id == id).values(column=column, row=row, version=Note.version + 1)
        note = (await db.scalars(changed.returning(Note))).one_or_none()
        if note is None:
            raise HTTPException(404)
        html = rt.render("note.html", note=note, ways=WAYS)
        rt.topic(TOPIC).replace(f"#note-{id}", html, after=db)
        await db.commit()
        return answer(request, html)

    return router


def within(value: ColumnElement[int], most: int) -> ColumnElement[int]:
    return case((value < 1, 1), (value > most, most), else_=value)
