"""Importing a list of parts: upload, look at it, import it in a thread, while everybody sees how far it is.

What has begun may be begun again: a part that is there already is only set to what the file says.
"""

from __future__ import annotations

import asyncio
import csv
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NoReturn

import part_file
from database import Session, session
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from models import PATH, Base
from part_file import Unreadable, Wrong
from shop import Part
from sign_in import Me
from sqlalchemy import JSON, Engine, create_engine, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from htmx_rt import Realtime
from htmx_rt.exceptions import BadUpload, Cancelled

TOPIC = "imports"
FOLDER = PATH.with_name("imports")
CHUNK = 1000  # rows in one transaction
# Seconds after each: a file of SQLite has one writer at a time, and the board wants to write, too.
PAUSE = float(os.environ.get("IMPORT_PAUSE") or 0.05)
LISTED = 50  # mistakes on the page; all are in the report
KEPT = 20  # imports
AT_ONCE = 4  # that run: fewer than a topic shows, and than this process has threads
FRESH = ("waiting", "cancelled", "failed", "interrupted")  # may be started

Db = Annotated[AsyncSession, Depends(session)]
Id = Annotated[int, InPath(ge=1, lt=2**63)]


class Import(Base):
    __tablename__ = "import"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    rows: Mapped[int] = mapped_column(default=0)  # 0: its file is still being read
    first: Mapped[list[Any]] = mapped_column(JSON, default=list)  # rows, to look at
    state: Mapped[str] = mapped_column(default="waiting")  # running, done, cancelled, failed
    begun: Mapped[datetime | None]
    task: Mapped[str] = mapped_column(default="")  # the id of its progress
    done: Mapped[int] = mapped_column(default=0)  # rows
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    mistakes: Mapped[list[Any]] = mapped_column(JSON, default=list)  # the first of them: line, part number, why

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.id}.csv"

    @property
    def report(self) -> Path:
        return FOLDER / f"{self.id}-mistakes.csv"


class Importer:
    """Runs imports in threads of this process, and ends them with it."""

    def __init__(self, rt: Realtime) -> None:
        self._rt = rt
        self._stop = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Take imports while the block lasts. What is under way at its end is interrupted."""
        self._stop.clear()
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, one: Import) -> None:
        task = asyncio.create_task(self._import(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _import(self, one: Import) -> None:
        title = f"Importing {one.name}"
        async with self._rt.progress(TOPIC, title, total=one.rows, cancel="owner", toast=True) as progress:
            found: dict[str, Any] = {
                "state": "failed",
                "done": 0,
                "added": 0,
                "changed": 0,
                "refused": 0,
                "mistakes": [],
            }
            await note(one.id, task=progress.id)
            try:
                if not await asyncio.to_thread(self._work, one, progress, found):
                    raise asyncio.CancelledError  # the process is about to stop
                found["state"] = "done"
            except Cancelled:
                found["state"] = "cancelled"
                raise
            finally:
                if not self._stop.is_set():
                    await note(one.id, **found)
                    self._rt.changed("import", one.id)
                    self._rt.changed("part")

    def _work(self, one: Import, progress: Any, found: dict[str, Any]) -> bool:
        """Import a file, in a thread; `found` counts what has become of its rows. False: it was made to stop."""
        engine = create_engine(f"sqlite:///{PATH}")
        try:
            with one.report.open("w", newline="", encoding="utf-8") as report:
                mistakes = csv.writer(report)
                mistakes.writerow(("line", "sku", "why"))
                rows = part_file.read(one.file)
                progress.update(step="Reading and checking rows")
                while chunk := list(islice(rows, CHUNK)):
                    wrong = [row for row in chunk if isinstance(row, Wrong)]
                    mistakes.writerows((row.line, part_file.harmless(row.sku), row.why) for row in wrong)
                    listed = [[row.line, row.sku, row.why] for row in wrong]
                    found["mistakes"] = (found["mistakes"] + listed)[:LISTED]
                    added, changed = write(engine, [row for row in chunk if not isinstance(row, Wrong)])
                    found["done"] += len(chunk)
                    found["added"] += added
                    found["changed"] += changed
                    found["refused"] += len(wrong)
                    progress.update(done=found["done"])  # where somebody has cancelled it, this raises
                    if self._stop.wait(PAUSE):
                        return False
            return True
        finally:
            engine.dispose()


def write(engine: Engine, rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Write parts in one transaction; return how many are new, and how many were there."""
    if not rows:
        return 0, 0
    statement = insert(Part)
    fresh = {name: statement.excluded[name] for name in ("name", "brand", "cents", "stock")}
    with engine.begin() as connection:
        known = select(func.count()).select_from(Part).where(Part.sku.in_([row["sku"] for row in rows]))
        before = connection.scalar(known) or 0
        connection.execute(statement.on_conflict_do_update(index_elements=["sku"], set_=fresh), rows)
    return len(rows) - before, before


async def note(id: int, **values: Any) -> None:
    """Write down how an import stands."""
    async with Session() as db:
        await db.execute(update(Import).where(Import.id == id).values(**values))
        await db.commit()


def routes(rt: Realtime, templates: Jinja2Templates, importer: Importer) -> APIRouter:
    router = APIRouter(prefix="/import")

    def draw(request: Request, name: str, status: int = 200, **values: Any) -> Response:
        return templates.TemplateResponse(request, name, {"topic": TOPIC} | values, status_code=status)

    async def page(request: Request, db: AsyncSession, why: str = "") -> Response:
        imports = (await db.scalars(select(Import).where(Import.rows > 0).order_by(Import.id.desc()).limit(8))).all()
        running = await rt.running(TOPIC)
        states = {one.id: state(one, running) for one in imports}
        name = "import_list.html" if rt.is_htmx(request) and not why else "imports.html"
        return draw(request, name, 422 if why else 200, imports=imports, states=states, running=running, why=why)

    @router.get("")
    async def look(request: Request, db: Db, me: Me) -> Response:
        return await page(request, db)

    @router.post("")
    async def upload(request: Request, db: Db, me: Me) -> Response:
        try:
            async with request.form() as form:
                files = await rt.uploads.consume(form, "file")
        except BadUpload as error:
            return await page(request, db, str(error))
        if not files:
            return await page(request, db, "Choose a file first.")
        one = await begin(db, files[0].name, me.first)
        await files[0].save(one.file)
        return await show(request, db, one)

    @router.post("/sample")
    async def sample(request: Request, db: Db, me: Me) -> Response:
        one = await begin(db, "wholesale-autumn.csv", me.first)
        await asyncio.to_thread(part_file.sample, one.file)
        return await show(request, db, one)

    async def show(request: Request, db: AsyncSession, one: Import) -> Response:
        """Lead to the preview of a file, or say why there is none."""
        try:
            found = await asyncio.to_thread(part_file.preview, one.file)
        except Unreadable as error:
            await forget(db, one)
            await db.commit()
            return await page(request, db, str(error))
        one.rows, one.first = found.rows, found.first
        rt.changed("import", one.id, "created", after=db)
        await db.commit()
        return RedirectResponse(f"/import/{one.id}", 303)

    @router.get("/{id}")
    async def read(request: Request, db: Db, me: Me, id: Id) -> Response:
        one = await db.get(Import, id) or missing()
        running = await rt.running(TOPIC)
        name = "import_state.html" if rt.is_htmx(request) else "import.html"
        return draw(request, name, one=one, state=state(one, running), running=running, columns=part_file.COLUMNS)

    @router.post("/{id}/start")
    async def start(request: Request, db: Db, me: Me, id: Id) -> Response:
        one = await db.get(Import, id) or missing()
        running = await rt.running(TOPIC)
        now = state(one, running)
        begun = await db.scalars(select(Import).where(Import.state == "running", Import.id != id))
        if now in FRESH and sum(state(other, running) == "running" for other in begun) >= AT_ONCE:
            return await page(
                request, db, f"{AT_ONCE} lists are being imported already. Wait until one of them is done."
            )
        same = update(Import).where(Import.id == id, Import.state == one.state, Import.task == one.task)
        # Of two people who press at once, one starts it.
        if now in FRESH and (await db.execute(same.values(state="running", task="", begun=datetime.now()))).rowcount:
            rt.changed("import", id, after=db)
            await db.commit()
            importer.start(one)
        return RedirectResponse(f"/import/{id}", 303)

    @router.post("/{id}/discard")
    async def discard(request: Request, db: Db, me: Me, id: Id) -> Response:
        one = await db.get(Import, id) or missing()
        if state(one, await rt.running(TOPIC)) != "running":
            await forget(db, one)
            rt.changed("import", id, "deleted", after=db)
            await db.commit()
        return RedirectResponse("/import", 303)

    @router.get("/{id}/mistakes.csv")
    async def mistakes(request: Request, db: Db, me: Me, id: Id) -> Response:
        one = await db.get(Import, id) or missing()
        if not one.report.exists():
            missing()
        return FileResponse(one.report, media_type="text/csv", filename=f"mistakes-{id}.csv")

    return router


async def begin(db: AsyncSession, name: str, by: str) -> Import:
    """Note a file that is to be imported, and forget the oldest one."""
    FOLDER.mkdir(exist_ok=True)
    old = select(Import).where(Import.state != "running").order_by(Import.id.desc()).offset(KEPT - 1)
    for one in await db.scalars(old):
        await forget(db, one)
    new = Import(name=name, by=by, at=datetime.now(), state="waiting", task="")
    db.add(new)
    await db.commit()  # nobody waits for the database while a file is read
    return new


async def forget(db: AsyncSession, one: Import) -> None:
    one.file.unlink(missing_ok=True)
    one.report.unlink(missing_ok=True)
    await db.delete(one)


def state(one: Import, running: Any) -> str:
    """Return how an import stands: one that nobody works on any more was interrupted."""
    if one.state != "running":
        return one.state
    if not one.task:  # it has just been started
        return "running" if one.begun and datetime.now() - one.begun < timedelta(seconds=10) else "interrupted"
    known = {record.id: record.state for record in running}
    # One that has ended since the row was read is about to say so.
    return "interrupted" if known.get(one.task, "interrupted") == "interrupted" else "running"


def missing() -> NoReturn:
    raise HTTPException(404)
