"""Sessions that tell of what they commit, and of nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import ForeignKey, create_engine, event, insert, update
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import MOST, Watched, publish_changes
from htmx_rt.frames import Cursor

from ..kit import SECRET

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    pass


class Board(Base):
    __tablename__ = "board"

    id: Mapped[int] = mapped_column(primary_key=True)
    tasks: Mapped[list[Task]] = relationship(back_populates="board", cascade="all, delete-orphan")


class Task(Base):
    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("board.id"))
    title: Mapped[str] = mapped_column(default="")
    board: Mapped[Board] = relationship(back_populates="tasks")


class Line(Base):
    __tablename__ = "line"

    order: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


ACTION = re.compile(rb'"action":"(\w+)"')
WATCHED = {Board: "board", Task: Watched("task", lambda task: ("board", task.board_id)), Line: "line"}


@pytest.fixture
def rt() -> Realtime:
    return Realtime(secret=SECRET)


@pytest.fixture
def engine() -> Iterator[Any]:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    # Savepoints on pysqlite need its own transactions out of the way.
    @event.listens_for(engine, "connect")
    def no_transactions_of_its_own(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def db(rt: Realtime, engine: Any) -> Iterator[Session]:
    sessions = sessionmaker(engine)
    stop = publish_changes(rt, sessions, WATCHED)
    with sessions() as session:
        session.add_all([Board(id=3), Board(id=4), Task(id=7, board_id=3)])
        session.commit()
        told(rt)
        yield session
    stop()


def told(rt: Realtime) -> list[str]:
    """Return what was told since the last call: the action and the topic."""
    log, seen = rt.bus.log, getattr(rt, "seen", 0)
    entries = log.after(Cursor(log.position.epoch, seen)) or []
    rt.seen = log.position.offset  # type: ignore[attr-defined]
    return [f"{ACTION.search(entry.frame)[1].decode()} {entry.topic}" for entry in entries]  # type: ignore[index]


def test_created_updated_and_deleted_after_the_commit(rt: Realtime, db: Session) -> None:
    task = Task(board_id=3)
    db.add(task)
    db.flush()
    assert told(rt) == []
    db.commit()
    assert told(rt) == ["created entity:task", f"created entity:task:{task.id}", "created entity:board:3:task"]
    task.title = "new"
    db.commit()
    assert told(rt) == ["updated entity:task", "updated entity:task:8", "updated entity:board:3:task"]
    db.delete(task)  # expired by the commit: its parent must be read while the row is there
    db.commit()
    assert told(rt) == ["deleted entity:task", "deleted entity:task:8", "deleted entity:board:3:task"]


def test_a_rollback_tells_nothing(rt: Realtime, db: Session) -> None:
    db.add(Task(board_id=3))
    db.flush()
    db.rollback()
    db.commit()
    assert told(rt) == []


def test_what_a_savepoint_took_back_is_not_told(rt: Realtime, db: Session) -> None:
    db.add(Board(id=5))
    with db.begin_nested():
        db.add(Board(id=6))
    savepoint = db.begin_nested()
    db.add(Board(id=7))
    db.flush()
    savepoint.rollback()
    assert told(rt) == []
    db.commit()
    assert [line for line in told(rt) if line.count(":") == 2] == ["created entity:board:5", "created entity:board:6"]


def test_a_released_savepoint_falls_with_what_it_lies_in(rt: Realtime, db: Session) -> None:
    with db.begin_nested():
        db.add(Board(id=6))
    db.rollback()
    db.commit()
    assert told(rt) == []


def test_what_was_touched_but_not_changed_is_not_told(rt: Realtime, db: Session) -> None:
    task = db.get_one(Task, 7)
    task.title = task.title
    db.commit()
    assert told(rt) == []


@pytest.mark.parametrize("how", ["column", "relationship"])
def test_both_parents_hear_of_a_move(rt: Realtime, db: Session, how: str) -> None:
    task = db.get_one(Task, 7)
    if how == "column":
        assert task.board_id == 3
        task.board_id = 4
    else:
        assert task.board.id == 3
        task.board = db.get_one(Board, 4)
    db.commit()
    assert {"updated entity:board:3:task", "updated entity:board:4:task"} <= set(told(rt))


def test_children_that_go_with_their_parent_are_told(rt: Realtime, db: Session) -> None:
    db.delete(db.get_one(Board, 3))
    db.commit()
    assert {"deleted entity:board:3", "deleted entity:task:7", "deleted entity:board:3:task"} <= set(told(rt))


@pytest.mark.parametrize("many", [MOST, MOST + 1])
def test_many_at_once_are_told_as_one(rt: Realtime, db: Session, many: int) -> None:
    db.add_all([Task(board_id=3) for _ in range(many)])
    db.add(Board(id=9))
    db.commit()
    lines = told(rt)
    assert "created entity:board:9" in lines
    tasks = [line for line in lines if line.endswith("task") or ":task:" in line]
    if many > MOST:
        assert tasks == ["updated entity:task", "updated entities:task"]
    else:
        assert len(tasks) == 3 * MOST


def test_a_key_of_several_columns(rt: Realtime, db: Session) -> None:
    db.add(Line(order=1, number=2))
    db.commit()
    assert told(rt) == ["created entity:line", "created entity:line:1-2"]


def test_statements_past_the_unit_of_work_are_not_seen(rt: Realtime, db: Session) -> None:
    db.execute(insert(Task).values(board_id=3))
    db.execute(update(Task).values(title="x"))
    rt.changed("task", after=db)
    assert told(rt) == []
    db.commit()
    assert told(rt) == ["updated entity:task", "updated entities:task"]


def test_it_ends_when_told_to(rt: Realtime, engine: Any) -> None:
    sessions = sessionmaker(engine)
    stop = publish_changes(rt, sessions, WATCHED)
    stop()
    with sessions() as session:
        session.add(Board(id=1))
        session.commit()
    assert told(rt) == []


def test_sessions_of_every_shape(rt: Realtime, engine: Any) -> None:
    class Own(Session):
        pass

    factory, session = sessionmaker(engine), Session(engine)
    registry = scoped_session(sessionmaker(engine))
    stops = [publish_changes(rt, shape, {Board: "board"}) for shape in (Own, factory, registry, session)]
    for number, made in enumerate((Own(engine), factory(), registry(), session)):
        made.add(Board(id=number))
        made.commit()
        made.close()
    other = Session(engine)
    other.add(Board(id=100))
    other.commit()
    other.close()
    assert [line for line in told(rt) if line.count(":") == 2] == [f"created entity:board:{n}" for n in range(4)]
    for stop in stops:
        stop()


# Async sessions


@pytest.fixture
async def factory() -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield async_sessionmaker(engine)
    await engine.dispose()


async def test_an_async_session(rt: Realtime, factory: async_sessionmaker[AsyncSession]) -> None:
    stop = publish_changes(rt, factory, WATCHED)
    async with factory() as db:
        db.add_all([Board(id=3), Task(id=7, board_id=3)])
        await db.flush()
        assert told(rt) == []
        await db.commit()
        assert [line for line in told(rt) if line.count(":") == 2] == [
            "created entity:board:3",
            "created entity:task:7",
        ]
        await db.delete(await db.get_one(Task, 7))
        await db.rollback()
        assert told(rt) == []
        task = await db.get_one(Task, 7)
        await db.commit()  # expires it
        await db.delete(task)
        await db.commit()
        assert told(rt) == ["deleted entity:task", "deleted entity:task:7", "deleted entity:board:3:task"]
    stop()


async def test_async_sessions_of_every_shape(rt: Realtime, factory: async_sessionmaker[AsyncSession]) -> None:
    registry = async_scoped_session(async_sessionmaker(factory.kw["bind"]), lambda: 1)
    single, other = factory(), factory()
    stops = [publish_changes(rt, shape, {Board: "board"}) for shape in (registry, single)]
    for number, made in enumerate((registry(), single, other)):
        made.add(Board(id=number))
        await made.commit()
        await made.close()
    assert [line for line in told(rt) if line.count(":") == 2] == ["created entity:board:0", "created entity:board:1"]
    for stop in stops:
        stop()


async def test_two_kinds_of_events_on_one_async_factory(
    rt: Realtime, factory: async_sessionmaker[AsyncSession]
) -> None:
    stops = [publish_changes(rt, factory, {Board: "board"}), publish_changes(rt, factory, {Task: "task"})]
    async with factory() as db:
        db.add_all([Board(id=3), Task(id=7, board_id=3)])
        await db.commit()
    assert sorted(told(rt)) == [
        "created entity:board",
        "created entity:board:3",
        "created entity:task",
        "created entity:task:7",
    ]
    for stop in stops:
        stop()
