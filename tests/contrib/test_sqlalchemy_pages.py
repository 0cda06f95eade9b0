"""The statement of a page: in any order, with NULL, while rows come and go; on SQLite, and as PostgreSQL would run it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Numeric, String, Uuid, create_engine, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import TypeDecorator

from htmx_rt.contrib.sqlalchemy import after
from htmx_rt.exceptions import BadCursor, ConfigurationError
from htmx_rt.paging import keyset, read_cursor, write_cursor

pytestmark = pytest.mark.anyio


class Aware(TypeDecorator[datetime]):
    """What apps write so that SQLite gives times with their zone."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        return value.astimezone(UTC).isoformat() if value else None

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        return datetime.fromisoformat(value) if value else None


class Base(DeclarativeBase):
    pass


class Part(Base):
    __tablename__ = "part"
    __table_args__ = ({"sqlite_autoincrement": True},)  # or the number of a deleted row is that of a new one

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[UUID] = mapped_column(Uuid, unique=True)
    name: Mapped[str]
    shelf: Mapped[int]
    weight: Mapped[float]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2, asdecimal=True))
    sold: Mapped[datetime | None]
    checked: Mapped[date | None]
    seen: Mapped[datetime] = mapped_column(Aware)


class Line(Base):
    __tablename__ = "line"

    order: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(default="")


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def part(chance: random.Random) -> Part:
    """Few different values, so that many rows are equal but for their id."""
    return Part(
        code=uuid4(),
        name=chance.choice(["Bell", "Chain", "Ärmel", "bell", ""]),
        shelf=chance.randrange(3),
        weight=chance.choice([0.1, 0.2, 0.1 + 0.2, -1.5]),
        price=chance.choice([Decimal("9.90"), Decimal("10.00"), Decimal("0.00")]),
        sold=chance.choice([None, None, datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 12, 0, 0, 1)]),
        checked=chance.choice([None, date(2026, 1, 1), date(2026, 2, 1)]),
        seen=NOON + timedelta(hours=chance.randrange(3)),
    )


Key = Callable[[Any], tuple[Any, ...]]
ORDERS: list[tuple[str, tuple[Any, ...], Key]] = [
    ("down", (Part.id.desc(),), lambda p: (p.id,)),
    ("up", (Part.shelf, Part.id), lambda p: (p.shelf, p.id)),
    ("mixed", (Part.shelf.desc(), Part.name.asc(), Part.id.desc()), lambda p: (p.shelf, p.name, p.id)),
    ("null last", (Part.sold.desc(), Part.id.desc()), lambda p: (p.sold, p.id)),
    ("null last, up", (Part.checked.asc(), Part.sold.asc(), Part.id), lambda p: (p.checked, p.sold, p.id)),
    ("null first", (Part.sold.desc().nulls_first(), Part.id), lambda p: (p.sold, p.id)),
    ("null first, then last", (Part.checked.asc().nulls_first(), Part.sold.desc().nulls_last(), Part.id.desc()), lambda p: (p.checked, p.sold, p.id)),
    ("null alone in front", (Part.checked.nulls_first(), Part.shelf.desc(), Part.id), lambda p: (p.checked, p.shelf, p.id)),
    ("decimal", (Part.price.desc(), Part.id), lambda p: (p.price, p.id)),
    ("float", (Part.weight, Part.id), lambda p: (p.weight, p.id)),
    ("unique, no key", (Part.name, Part.code), lambda p: (p.name, p.code)),
    ("own type", (Part.seen.desc(), Part.id.desc()), lambda p: (p.seen, p.id)),
    ("expression", (func.lower(Part.name), Part.id), lambda p: (p.name.lower() if p.name.isascii() else p.name, p.id)),
]  # fmt: skip


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def walk(session: Session, order: tuple[Any, ...], key: Key, size: int, meanwhile: Callable[[], None]) -> list[int]:
    """The ids of all pages, one after the other."""
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(200):
        page = keyset(session.scalars(after(select(Part), order, cursor, size=size)), size=size, key=key)
        assert len(page.items) == size or page.next is None
        seen += [one.id for one in page.items]
        cursor = page.next
        if cursor is None:
            return seen
        meanwhile()
    pytest.fail("the pages have no end")


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize(("order", "key"), [pytest.param(*rest, id=name) for name, *rest in ORDERS])
def test_every_row_once_and_in_order_while_others_come_and_go(
    session: Session, order: tuple[Any, ...], key: Key, size: int
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    session.add_all(part(chance) for _ in range(40))
    session.commit()
    stayed = set(session.scalars(select(Part.id)))

    def meanwhile() -> None:
        session.add_all(part(chance) for _ in range(chance.randrange(2)))
        gone = chance.choice(session.scalars(select(Part)).all())
        if chance.random() < 0.5:
            stayed.discard(gone.id)
            session.delete(gone)
        session.commit()

    whole = list(session.scalars(after(select(Part.id), order, None, size=1000)))
    assert walk(session, order, key, size, lambda: None) == whole
    found = walk(session, order, key, size, meanwhile)
    assert len(found) == len(set(found))
    assert stayed <= set(found)


def test_null_stands_where_it_is_said(session: Session) -> None:
    session.add_all(part(random.Random(n)) for n in range(20))
    session.commit()
    for order, first in ((Part.sold.desc(), False), (Part.sold, False), (Part.sold.nulls_first(), True)):
        sold = [one.sold is None for one in session.scalars(after(select(Part), (order, Part.id), None, size=50))]
        assert {True, False} == set(sold)
        assert sold == sorted(sold, reverse=first)


async def test_an_async_session_and_a_statement_of_ones_own() -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    chance = random.Random(7)
    async with AsyncSession(engine) as session:
        session.add_all(part(chance) for _ in range(30))
        await session.commit()
        statement = select(Part).where(Part.shelf == 1).order_by(Part.name)  # the order is ours
        order = (Part.id.desc(),)
        first = keyset(await session.scalars(after(statement, order, None, size=3)), size=3, key=lambda p: p.id)
        second = keyset(await session.scalars(after(statement, order, first.next, size=3)), size=3, key=lambda p: p.id)
    await engine.dispose()
    ids = [one.id for one in first.items + second.items]
    assert ids == sorted(ids, reverse=True)
    assert {one.shelf for one in first.items} == {1}


def test_a_key_of_several_columns_tells_rows_apart_and_a_part_of_it_does_not(session: Session) -> None:
    session.add_all(Line(order=n // 3, number=n % 3) for n in range(9))
    session.commit()
    order = (Line.order.desc(), Line.number.asc())
    page = keyset(session.scalars(after(select(Line), order, None, size=4)), size=4, key=lambda x: (x.order, x.number))
    rest = session.scalars(after(select(Line), order, page.next, size=20)).all()
    assert [(x.order, x.number) for x in [*page.items, *rest]] == [(o, n) for o in (2, 1, 0) for n in (0, 1, 2)]
    with pytest.raises(ConfigurationError, match=r"line\.order"):
        after(select(Line), (Line.order,), None)


@pytest.mark.parametrize("order", [(), (Part.name,), (Part.sold.desc(), Part.shelf)])
def test_an_order_in_which_rows_may_be_equal_is_refused(order: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError):
        after(select(Part), order, None)


@pytest.mark.parametrize(
    "values",
    [
        (1,),
        (1, 2, 3),
        ("1", 2),
        (datetime(2026, 1, 1), "2"),
        (datetime(2026, 1, 1), None),
        (date(2026, 1, 1), 2),
        (True, 2),
    ],
    ids=repr,
)
def test_a_cursor_of_another_order_is_refused(values: tuple[Any, ...]) -> None:
    with pytest.raises(BadCursor, match="first page"):
        after(select(Part), (Part.sold.desc(), Part.id), write_cursor(values))


def test_nothing_may_stand_for_what_may_be_null() -> None:
    after(select(Part), (Part.sold.desc(), Part.id), write_cursor((None, 2)))
    with pytest.raises(BadCursor):
        after(select(Part), (Part.shelf, Part.id), write_cursor((None, 2)))


def test_an_index_can_begin_where_the_page_does() -> None:
    """The first column is compared outside of the OR, and columns that are never NULL are ordered by alone."""
    statement = after(select(Part.id), (Part.shelf.desc(), Part.id.asc()), write_cursor((2, 7)), size=5)
    sql = str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
    assert "part.shelf <= 2 AND (part.shelf < 2 OR part.shelf = 2 AND part.id > 7)" in sql
    assert sql.endswith("ORDER BY part.shelf DESC, part.id ASC \n LIMIT 6")
    nulls = str(after(select(Part.id), (Part.sold.desc(), Part.id), None).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "ORDER BY CASE WHEN (part.sold IS NULL)" in nulls


def test_the_cursor_is_what_the_row_holds(session: Session) -> None:
    session.add(part(random.Random(1)))
    session.add(part(random.Random(2)))
    session.commit()
    key: Key = lambda p: (p.price, p.weight, p.seen, p.code, p.id)  # noqa: E731
    page = keyset(session.scalars(select(Part)), size=1, key=key)
    assert read_cursor(page.next) == key(page.items[0])
