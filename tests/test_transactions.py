from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

from htmx_rt import Realtime
from htmx_rt.exceptions import BadOperation, PublishError
from htmx_rt.publishing import Published

from .kit import SECRET, Site, running, texts

pytestmark = pytest.mark.anyio


@pytest.fixture
def rt() -> Realtime:
    return Realtime(secret=SECRET)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    # Savepoints on pysqlite need its own transactions out of the way.
    @event.listens_for(engine, "connect")
    def no_transactions_of_its_own(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    with Session(engine) as session:
        yield session
    engine.dispose()


def say(rt: Realtime, what: str, session: object) -> Published:
    return rt.topic("board:1").text("#x", what, after=session)


def said(rt: Realtime) -> list[str]:
    entries = rt.bus.log.after(rt.bus.log.position._replace(offset=0)) or []
    return [entry.frame.decode().split('"#x","')[1].split('"')[0] for entry in entries]


def test_a_commit_sends_in_the_order_of_the_calls(rt: Realtime, session: Session) -> None:
    session.execute(text("select 1"))
    published = [say(rt, what, session) for what in "abc"]
    assert said(rt) == []
    assert not published[0].done
    session.commit()
    assert said(rt) == ["a", "b", "c"]
    assert [receipt.result(0) for receipt in published] == [1, 2, 3]


def test_a_rollback_drops_and_tells_who_waits(rt: Realtime, session: Session) -> None:
    session.execute(text("select 1"))
    published = say(rt, "a", session)
    session.rollback()
    assert said(rt) == []
    with pytest.raises(PublishError, match="rolled back"):
        published.result(0)


def test_closing_without_a_commit_drops(rt: Realtime, session: Session) -> None:
    say(rt, "a", session)
    session.close()
    assert said(rt) == []


def test_a_session_that_has_not_begun_waits_for_its_next_commit(rt: Realtime, session: Session) -> None:
    say(rt, "a", session)
    session.execute(text("select 1"))
    session.commit()
    assert said(rt) == ["a"]


def test_one_session_serves_many_transactions(rt: Realtime, session: Session) -> None:
    for number in range(3):
        say(rt, f"kept{number}", session)
        session.commit()
        say(rt, f"dropped{number}", session)
        session.rollback()
    assert said(rt) == ["kept0", "kept1", "kept2"]


def test_a_savepoint_rolled_back_drops_only_its_own(rt: Realtime, session: Session) -> None:
    with session.begin():
        say(rt, "before", session)
        nested = session.begin_nested()
        lost = say(rt, "inside", session)
        nested.rollback()
        assert lost.done
        say(rt, "after", session)
    assert said(rt) == ["before", "after"]


def test_a_released_savepoint_is_only_as_good_as_what_it_lies_in(rt: Realtime, session: Session) -> None:
    with session.begin():
        with session.begin_nested():
            say(rt, "inside", session)
        assert said(rt) == []
    assert said(rt) == ["inside"]
    session.begin()
    with session.begin_nested():
        say(rt, "lost", session)
    session.rollback()
    assert said(rt) == ["inside"]


def test_savepoints_in_savepoints(rt: Realtime, session: Session) -> None:
    with session.begin():
        say(rt, "1", session)
        outer = session.begin_nested()
        say(rt, "2", session)
        with session.begin_nested():
            say(rt, "3", session)
        inner = session.begin_nested()
        say(rt, "4", session)
        inner.rollback()
        outer.commit()
        say(rt, "5", session)
    assert said(rt) == ["1", "2", "3", "5"]


def test_an_outer_savepoint_takes_released_ones_with_it(rt: Realtime, session: Session) -> None:
    with session.begin():
        outer = session.begin_nested()
        with session.begin_nested():
            say(rt, "lost", session)
        outer.rollback()
        say(rt, "kept", session)
    assert said(rt) == ["kept"]


def test_a_commit_with_savepoints_still_open_commits_them(rt: Realtime, session: Session) -> None:
    session.begin()
    session.begin_nested()
    say(rt, "inside", session)
    session.get_transaction().commit(_to_root=True)  # type: ignore[union-attr]
    assert said(rt) == ["inside"]


def test_a_commit_that_fails_drops(rt: Realtime, session: Session) -> None:
    @event.listens_for(session, "before_commit")
    def fail(session: Session) -> None:
        raise RuntimeError("no")

    published = say(rt, "a", session)
    with pytest.raises(RuntimeError):
        session.commit()
    session.rollback()
    assert said(rt) == []
    assert published.done


def test_two_sessions_do_not_meet(rt: Realtime, session: Session) -> None:
    with Session(session.get_bind()) as other:
        say(rt, "mine", session)
        say(rt, "theirs", other)
        other.rollback()
        session.commit()
    assert said(rt) == ["mine"]


def test_a_batch_waits_too(rt: Realtime, session: Session) -> None:
    with rt.topic("board:1").batch(after=session) as batch:
        batch.text("#x", "a")
        batch.remove("#y")
    assert batch.published is not None
    assert not batch.published.done
    session.commit()
    assert batch.published.result(0) == 1


def test_the_registry_of_a_web_framework_stands_for_its_session(rt: Realtime, session: Session) -> None:
    registry = scoped_session(sessionmaker(session.get_bind()))
    say(rt, "a", registry)
    registry.commit()
    registry.remove()
    assert said(rt) == ["a"]


def test_bad_arguments_raise_at_the_call_and_wait_for_no_commit(rt: Realtime, session: Session) -> None:
    with pytest.raises(BadOperation):
        rt.topic("board:1").append("#x", "no element", after=session)
    session.commit()
    assert said(rt) == []


@pytest.mark.parametrize(
    "foreign", [object(), True, "session", create_engine("sqlite://")], ids=lambda value: type(value).__name__
)
def test_anything_else_is_no_session(rt: Realtime, foreign: object) -> None:
    with pytest.raises(BadOperation, match="Session"):
        say(rt, "a", foreign)
    assert said(rt) == []


def test_a_forgotten_session_is_not_kept_alive(rt: Realtime, session: Session) -> None:
    forgotten = Session(session.get_bind())
    published = say(rt, "a", forgotten)
    gone = weakref.ref(forgotten)
    del forgotten
    gc.collect()
    assert gone() is None
    assert said(rt) == []
    assert not published.done


async def test_an_async_session_sends_at_commit() -> None:
    site = Site()
    engine = create_async_engine("sqlite+aiosqlite://")
    async with running(site.app), site.browser("ada") as ada:
        page = await ada.get("/")
        async with ada.stream(page) as stream, AsyncSession(engine) as session:
            await session.execute(text("select 1"))
            dropped = say(site.rt, "dropped", session)
            await session.rollback()
            kept = say(site.rt, "kept", session)
            await session.commit()
            assert await texts(stream, 1) == ["kept"]
            assert await kept == 1
            with pytest.raises(PublishError):
                await dropped
    await engine.dispose()


async def test_waiting_for_a_commit_that_comes_later() -> None:
    import asyncio

    rt = Realtime(secret=SECRET)
    engine = create_async_engine("sqlite+aiosqlite://")
    async with AsyncSession(engine) as session:
        await session.execute(text("select 1"))
        published = say(rt, "a", session)

        async def wait() -> int:
            return await published

        waiting = asyncio.create_task(wait())
        impatient = asyncio.create_task(wait())
        await asyncio.sleep(0)
        impatient.cancel()
        await session.commit()
        assert await waiting == 1
    await engine.dispose()


async def test_an_async_registry_stands_for_its_session(rt: Realtime) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    registry = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: 1)
    say(rt, "a", registry)
    await registry.commit()
    await registry.remove()
    assert said(rt) == ["a"]
    await engine.dispose()
