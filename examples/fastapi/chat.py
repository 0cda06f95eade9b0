"""A chat of two rooms: messages that are there at once, files, who is typing, what one has not read yet."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, NoReturn

import messages
from database import Session, session
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from messages import FILES, LONGEST, ROOMS, Attachment, Message, cleaned, mentioned
from people import PEOPLE, Person
from sign_in import Me
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import after
from htmx_rt.exceptions import BadCursor, BadUpload, StoreUnavailable
from htmx_rt.paging import keyset

PAGE = 15  # messages
LONG_AGO = 100
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # shown in the chat; anything else is a download
ACCEPTED = "image/*,.pdf,.csv,.txt"

Db = Annotated[AsyncSession, Depends(session)]


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter(prefix="/chat")

    def topic(room: str) -> str:
        return f"chat:{room}"

    @router.get("")
    async def first(request: Request, me: Me) -> Response:
        return RedirectResponse(f"/chat/{next(iter(ROOMS))}", 303)

    @router.get("/{room}")
    async def look(
        request: Request, db: Db, me: Me, room: str, before: str = "", at: Annotated[int, Query(ge=0, lt=2**63)] = 0
    ) -> Response:
        """A room, down from the message `at` if that is not too long ago; or the messages above those shown already."""
        found = ROOMS.get(room) or missing()
        older = await earlier(db, room, before, at)
        context = {
            "room": room, "topic": topic(room), "messages": older.items[::-1], "pictures": PICTURES,
            "more": f"/chat/{room}?before={older.next}" if older.next else None,
        }  # fmt: skip
        if rt.is_htmx(request):
            return templates.TemplateResponse(request, "chat_earlier.html", context)
        if not before:
            await read_all(db, room, me)
            request.state.unread = await messages.unread(db, me.id)  # less than a moment ago
        context |= {
            "rooms": ROOMS, "name": found[0], "about": found[1], "own": rt.user(me.id).name, "accept": ACCEPTED,
            "longest": LONGEST, "earlier": bool(before), "me": me,
        }  # fmt: skip
        return templates.TemplateResponse(request, "chat.html", context)

    @router.post("/{room}")
    async def say(request: Request, db: Db, me: Me, room: str) -> Response:
        name, _ = ROOMS.get(room) or missing()
        try:
            async with request.form() as form:
                text = cleaned(form.get("text"))
                if len(text) > LONGEST:
                    raise HTTPException(422)
                files = [await keep(db, room, one) for one in await rt.uploads.consume(form, "files")]
        except BadUpload as error:  # says which file, and why
            if not rt.is_htmx(request):
                raise HTTPException(error.status) from error
            return PlainTextResponse(str(error), error.status, {"RT-Problem": "validation"})
        if not (text or files):
            raise HTTPException(422)
        message = Message(room=room, person=me.id, text=text, at=datetime.now(), files=files)
        db.add(message)
        await db.flush()
        row = rt.render("message.html", message=message, pictures=PICTURES)
        rt.topic(topic(room)).append("#messages", row, after=db)
        # Whoever has the room in front of them has read it.
        here = [one.user for one in rt.presence.list(topic(room)) if one.user and one.state == "active"]
        await messages.read(db, room, *{me.id, *here}, last=message.id)
        await count(db, *PEOPLE)
        await db.commit()
        for person in mentioned(text):
            if person.id != me.id:
                words = f"{me.first} mentioned you in {name}: “{shortened(text)}”"
                with suppress(StoreUnavailable):  # what was said has been said
                    await rt.notifications.send(
                        person.id, words, href=f"/chat/{room}?at={message.id}#message-{message.id}"
                    )
        return HTMLResponse(row) if rt.is_htmx(request) else RedirectResponse(f"/chat/{room}", 303)

    @router.post("/{room}/read")
    @rt.repeatable
    async def mark(request: Request, db: Db, me: Me, room: str) -> Response:
        if room not in ROOMS:
            missing()
        await read_all(db, room, me)
        return Response(status_code=204)

    @router.get("/{room}/files/{id}")
    async def file(request: Request, db: Db, me: Me, room: str, id: str) -> Response:
        found = await db.get(Attachment, id) or missing()
        if found.room != room or not found.path.exists():
            missing()
        picture = found.type in PICTURES
        return FileResponse(
            found.path,
            media_type=found.type if picture else "application/octet-stream",
            filename=found.name,
            content_disposition_type="inline" if picture else "attachment",
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"},
        )

    async def earlier(db: AsyncSession, room: str, before: str, at: int) -> Any:
        """Return a page of messages, the newest first."""
        here, order, size = select(Message).where(Message.room == room), (Message.id.desc(),), PAGE
        if at:
            since = select(func.count()).select_from(Message).where(Message.room == room, Message.id >= at)
            size = min(max(PAGE, (await db.scalar(since) or 0) + 5), LONG_AGO)
        try:
            statement = after(here, order, before, size=size)
        except BadCursor:  # an address from elsewhere: the newest page
            statement = after(here, order, None, size=size)
        return keyset((await db.scalars(statement)).all(), size=size, key=lambda message: (message.id,))

    async def read_all(db: AsyncSession, room: str, me: Person) -> None:
        last = await db.scalar(select(func.max(Message.id)).where(Message.room == room)) or 0
        if (await messages.unread(db, me.id))[room]:
            await messages.read(db, room, me.id, last=last)
            await count(db, me.id)
            await db.commit()

    async def count(db: AsyncSession, *people: str) -> None:
        """Tell people how much they have not read, on all their pages."""
        for id in people:
            for room, number in (found := await messages.unread(db, id)).items():
                rt.user(id).badge(f"room-{room}", number, after=db)
            rt.user(id).badge("unread", sum(found.values()), after=db)

    return router


async def keep(db: AsyncSession, room: str, upload: Any) -> dict[str, Any]:
    """Keep a file of a message; return what the message says of it."""
    FILES.mkdir(exist_ok=True)
    found = Attachment(id=secrets.token_urlsafe(16), room=room, name=upload.name, type=upload.type)
    await upload.save(found.path)
    db.add(found)
    return {"name": upload.name, "type": upload.type, "size": upload.size, "kept": found.id}


async def remember(rt: Realtime, request: Request, person: Person) -> None:
    """Look up what somebody has not read, for the page that is asked for."""
    async with Session() as db:
        request.state.unread = await messages.unread(db, person.id)
    with suppress(StoreUnavailable):  # then the bell asks for them itself
        request.state.notes = await rt.notifications.list(person.id)


def context(request: Request) -> dict[str, Any]:
    """What every full page needs to say how much is unread."""
    return {"unread": getattr(request.state, "unread", {}), "bell": getattr(request.state, "notes", None)}


def shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else words[:79] + "…"


def missing() -> NoReturn:
    raise HTTPException(404)
