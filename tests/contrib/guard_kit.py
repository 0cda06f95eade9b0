"""A small app over SQLAlchemy whose documents several people save at the same time, sync and async, on two databases."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, scoped_session, sessionmaker
from starlette.datastructures import FormData

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import Fenced, Versioned, save, stale
from htmx_rt.frames import Cursor
from htmx_rt.guards import Saving
from htmx_rt.merge import flag, number, text, whole, words
from htmx_rt.testing import Browser, Page, running

from ..kit import SECRET

PAGE = """<form method="post">{{ rt.guard("doc", doc) }}</form>"""
OPEN: dict[str, str] = {"title": "Plan", "body": "one\ntwo\nthree\n", "tags": "a", "stock": "10"}


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    name: Mapped[str] = mapped_column(primary_key=True)


class Doc(Fenced, Base):
    __tablename__ = "doc"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    tags: Mapped[str] = mapped_column(default="")
    stock: Mapped[Decimal] = mapped_column(default=Decimal(0))
    price: Mapped[Decimal | None]
    done: Mapped[bool] = mapped_column(default=False)
    archived: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[list[Note]] = relationship()

    @property
    def summary(self) -> str:
        return ", ".join(note.text for note in self.notes)


class Note(Versioned, Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    doc_id: Mapped[int] = mapped_column(ForeignKey("doc.id"))
    text: Mapped[str]


class Log(Base):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[str]


async def form_of(request: Request) -> FormData:
    return await request.form()


Form = Annotated[FormData, Depends(form_of)]


class Databases(NamedTuple):
    """The same database for both kinds of sessions."""

    sync: str
    other: str  # for async engines


class Office:
    """The app. `meanwhile` holds what others do between the check of a save and its commit, once each."""

    def __init__(self, urls: Databases, kind: str, *, preset: Any = "merge", **options: Any) -> None:
        self.engine = create_engine(urls.sync, **options)
        self.sessions = sessionmaker(self.engine)
        self.async_engine = create_async_engine(urls.other, **options)
        self.async_sessions = async_sessionmaker(self.async_engine)
        self.kind = kind
        self.meanwhile: list[Callable[[], object]] = []
        self.saved: list[Saving] = []
        self.rt = Realtime(secret=SECRET, identify=lambda request: request.cookies.get("who"))
        self.docs = self.rt.guard(
            "doc:{id}",
            {"title": whole, "body": text, "tags": words, "stock": number, "price": number, "done": flag},
            preset=preset, fence="lock_fence" if preset in ("lock", "owner") else None, to="/docs",
        )  # fmt: skip
        self.templates = Environment(autoescape=True, loader=DictLoader({"doc.html": PAGE}))
        self.rt.install(self.templates)
        self.app = RealtimeMiddleware(self._routes(), rt=self.rt)

    def _routes(self) -> FastAPI:
        app, docs = FastAPI(), self.docs

        @app.get("/docs/{id}")
        def show(id: int) -> HTMLResponse:
            with self.sessions() as db:
                return HTMLResponse(self.templates.get_template("doc.html").render(doc=db.get(Doc, id)))

        @app.post("/sync/{id}")
        @docs.answers
        def save_sync(id: int, form: Form) -> HTMLResponse:
            with self.sessions() as db:
                return self.shown(
                    save(
                        db,
                        docs,
                        Doc,
                        id,
                        form,
                        fill=self.fill if self.meanwhile else None,
                        where=[Doc.archived.is_(False)],
                    )
                )

        @app.post("/async/{id}")
        @docs.answers
        async def save_async(id: int, form: Form) -> HTMLResponse:
            async with self.async_sessions() as db:
                ada = await db.get_one(Person, "Ada")
                saving = await save(
                    db, docs, Doc, id, form, fill=self.fill if self.meanwhile else None, where=[Doc.archived.is_(False)]
                )
                return self.shown(saving, by=ada.name)

        @app.post("/scoped/sync/{id}")
        @docs.answers
        def save_scoped(id: int, form: Form) -> HTMLResponse:
            registry = scoped_session(self.sessions)
            try:
                return self.shown(save(registry, docs, Doc, id, form))
            finally:
                registry.remove()

        @app.post("/scoped/async/{id}")
        @docs.answers
        async def save_async_scoped(id: int, form: Form) -> HTMLResponse:
            registry = async_scoped_session(self.async_sessions, asyncio.current_task)
            try:
                return self.shown(await save(registry, docs, Doc, id, form))
            finally:
                await registry.remove()

        @app.post("/stale/sync/{id}")
        @docs.answers
        def stale_sync(id: int, form: Form) -> HTMLResponse:
            with self.sessions() as db:
                doc = db.get_one(Doc, id)
                saving = docs.check(doc, form).result()
                saving.apply(doc, {"stock": Decimal})
                saving.done(doc, after=db)
                self.others()
                with stale(docs, db, doc, form):
                    db.commit()
                return self.shown(saving)

        @app.post("/stale/async/{id}")
        @docs.answers
        async def stale_async(id: int, form: Form) -> HTMLResponse:
            async with self.async_sessions() as db:
                doc = await db.get_one(Doc, id)
                saving = await docs.check(doc, form)
                saving.apply(doc, {"stock": Decimal})
                saving.done(doc, after=db)
                self.others()
                async with stale(docs, db, doc, form):
                    await db.commit()
                await db.refresh(doc)
                return self.shown(saving)

        return app

    def shown(self, saving: Saving, by: str = "Ada") -> HTMLResponse:
        self.saved.append(saving)
        return HTMLResponse(f"{by}: {saving.row.title} {saving.row.lock_version}")

    def others(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def fill(self, row: Any, saving: Saving) -> None:
        saving.apply(row, {"stock": Decimal, "price": lambda value: Decimal(value) if value else None, "done": bool})
        self.others()

    # What others do, past the kit

    def change(self, **values: Any) -> Callable[[], None]:
        """Return what changes document 7 in a transaction of its own, as another worker would."""

        def change() -> None:
            with self.sessions.begin() as db:
                doc = db.get_one(Doc, 7)
                for name, value in values.items():
                    setattr(doc, name, value)

        return change

    def delete(self) -> None:
        with self.sessions.begin() as db:
            db.delete(db.get_one(Doc, 7))

    def row(self) -> Doc:
        with self.sessions() as db:
            return db.get_one(Doc, 7)

    # The door

    async def post(self, browser: Browser, page: Page, *, path: str = "", **changes: str) -> Page:
        """Send the form of a page with some fields changed; as htmx does."""
        form = OPEN | hidden(page) | changes
        return await browser.post(f"/{path}{self.kind}/7", form, page=page, headers={"hx-request": "true"})

    def told(self) -> list[dict[str, Any]]:
        """Return what open forms were told."""
        log = self.rt.bus.log  # type: ignore[attr-defined]
        frames = [entry.frame.decode() for entry in log.after(Cursor(log.position.epoch, 0)) or []]
        calls = [json.loads(re.search(r"data: (.*)", frame)[1]) for frame in frames]  # type: ignore[index]
        return [call["args"] for call in calls if call.get("name") == "saved"]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Browser, Page]]:
        """Start it, with Ada on the page of document 7."""
        Base.metadata.drop_all(self.engine)
        Base.metadata.create_all(self.engine)
        with self.sessions.begin() as db:
            db.add(Person(name="Ada"))
            db.add(Doc(id=7, title=OPEN["title"], body=OPEN["body"], tags=OPEN["tags"], stock=Decimal(10)))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.async_engine.dispose)
            stack.callback(self.engine.dispose)
            await stack.enter_async_context(running(self.app))
            browser = await stack.enter_async_context(Browser(self.app))
            browser.cookies["who"] = "ada"
            yield browser, await browser.get("/docs/7")


def hidden(page: Page) -> dict[str, str]:
    """Return the hidden fields of a form."""
    return {str(one["name"]): str(one.get("value", "")) for one in page.select("input[type=hidden]")}


@contextmanager
def memory_session() -> Any:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()
