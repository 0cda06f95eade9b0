"""Documents that several people edit at the same time. Used by docs/howto/conflicts.md."""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import Versioned, save, stale
from htmx_rt.guards import Saving
from htmx_rt.merge import number, text, whole, words

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ.get('DATABASE', 'docs.db')}")
sessions = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Doc(Versioned, Base):  # adds lock_version, which each UPDATE compares and counts up
    __tablename__ = "docs"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    tags: Mapped[str]
    stock: Mapped[int]


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions.begin() as db:
        if await db.get(Doc, 7) is None:
            db.add(Doc(id=7, title="Plan", body="One.\nTwo.\nThree.\n", tags="draft", stock=10))
    yield
    await engine.dispose()


rt = Realtime(secret=os.environ["RT_SECRET"], identify=lambda request: request.cookies.get("person"))
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI(lifespan=lifespan)

docs = rt.guard(
    "doc:{id}",
    {"title": whole, "body": text, "tags": words, "stock": number},
    preset="live",
    to="/",  # the list, for who has a document open that is deleted
    create="/docs",  # where "Restore as new" sends what was typed
)


@app.get("/docs/{id}/edit")
async def edit(request: Request, id: int):
    return templates.TemplateResponse(request, "edit.html", {"doc": await find(id)})


@app.post("/docs/{id}/edit")
@docs.answers
async def update(request: Request, id: int):
    async with sessions() as db:
        saving = await save(db, docs, Doc, id, await request.form(), fill=fill)
    if rt.is_htmx(request):
        return templates.TemplateResponse(request, "form.html", {"doc": saving.row})
    return RedirectResponse(f"/docs/{id}", 303)


class Bad(ValueError):
    """What is wrong with a form, in words."""


def fill(doc: Doc, saving: Saving):
    if not saving["stock"].isdigit():
        raise Bad("Stock is a whole number.")
    saving.apply(doc)


@app.exception_handler(Bad)
async def refuse(request: Request, bad: Bad):
    return PlainTextResponse(str(bad), 422, {"RT-Problem": "validation"})


# What there is around it


@app.get("/")
async def index(request: Request):
    async with sessions() as db:
        found = await db.scalars(select(Doc).order_by(Doc.id))
        return templates.TemplateResponse(request, "index.html", {"found": found.all()})


@app.post("/docs")
async def create(request: Request):
    form = await request.form()
    async with sessions.begin() as db:
        db.add(Doc(title=form["title"], body=form["body"], tags=form["tags"], stock=int(form["stock"])))
    return RedirectResponse("/", 303)


@app.get("/docs/{id}")
async def read(request: Request, id: int):
    return templates.TemplateResponse(request, "read.html", {"doc": await find(id)})


@app.post("/docs/{id}/delete")
async def delete(request: Request, id: int):
    async with sessions() as db:
        doc = await db.get(Doc, id)
        if doc is not None:
            docs.gone(doc, after=db)
            await db.delete(doc)
            await db.commit()
    return RedirectResponse("/", 303)


async def find(id: int) -> Doc:
    async with sessions() as db:
        doc = await db.get(Doc, id)
    if doc is None:
        raise HTTPException(404)
    return doc


# For programs


@app.get("/api/docs/{id}")
async def show(id: int):
    doc = await find(id)
    return JSONResponse(docs.values(doc), headers={"ETag": docs.etag(doc)})


@app.put("/api/docs/{id}")
@docs.answers
async def put(request: Request, id: int):
    async with sessions() as db:
        saving = await save(db, docs, Doc, id, await request.json())
    return JSONResponse(saving.values, headers={"ETag": docs.etag(saving.row)})


# More than `save` can do


@app.post("/docs/{id}/copy")
@docs.answers
async def save_with_copy(request: Request, id: int):
    form = await request.form()
    async with sessions() as db:
        doc = await db.get(Doc, id)
        saving = await docs.check(doc, form)
        saving.apply(doc, {"stock": int})
        db.add(Doc(title=f"Copy of {doc.title}", body=doc.body, tags=doc.tags, stock=0))
        saving.done(doc, after=db)
        async with stale(docs, db, doc, form):
            await db.commit()
    return RedirectResponse("/", 303)


# A field at a time


@app.get("/docs/{id}/fields")
async def fields(request: Request, id: int):
    return templates.TemplateResponse(request, "fields.html", {"doc": await find(id)})


app.add_middleware(RealtimeMiddleware, rt=rt)
