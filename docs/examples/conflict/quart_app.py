"""A guarded form on Quart, with SQLAlchemy. Used by docs/howto/conflicts.md."""

import os

from quart import Quart, Response, redirect, render_template, request
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import Versioned, save
from htmx_rt.merge import text, whole, words

rt = Realtime(secret=os.environ["RT_SECRET"], identify=lambda request: request.cookies.get("person"))
quart = Quart(__name__)
rt.install(quart.jinja_env)
docs = rt.guard("doc:{id}", {"title": whole, "body": text, "tags": words}, preset="live", to="/")
engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ.get('DATABASE', 'docs.db')}")
sessions = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Doc(Versioned, Base):
    __tablename__ = "docs"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    tags: Mapped[str]


@quart.get("/docs/<int:id>")
async def edit(id: int):
    async with sessions() as db:
        return await render_template("doc.html", doc=await db.get(Doc, id))


@quart.post("/docs/<int:id>")
@docs.answers(Response)
async def update(id: int):
    async with sessions() as db:
        saving = await save(db, docs, Doc, id, await request.form)
    if rt.is_htmx(request):
        return await render_template("doc_form.html", doc=saving.row)
    return redirect(f"/docs/{id}", 303)


@quart.before_serving
async def start():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions.begin() as db:
        if await db.get(Doc, 7) is None:
            db.add(Doc(id=7, title="Plan", body="One.\nTwo.\nThree.\n", tags="draft"))


@quart.after_serving
async def stop():
    await engine.dispose()


app = RealtimeMiddleware(quart, rt=rt)
