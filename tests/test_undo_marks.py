"""Noting in the transaction of an effect that it was done: `rt.undo.claim`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, event, func, insert, inspect, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import undo_marks
from htmx_rt.exceptions import BadOperation

from .kit import SECRET
from .postgres_kit import postgres_server

pytestmark = pytest.mark.anyio
metadata = MetaData()
marks = undo_marks(metadata)
effects = Table("effects", metadata, Column("item", Integer))
rt = Realtime(secret=SECRET)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/app.db", connect_args={"timeout": 10})
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_a_mark_is_made_once(engine: Engine) -> None:
    with Session(engine) as db, db.begin():
        assert rt.undo.claim(db, "a") is True
        assert rt.undo.claim(db, "b") is True
        assert rt.undo.claim(db, "a") is False
    with Session(engine) as db, db.begin():
        assert rt.undo.claim(db, "a") is False


def test_a_mark_is_only_as_good_as_its_transaction(engine: Engine) -> None:
    with Session(engine) as db:
        assert rt.undo.claim(db, "a") is True
        db.rollback()
    with Session(engine) as db, db.begin():
        assert rt.undo.claim(db, "a") is True


def test_sessions_of_all_kinds(engine: Engine) -> None:
    scoped = scoped_session(sessionmaker(engine))
    assert rt.undo.claim(scoped, "a") is True  # type: ignore[arg-type]
    scoped.commit()
    scoped.remove()
    with pytest.raises(BadOperation, match="run_sync"):
        rt.undo.claim(AsyncSession(), "a")  # type: ignore[arg-type]


async def test_an_async_session(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/app.db")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    for expected in (True, False):
        async with AsyncSession(engine) as db, db.begin():
            assert await db.run_sync(rt.undo.claim, "a") is expected
    await engine.dispose()


def test_old_marks_go_and_are_found_without_reading_all(engine: Engine) -> None:
    with Session(engine) as db, db.begin():
        db.execute(insert(marks).values(id="old", at=time.time() - 8 * 24 * 3600))
        db.execute(insert(marks).values(id="young", at=time.time() - 6 * 24 * 3600))
        rt.undo.claim(db, "a")
        assert set(db.scalars(select(marks.c.id))) == {"young", "a"}
    assert [index["column_names"] for index in inspect(engine).get_indexes("rt_undo_marks")] == [["at"]]


def run_twenty(engine: Engine) -> int:
    """Have twenty threads claim and do the same; return how often it was done."""
    start = threading.Barrier(20)
    errors: list[BaseException] = []

    def work() -> None:
        start.wait(10)
        for _ in range(20):  # as the runner does with a handler that raises
            try:
                with Session(engine) as db, db.begin():
                    if rt.undo.claim(db, "a"):
                        db.execute(insert(effects).values(item=1))
                return
            except OperationalError as error:  # locked
                errors.append(error)
        raise AssertionError(errors)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with Session(engine) as db:
        return db.scalar(select(func.count()).select_from(effects)) or 0


def test_of_twenty_at_once_one_does_it(engine: Engine) -> None:
    assert run_twenty(engine) == 1


async def test_of_many_at_once_over_postgresql_one_does_it() -> None:
    import asyncio

    with postgres_server() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)

        async def work(fails: bool) -> bool:
            async with AsyncSession(engine) as db:
                first = await db.run_sync(rt.undo.claim, "a")
                if first:
                    await db.execute(insert(effects).values(item=1))
                await (db.rollback() if fails else db.commit())  # who waits for one that fails has it
                return first

        await asyncio.gather(*(work(number % 2 == 0) for number in range(12)))
        async with AsyncSession(engine) as db:
            assert await db.scalar(select(func.count()).select_from(effects)) == 1
        await engine.dispose()


def test_a_database_without_upserts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.dialect, "name", "other")
    with Session(engine) as db, db.begin():
        assert [rt.undo.claim(db, "a") for _ in range(2)] == [True, False]


def test_statements_are_few(engine: Engine) -> None:
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda conn, cursor, statement, *_: seen.append(statement.split()[0]))
    with Session(engine) as db, db.begin():
        rt.undo.claim(db, "a")
    assert seen == ["DELETE", "INSERT"]
