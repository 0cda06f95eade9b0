"""What the board keeps: tasks, invoices, and one row that counts its revisions.

No framework in here, and no async: async apps call these functions through `AsyncSession.run_sync`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from ranks import between
from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from htmx_rt.contrib.sqlalchemy import undo_marks

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
    votes: Mapped[int] = mapped_column(default=0)
    rank: Mapped[str] = mapped_column(unique=True)  # the place people gave it, between its neighbours; see ranks.py
    author: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)  # goes into the row's rt-version

    @property
    def position(self) -> str:
        """The place in the list, as a sort key: open first. The letter keeps rt-sort from taking it for a number."""
        return ("b" if self.done else "a") + self.rank

    @property
    def overdue(self) -> bool:
        return self.due is not None and self.due < date.today() and not self.done

    @property
    def due_words(self) -> str:
        return in_words(self.due)


class Invoice(Base):
    __tablename__ = "invoice"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    customer: Mapped[str]
    cents: Mapped[int]
    sent_on: Mapped[date | None]
    sent_by: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)

    @property
    def amount(self) -> str:
        return f"€ {self.cents / 100:,.2f}"

    @property
    def sent_words(self) -> str:
        return in_words(self.sent_on)


def in_words(day: date | None) -> str:
    """Return a day as people say it; nothing where there is none."""
    if day is None:
        return ""
    near = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}.get((day - date.today()).days)
    year = "" if day.year == date.today().year else f" {day.year}"
    return near or f"{day:%a} {day.day} {day:%b}{year}"


undo_marks(Base.metadata)  # which deferred deletions are done; written together with them


@dataclass(frozen=True)
class Totals:
    revision: int
    open: int
    week: int
    overdue: int
    done: int


def all_tasks(db: Session) -> Sequence[Task]:
    return sorted(db.scalars(select(Task)), key=lambda task: task.position)


def all_invoices(db: Session) -> Sequence[Invoice]:
    return db.scalars(select(Invoice).order_by(Invoice.number)).all()


def totals(db: Session, without: Collection[int] = ()) -> Totals:
    """Count in one statement, so that the revision is that of the numbers; `without` those about to be deleted."""
    today = date.today()
    counted = Task.id.not_in(without)
    still_open = sqlalchemy.and_(counted, Task.done.is_(False))
    count = func.count(Task.id)
    row = db.execute(
        select(
            select(Board.revision).scalar_subquery(),
            count.filter(still_open),
            count.filter(still_open, Task.due.between(today, today + timedelta(days=6))),
            count.filter(still_open, Task.due < today),
            count.filter(counted, Task.done),
        )
    )
    return Totals(*row.one())


def create(db: Session, **values: Any) -> Task:
    """Add a task on top of the list."""
    _next_revision(db)
    task = Task(**values, rank=between("", db.scalar(select(func.min(Task.rank))) or ""))
    db.add(task)
    db.flush()
    return task


def blank(author: str) -> Task:
    """The row of a task that is on its way: its title is filled in from the form that was sent."""
    return Task(title="{title}", author=author, priority="normal", done=False, votes=0, rank="", version=0)


def change(db: Session, id: int, **values: Any) -> Task | None:
    """Change a task, or return None where it is gone. Without values it only gets a new version."""
    _next_revision(db)
    # Counted by the database, in the same statement: two changes at once get two versions.
    changed = update(Task).where(Task.id == id).values(**values, version=Task.version + 1).returning(Task)
    return _one(db, changed)


def move(db: Session, id: int, *, after: int | None = None, by: int = 0) -> Task | None:
    """Put a task behind another one or on top, or `by` one place up (-1) or down (1); None where one of them is gone.

    A neighbour is named, not a number in the list: so two moves at once both land where they were meant to. Open tasks
    stay above done ones.
    """
    _next_revision(db)
    tasks = all_tasks(db)
    order = [task.id for task in tasks]
    if id in order and by:
        above = order.index(id) + (by if by > 0 else by - 1)
        after = order[min(above, len(order) - 1)] if above >= 0 else None
    if id not in order or (after is not None and after not in order):
        db.rollback()
        return None
    task = tasks[order.index(id)]
    place = 0 if after is None else order.index(after) + 1
    low = max((other.rank for other in tasks[:place] if other.done == task.done and other.id != id), default="")
    high = min((other.rank for other in tasks if other.rank > low and other.id != id), default="")
    return change(db, id, rank=between(low, high))


def delete(db: Session, id: int) -> Task | None:
    """Delete a task and return what it was, or None where it is gone."""
    _next_revision(db)
    return _one(db, sqlalchemy.delete(Task).where(Task.id == id).returning(Task))


def send(db: Session, id: int, by: str) -> Invoice | None:
    """Note that an invoice was sent, or return None where it was before."""
    _next_revision(db)
    values = {"sent_on": date.today(), "sent_by": by, "version": Invoice.version + 1}
    waiting = update(Invoice).where(Invoice.id == id, Invoice.sent_on.is_(None))
    return _one(db, waiting.values(**values).returning(Invoice))


def _next_revision(db: Session) -> None:
    # As the first statement of each change it takes the write lock, so revisions are in the order of commits.
    db.execute(update(Board).values(revision=Board.revision + 1))


def _one(db: Session, statement: sqlalchemy.Executable) -> Any:
    row = db.scalars(statement, execution_options={"populate_existing": True}).one_or_none()
    if row is None:
        db.rollback()  # let the lock go at once
    return row


def start(db: Session) -> None:
    """Create the tables and, once, a board to look at; several workers may do so at the same time."""
    db.execute(text("PRAGMA journal_mode=WAL"))  # readers do not wait for a writer
    db.execute(text("BEGIN IMMEDIATE"))
    tables = inspect(db.connection())
    if tables.has_table("task") and "rank" not in {column["name"] for column in tables.get_columns("task")}:
        Base.metadata.drop_all(db.connection())  # an older demo's board; a real app has migrations
    Base.metadata.create_all(db.connection())
    if db.scalar(select(Board)) is None:
        db.add(Board(id=1, name="Shop opening"))
        db.add_all(_believable_tasks())
        db.add_all(_believable_invoices())
    db.commit()


def _believable_tasks() -> list[Task]:
    rank = ""

    def task(title: str, author: str, days: int, priority: str = "normal", done: bool = False, votes: int = 0) -> Task:
        nonlocal rank
        rank = between(rank, "")
        due = date.today() + timedelta(days=days)
        return Task(title=title, author=author, due=due, priority=priority, done=done, votes=votes, rank=rank)

    return [
        task("Sign the lease addendum for Mill Street 14", "Ada", -12, "high", done=True),
        task("Order two workbench stands and the truing stand", "Mateo", -6, done=True, votes=1),
        task("Open the business account and get the card terminal", "Priya", -4, "high", done=True),
        task("Chase the electrician about the window lights", "Jonas", -2, "high", votes=3),
        task("Try the card terminal with a real payment and a refund", "Priya", 0, "high"),
        task("Decide Saturday shifts until the end of June", "Grace", 1, votes=2),
        task("Print opening hours and stick them on the door", "Mei", 2),
        task("Photograph the three rental bikes for the website", "Mei", 4),
        task("Invite the neighbours, the bakery and the school next door", "Grace", 5, votes=4),
        task("Write down what a small service includes, with prices", "Mateo", 9),
        task("Agree on a voucher for the first hundred customers", "Ada", 12, "low", votes=1),
        task("Find somebody to repaint the old sign", "Jonas", 18, "low"),
    ]


def _believable_invoices() -> list[Invoice]:
    lately = date.today() - timedelta(days=3)
    return [
        Invoice(number="2041", customer="Mill Street Bakery", cents=18_600, sent_on=lately, sent_by="Priya"),
        Invoice(number="2042", customer="Lindenhof School", cents=124_000),
        Invoice(number="2043", customer="Courier Collective", cents=46_250),
    ]
