"""Effects that are put off, with a database of the app's own to count them in; any number of workers."""

import asyncio
import json
import os
import random

from sqlalchemy import Column, Integer, MetaData, String, Table, event, func, insert, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import undo_marks

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    store=os.environ["RT_STORE"],
    name=os.environ["RT_NAME"],
    limits=json.loads(os.environ.get("RT_LIMITS", "{}")),
)
metadata = MetaData()
effects = Table("effects", metadata, Column("kind", String(20)), Column("item", Integer))
undo_marks(metadata)
engine = create_async_engine(os.environ["RT_EFFECTS"])
if engine.dialect.name == "sqlite":
    event.listen(engine.sync_engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 5000"))
Session = async_sessionmaker(engine)


async def a_while() -> None:
    """Give whoever wants to kill us here the time to."""
    await asyncio.sleep(random.uniform(0, 0.15))


@rt.undo.handler("charge", transactional=True)
async def charge(undo, id):
    await a_while()
    async with Session.begin() as db:
        if await db.run_sync(rt.undo.claim, undo.id):
            await db.execute(insert(effects).values(kind="charge", item=id))
            await a_while()
    await a_while()


@rt.undo.handler("mail")
async def mail(undo, id):
    await a_while()
    async with Session.begin() as db:
        await db.execute(insert(effects).values(kind="mail", item=id))
    await a_while()


async def page(request: Request) -> Response:
    rt.set_user(request.cookies.get("who"))
    return PlainTextResponse("hello")


async def defer(request: Request) -> Response:
    kind, item = request.path_params["kind"], request.path_params["item"]
    deferred = await rt.undo.defer(kind, {"id": item}, delay=0.5)
    return PlainTextResponse(deferred.id)


async def counts(_: Request) -> Response:
    async with Session() as db:
        found = await db.execute(
            select(effects.c.kind, effects.c.item, func.count()).group_by(effects.c.kind, effects.c.item)
        )
        return JSONResponse([list(row) for row in found])


async def create(_: Request) -> Response:
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return PlainTextResponse("created")


routes = [
    Route("/", page),
    Route("/create", create, methods=["POST"]),
    Route("/defer/{kind}/{item:int}", defer, methods=["POST"]),
    Route("/counts", counts),
]
app = RealtimeMiddleware(Starlette(routes=routes), rt=rt)
