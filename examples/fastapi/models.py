"""What the board keeps: tasks, and one row that counts its revisions.

No framework in here, and no async: async apps call these functions through `AsyncSession.run_sync`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

PATH = Path(os.environ.get("BOARD_DB") or Path(__file__).with_name("board.db"))
PRIORITIES = {"high": "High", "normal": "Normal", "low": "Low"}  # in the order of the board


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


def all_tasks(db: Session) -> Sequence[Task]:
    return sorted(db.scalars(select(Task)), key=lambda task: task.position)


def totals(db: Session) -> Totals:
    """Count in one statement, so that the revision is that of the numbers."""
    today = date.today()
    still_open = Task.done.is_(False)
    count = func.count(Task.id)
    row = db.execute(
        select(
            select(Board.revision).scalar_subquery(),
            count.filter(still_open),
            count.filter(still_open, Task.due.between(today, today + timedelta(days=6))),
            count.filter(still_open, Task.due < today),
            count.filter(Task.done),
        )
    )
    return Totals(*row.one())


def create(db: Session, **values: Any) -> Task:
    _next_revision(db)
    task = Task(**values)
    db.add(task)
    db.flush()
    return task


def change(db: Session, id: int, **values: Any) -> Task | None:
    """Change a task, or return None where it is gone."""
    _next_revision(db)
    # Counted by the database, in the same statement: two changes at once get two versions.
    changed = update(Task).where(Task.id == id).values(**values, version=Task.version + 1).returning(Task)
    return _one(db, changed)


def delete(db: Session, id: int) -> Task | None:
    """Delete a task and return what it was, or None where it is gone."""
    _next_revision(db)
    return _one(db, sqlalchemy.delete(Task).where(Task.id == id).returning(Task))


def _next_revision(db: Session) -> None:
    # As the first statement of each change it takes the write lock, so revisions are in the order of commits.
    db.execute(update(Board).values(revision=Board.revision + 1))


def _one(db: Session, statement: sqlalchemy.Executable) -> Task | None:
    task: Task | None = db.scalars(statement).one_or_none()
    if task is None:
        db.rollback()  # let the lock go at once
    return task


def start(db: Session) -> None:
    """Create the tables and, once, a board to look at; several workers may do so at the same time."""
    db.execute(text("PRAGMA journal_mode=WAL"))  # readers do not wait for a writer
    db.execute(text("BEGIN IMMEDIATE"))
    Base.metadata.create_all(db.connection())
    if db.scalar(select(Board)) is None:
        db.add(Board(id=1, name="Shop opening"))
        db.add_all(_believable_tasks())
    db.commit()


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
