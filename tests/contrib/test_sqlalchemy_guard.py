"""Saves over SQLAlchemy that lose a race: nothing is overwritten, and nothing typed is lost."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ForeignKey, String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import Versioned, save, stale
from htmx_rt.exceptions import ConfigurationError
from htmx_rt.merge import whole

from ..kit import SECRET, problem
from ..postgres_kit import postgres_server
from .guard_kit import Databases, Doc, Log, Note, Office, hidden, memory_session

pytestmark = pytest.mark.anyio
KINDS = ["sync", "async"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Databases]:
    pytest.importorskip("psycopg", reason="WITHOUT psycopg NOTHING IS PROVED ABOUT POSTGRESQL here.")
    with postgres_server() as url:
        yield Databases(url.replace("+asyncpg", "+psycopg"), url)


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    if request.param == "postgres":
        return request.getfixturevalue("postgres")  # type: ignore[no-any-return]
    path = f"/{tmp_path}/docs.db"
    return Databases(f"sqlite://{path}", f"sqlite+aiosqlite://{path}")


@pytest.fixture(params=KINDS)
def office(request: pytest.FixtureRequest, urls: Databases) -> Office:
    return Office(urls, request.param)


async def test_a_save_is_written_and_told_after_its_commit(office: Office) -> None:
    async with office.open() as (ada, page):
        answer = await office.post(ada, page, title="New plan", price="3.50", done="on")
        assert (answer.status, answer.text) == (200, "Ada: New plan 2")
        assert answer.header("RT-Lock-Version") == "2"
        row = office.row()
        assert (row.title, row.price, row.done, row.lock_version) == ("New plan", Decimal("3.5"), True, 2)
        (told,) = office.told()
        assert (told["v"], told["fields"]["title"]) == (2, "New plan")


async def test_what_nobody_changed_is_not_written(office: Office) -> None:
    async with office.open() as (ada, page):
        assert (await office.post(ada, page, price="")).status == 200
        assert (office.row().lock_version, office.row().price) == (1, None)


async def test_a_scoped_session_stands_for_the_one_of_its_task(office: Office) -> None:
    async with office.open() as (ada, page):
        assert (await office.post(ada, page, path="scoped/", title="New plan")).status == 200
        assert office.row().title == "New plan"


async def test_who_loses_the_race_is_merged_with_who_won(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(body="one\ntwo\nthree\nfour\n"), office.change(tags="a, b")]
        answer = await office.post(ada, page, title="New plan", tags="a, c")
        row = office.row()
        assert (answer.status, row.title, row.body) == (200, "New plan", "one\ntwo\nthree\nfour\n")
        assert (row.tags, row.lock_version) == ("a, b, c", 4)
        assert "Body" in (answer.header("RT-Toast") or "")
        assert [told["v"] for told in office.told()] == [4]
    assert answer.text == "Ada: New plan 4"


async def test_who_loses_the_race_and_changed_the_same_decides(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(title="Their plan")]
        answer = await office.post(ada, page, title="My plan")
        assert problem(answer) == (409, "stale")
        assert "Their plan" in answer.text
        assert "My plan" in answer.text
        assert (office.row().title, office.told()) == ("Their plan", [])
        again = await office.post(ada, answer, **{"rt-take-title": "mine", "rt-mine-title": "My plan"})
        assert again.status == 200
    assert office.row().title == "My plan"


async def test_who_loses_the_race_to_a_delete_keeps_what_was_typed(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.delete]
        answer = await office.post(ada, page, title="My plan")
        assert problem(answer) == (410, "gone")
        assert "My plan" in answer.text


async def test_what_does_not_meet_the_conditions_is_gone(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(archived=True)]
        assert problem(await office.post(ada, page, title="My plan")) == (410, "gone")
    assert office.row().title == "Plan"


async def test_who_loses_again_and_again_is_asked_to_press_once_more(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(stock=Decimal(11 + n)) for n in range(10)]
        answer = await office.post(ada, page, title="My plan")
        assert problem(answer) == (409, "stale")
        assert not answer.select("fieldset")  # nothing to decide
        assert office.row().title == "Plan"
        again = {one: value for one, value in hidden(answer).items() if one in ("title", "stock")}
        assert (await office.post(ada, answer, **again)).status == 200
        assert (office.row().title, office.row().stock) == ("My plan", 20)


async def test_ten_at_once_are_all_in_the_sum(office: Office) -> None:
    async with office.open() as (ada, page):
        answers = await asyncio.gather(
            *(office.post(ada, page, stock=str(10 + 2**n), tags=f"a, t{n}") for n in range(10))
        )  # fmt: skip
        row = office.row()
        accepted = [n for n, answer in enumerate(answers) if answer.status == 200]
        refused = [answer for answer in answers if answer.status != 200]
        assert row.stock == 10 + sum(2**n for n in accepted)
        assert set(row.tags.split(", ")) == {"a", *(f"t{n}" for n in accepted)}
        assert row.lock_version == 1 + len(accepted)
        assert {problem(answer) for answer in refused} <= {(409, "stale")}
        assert len(accepted) >= 5
        assert sorted(told["v"] for told in office.told()) == list(range(2, 2 + len(accepted)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_databases_that_keep_a_picture_of_before_tell_it_otherwise(
    postgres: Databases, kind: str, level: str
) -> None:
    office = Office(postgres, kind, isolation_level=level)
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(body="theirs\n")]
        assert (await office.post(ada, page, title="New plan")).status == 200
        assert (office.row().title, office.row().body) == ("New plan", "theirs\n")
        answers = await asyncio.gather(
            *(office.post(ada, page, stock=str(10 + 2**n), title="New plan") for n in range(8))
        )
        accepted = [n for n, answer in enumerate(answers) if answer.status == 200]
        assert accepted
        assert office.row().stock == 10 + sum(2**n for n in accepted)


async def test_the_fence_is_written_with_the_record_and_decides(urls: Databases) -> None:
    office = Office(urls, "sync", preset="lock")
    async with office.open() as (ada, page):
        (element,) = page.select("[rt-edit]")
        call = json.dumps({"tab": page.tab, "gen": 1, "grant": element["rt-grant"], "act": "take"}).encode()
        headers = {"content-type": "application/json", "sec-fetch-site": "same-origin"}
        taken = json.loads((await ada.request("POST", "/_rt/locks/doc:7", call, page=page, headers=headers)).text)
        assert taken["mine"]
        fence = {"rt-fence": str(taken["fence"])}
        assert (await office.post(ada, page, title="New plan", **fence)).status == 200
        assert (office.row().title, office.row().lock_fence) == ("New plan", taken["fence"])
        office.change(lock_fence=taken["fence"] + 1)()  # by another worker, with a store that knows better
        late = await office.post(ada, await ada.get("/docs/7"), title="Late plan", **fence)
        assert problem(late) == (409, "fenced")
        assert office.row().title == "New plan"


# Anywhere else


async def test_stale_shows_the_panel_where_both_changed_the_same(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(title="Their plan")]
        answer = await office.post(ada, page, path="stale/", title="My plan")
        assert problem(answer) == (409, "stale")
        assert answer.header("RT-Lock-Version") == "2"
        assert len(answer.select("fieldset")) == 1
        assert (office.row().title, office.told()) == ("Their plan", [])


async def test_stale_shows_the_panel_where_all_fits_too(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.change(body="theirs\n")]
        answer = await office.post(ada, page, path="stale/", title="My plan")
        assert problem(answer) == (409, "stale")
        again = {one: value for one, value in hidden(answer).items() if one in ("title", "body")}
        assert (await office.post(ada, answer, path="stale/", **again)).status == 200
        assert (office.row().title, office.row().body) == ("My plan", "theirs\n")


async def test_stale_says_that_it_was_deleted(office: Office) -> None:
    async with office.open() as (ada, page):
        office.meanwhile = [office.delete]
        assert problem(await office.post(ada, page, path="stale/", title="My plan")) == (410, "gone")


async def test_stale_lets_all_else_pass(office: Office) -> None:
    async with office.open() as (ada, page):
        answer = await office.post(ada, page, path="stale/", title="My plan")
        assert (answer.status, answer.text) == (200, "Ada: My plan 2")
        with office.sessions() as db:
            doc = db.get_one(Doc, 7)
            db.add(Doc(id=7, title="", body=""))
            with pytest.raises(IntegrityError), pytest.warns(match="conflicts with"), stale(office.docs, db, doc):
                db.commit()


async def test_stale_wants_the_block_of_its_session(office: Office) -> None:
    async with office.open():
        with office.sessions() as db:
            doc = db.get_one(Doc, 7)
            with pytest.raises(ConfigurationError, match="with stale"):
                async with stale(office.docs, db, doc):
                    pass
            async with office.async_sessions() as other:
                with pytest.raises(ConfigurationError, match="async with stale"), stale(office.docs, other, doc):
                    pass
            with pytest.raises(ConfigurationError, match="not in the database"):
                stale(office.docs, db, Doc(id=8, title="", body=""))


# What would go wrong


@pytest.mark.filterwarnings("ignore:coroutine 'Connection.cursor' was never awaited")  # SQLAlchemy's, of its error
async def test_what_a_session_has_forgotten_is_said_with_the_cure(tmp_path: Path) -> None:
    office = Office(Databases(f"sqlite:///{tmp_path}/docs.db", f"sqlite+aiosqlite:///{tmp_path}/docs.db"), "sync")
    async with office.open():
        async with office.async_sessions() as db:
            doc = await db.get_one(Doc, 7)
            await db.commit()
            with pytest.raises(ConfigurationError, match="after=session"):
                office.docs.saved(doc)
        gc.collect()
        with office.sessions() as session:
            doc = session.get_one(Doc, 7)
            session.commit()
        with pytest.raises(ConfigurationError, match="expire_on_commit"):
            office.docs.saved(doc)
        assert office.told() == []


def test_what_waits_in_the_session_is_not_lost() -> None:
    rt = Realtime(secret=SECRET)
    docs = rt.guard("doc:{id}", {"title": whole})
    with memory_session() as db:
        db.add(Log(line="Ada saved it"))
        with pytest.raises(ConfigurationError, match="waits in the session"):
            save(db, docs, Doc, 7, {})
    with memory_session() as db, db.begin(), pytest.raises(ConfigurationError, match="outside of"):
        save(db, docs, Doc, 7, {})


def test_a_model_that_compares_no_versions_is_refused() -> None:
    rt = Realtime(secret=SECRET)
    with memory_session() as db:
        with pytest.raises(ConfigurationError, match="Versioned"):
            save(db, rt.guard("log:{id}", {"line": whole}), Log, 7, {})
        with pytest.raises(ConfigurationError, match="version='lock_version'"):
            save(db, rt.guard("doc:{id}", {"title": whole}, version="lock_fence"), Doc, 7, {})


class Own(DeclarativeBase):
    pass


class Vehicle(Versioned, Own):
    __tablename__ = "vehicle"
    __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "v"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))


class Animal(Versioned, Own):
    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")


class Dog(Animal):
    bark: Mapped[str | None]


class Cat(Animal):
    __tablename__ = "cat"
    id: Mapped[int] = mapped_column(ForeignKey("animal.id"), primary_key=True)


def test_the_mixin_and_inheritance() -> None:
    assert [cls.__mapper__.version_id_col is not None for cls in (Animal, Dog, Cat, Note, Doc)] == [True] * 5
    rt = Realtime(secret=SECRET)
    with memory_session() as db, pytest.raises(ConfigurationError, match="__mapper_args__"):
        save(db, rt.guard("vehicle:{id}", {"kind": whole}), Vehicle, 7, {})


def test_sessions_that_block_need_no_greenlet() -> None:
    without = """
import sys
sys.modules["greenlet"] = None
import sqlalchemy, sqlalchemy.orm
from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import Versioned, publish_changes
class Base(sqlalchemy.orm.DeclarativeBase): ...
class Doc(Versioned, Base):
    __tablename__ = "doc"
    id: sqlalchemy.orm.Mapped[int] = sqlalchemy.orm.mapped_column(primary_key=True)
engine = sqlalchemy.create_engine("sqlite://")
Base.metadata.create_all(engine)
rt = Realtime(secret="x" * 40)
with sqlalchemy.orm.Session(engine) as session:
    publish_changes(rt, session, {Doc: "doc"})
    session.add(Doc(id=7))
    session.commit()
    print(session.get(Doc, 7).lock_version)
"""
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1\n", "")
