"""What the board keeps: tasks, and one row that counts its revisions."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PATH = Path(os.environ.get("BOARD_DB") or Path(__file__).with_name("board.db"))
PRIORITIES = {"high": "High", "normal": "Normal", "low": "Low"}  # in the order of the board

engine = create_async_engine(f"sqlite+aiosqlite:///{PATH}")
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Board(Base):
    __tablename__ = "board"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)


class Task(Base):
    __tablename__ = "task"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id is never given to a second task

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    priority: Mapped[str] = mapped_column(default="normal")
    due: Mapped[date | None]
    done: Mapped[bool] = mapped_column(default=False)
    author: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)  # goes into the row's rt-version

    @property
    def position(self) -> str:
        """The place in the list, as a sort key: open first; what has no date yet on top, then by date, priority, age."""
        day = (self.due or date.min).toordinal()
        return f"{self.done:d}{day:07}{list(PRIORITIES).index(self.priority)}{self.id:07}"

    @property
    def overdue(self) -> bool:
        return self.due is not None and self.due < date.today() and not self.done

    @property
    def due_words(self) -> str:
        if self.due is None:
            return ""
        near = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}.get((self.due - date.today()).days)
        year = "" if self.due.year == date.today().year else f" {self.due.year}"
        return near or f"{self.due:%a} {self.due.day} {self.due:%b}{year}"


@dataclass(frozen=True)
class Totals:
    revision: int
    open: int
    week: int
    overdue: int
    done: int


async def session() -> AsyncIterator[AsyncSession]:
    async with Session() as db:
        yield db


async def all_tasks(db: AsyncSession) -> Sequence[Task]:
    return sorted(await db.scalars(select(Task)), key=lambda task: task.position)


async def totals(db: AsyncSession) -> Totals:
    """Count in one statement, so that the revision is that of the numbers."""
    today = date.today()
    still_open = Task.done.is_(False)
    count = func.count(Task.id)
    row = await db.execute(
        select(
            select(Board.revision).scalar_subquery(),
            count.filter(still_open),
            count.filter(still_open, Task.due.between(today, today + timedelta(days=6))),
            count.filter(still_open, Task.due < today),
            count.filter(Task.done),
        )
    )
    return Totals(*row.one())


async def create(db: AsyncSession, **values: Any) -> Task:
    await _next_revision(db)
    task = Task(**values)
    db.add(task)
    await db.flush()
    return task


async def change(db: AsyncSession, id: int, **values: Any) -> Task | None:
    """Change a task, or return None where it is gone."""
    await _next_revision(db)
    # Counted by the database, in the same statement: two changes at once get two versions.
    changed = update(Task).where(Task.id == id).values(**values, version=Task.version + 1).returning(Task)
    return await _one(db, changed)


async def delete(db: AsyncSession, id: int) -> Task | None:
    """Delete a task and return what it was, or None where it is gone."""
    await _next_revision(db)
    return await _one(db, sqlalchemy.delete(Task).where(Task.id == id).returning(Task))


async def _next_revision(db: AsyncSession) -> None:
    # As the first statement of each change it takes the write lock, so revisions are in the order of commits.
    await db.execute(update(Board).values(revision=Board.revision + 1))


async def _one(db: AsyncSession, statement: sqlalchemy.Executable) -> Task | None:
    task: Task | None = (await db.scalars(statement)).one_or_none()
    if task is None:
        await db.rollback()  # let the lock go at once
    return task


async def start() -> None:
    """Create the file and, once, a board to look at."""
    async with engine.begin() as connection:
        await connection.execute(text("PRAGMA journal_mode=WAL"))  # readers do not wait for a writer
        await connection.run_sync(Base.metadata.create_all)
    async with Session() as db:
        if await db.scalar(select(Board)) is None:
            db.add(Board(id=1, name="Shop opening"))
            db.add_all(_believable_tasks())
            await db.commit()


def _believable_tasks() -> list[Task]:
    def task(title: str, author: str, days: int, priority: str = "normal", done: bool = False) -> Task:
        due = date.today() + timedelta(days=days)
        return Task(title=title, author=author, due=due, priority=priority, done=done)

    return [
        task("Sign the lease addendum for Mill Street 14", "Ada", -12, "high", done=True),
        task("Order two workbench stands and the truing stand", "Mateo", -6, done=True),
        task("Open the business account and get the card terminal", "Priya", -4, "high", done=True),
        task("Chase the electrician about the window lights", "Jonas", -2, "high"),
        task("Try the card terminal with a real payment and a refund", "Priya", 0, "high"),
        task("Decide Saturday shifts until the end of June", "Grace", 1),
        task("Print opening hours and stick them on the door", "Mei", 2),
        task("Photograph the three rental bikes for the website", "Mei", 4),
        task("Invite the neighbours, the bakery and the school next door", "Grace", 5),
        task("Write down what a small service includes, with prices", "Mateo", 9),
        task("Agree on a voucher for the first hundred customers", "Ada", 12, "low"),
        task("Find somebody to repaint the old sign", "Jonas", 18, "low"),
    ]
