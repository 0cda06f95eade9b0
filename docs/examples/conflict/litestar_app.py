"""A guarded form on Litestar, with SQLAlchemy. Used by docs/howto/conflicts.md."""

import os
from pathlib import Path

from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.template.config import TemplateConfig
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import Versioned, save
from htmx_rt.exceptions import Conflict
from htmx_rt.merge import text, whole, words

rt = Realtime(secret=os.environ["RT_SECRET"], identify=lambda request: request.cookies.get("person"))
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


@get("/docs/{id:int}")
async def edit(id: FromPath[int]) -> Template:
    async with sessions() as db:
        return Template("doc.html", context={"doc": await db.get(Doc, id)})


@post("/docs/{id:int}", status_code=200)
async def update(request: Request, id: FromPath[int]) -> Template | Redirect:
    async with sessions() as db:
        saving = await save(db, docs, Doc, id, await request.form())
    if rt.is_htmx(request):
        return Template("doc_form.html", context={"doc": saving.row})
    return Redirect(f"/docs/{id}", status_code=303)


def answer(request: Request, conflict: Conflict) -> Response:
    return Response(conflict.body, status_code=conflict.status, headers=conflict.headers)


async def start() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions.begin() as db:
        if await db.get(Doc, 7) is None:
            db.add(Doc(id=7, title="Plan", body="One.\nTwo.\nThree.\n", tags="draft"))


litestar = Litestar(
    [edit, update],
    exception_handlers={Conflict: answer},
    template_config=TemplateConfig(directory=Path("templates"), engine=JinjaTemplateEngine),
    on_startup=[start],
    on_shutdown=[engine.dispose],
)
rt.install(litestar.template_engine.engine)
app = RealtimeMiddleware(litestar, rt=rt)
