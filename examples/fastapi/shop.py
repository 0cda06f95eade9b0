"""What the shop knows of its day: parts, orders, bikes to repair, sales, the road outside, what suppliers ask.

Parts, orders and test rides are in the database. The rest stands in for a till, a weather service and a supplier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from models import Base
from people import PEOPLE, Person
from sqlalchemy import Connection, Index, Table, event, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

CUSTOMERS = (
    ("Nora Falk", "Pannier rack and two straps"),
    ("Lindenhof School", "12 reflective vests, size S"),
    ("Omar Haddad", "Brake pads, resin, two pairs"),
    ("Mill Street Bakery", "Puncture-proof tyres, 20 inch"),
    ("Sofia Brandt", "Helmet, size M, sage"),
    ("Courier Collective", "Six inner tubes 28 inch"),
    ("Ines Moreau", "Bell and a basket"),
    ("Tom Okoro", "Chain, 11-speed, and a quick link"),
)


class Part(Base):
    __tablename__ = "part"
    __table_args__ = (Index("part_low", "reorder_at", "stock"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    brand: Mapped[str] = mapped_column(default="")
    cents: Mapped[int] = mapped_column(default=0)
    stock: Mapped[int] = mapped_column(default=0)
    reorder_at: Mapped[int] = mapped_column(default=0)  # 0: nobody minds when it runs out

    @property
    def price(self) -> str:
        return euros(self.cents)


class Order(Base):
    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    what: Mapped[str]
    at: Mapped[datetime]
    packed_by: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)

    @property
    def number(self) -> str:
        return f"K-{1200 + self.id}"


@dataclass(frozen=True)
class Repair:
    ticket: str
    bike: str
    what: str
    person: Person
    state: str
    due: str


@dataclass(frozen=True)
class Sales:
    takings: str
    receipts: int
    average: str
    rides: int


@dataclass(frozen=True)
class Roads:
    degrees: int
    sky: str
    wind: str
    routes: Sequence[tuple[str, str, str]]  # name, state (good, wet, closed), in words


@dataclass(frozen=True)
class Quote:
    """What a supplier asks for a part now, and how much more or less that is than before."""

    slot: int
    name: str
    cents: int
    before: int
    tick: int

    @property
    def price(self) -> str:
        return euros(self.cents)

    @property
    def change(self) -> str:
        by = self.cents - self.before
        return f"{'+' if by > 0 else '−'}{abs(by) / 100:.2f}" if by else "±0.00"

    @property
    def way(self) -> str:
        return "up" if self.cents > self.before else "down" if self.cents < self.before else "same"


def euros(cents: int) -> str:
    return f"€ {cents / 100:,.2f}"


async def low_stock(db: AsyncSession) -> Sequence[Part]:
    """Return the five parts that are needed most."""
    low = select(Part).where(Part.reorder_at > 0, Part.stock < Part.reorder_at)
    return (await db.scalars(low.order_by(Part.stock * 1.0 / Part.reorder_at, Part.name).limit(5))).all()


async def open_orders(db: AsyncSession) -> Sequence[Order]:
    return (await db.scalars(select(Order).where(Order.packed_by == "").order_by(Order.id))).all()


async def count_open(db: AsyncSession) -> int:
    return await db.scalar(select(func.count()).select_from(Order).where(Order.packed_by == "")) or 0


async def take_order(db: AsyncSession) -> Order:
    """Note the order of the next customer."""
    last = await db.scalar(select(func.max(Order.id))) or 0
    customer, what = CUSTOMERS[last % len(CUSTOMERS)]
    order = Order(customer=customer, what=what, at=datetime.now(), packed_by="")
    db.add(order)
    await db.flush()
    return order


async def pack(db: AsyncSession, id: int, by: str) -> Order | None:
    """Note who has packed an order, or return None where somebody has before."""
    waiting = update(Order).where(Order.id == id, Order.packed_by == "")
    changed = waiting.values(packed_by=by, version=Order.version + 1).returning(Order)
    return (await db.scalars(changed)).one_or_none()


def sales(now: datetime) -> Sales:
    """Return what the till says: it grows from opening to closing time."""
    gone = min(max((now.hour * 60 + now.minute - 9 * 60) / (10 * 60), 0.04), 1.0)  # of the day, 9 to 19
    receipts = 2 + int(46 * gone)
    usual = (1290, 2490, 3900, 5450, 8900, 24900)
    cents = sum(Random(f"{now:%j}-{number}").choice(usual) for number in range(receipts))
    return Sales(f"€ {cents // 100:,}", receipts, euros(cents // receipts), 1 + int(6 * gone))


def in_the_shop(now: datetime) -> tuple[int, int]:
    """Return how many customers are in the shop, and how many are out on a test ride."""
    minute = now.hour * 60 + now.minute
    return 3 + round(2 * math.sin(minute / 7)), 1 + minute // 9 % 2


def repairs() -> Sequence[Repair]:
    def repair(ticket: int, bike: str, what: str, person: str, state: str, due: str) -> Repair:
        return Repair(f"R-{ticket}", bike, what, PEOPLE[person], state, due)

    return (
        repair(318, "Falter city bike", "Back wheel out of true", "mateo", "On the stand", "Today, 14:00"),
        repair(319, "Cargo bike of the bakery", "Brake discs and pads", "mateo", "Waiting for parts", "Today, 18:00"),
        repair(321, "Kestrel Heron, rental 2", "Small service", "jonas", "On the stand", "Tomorrow"),
        repair(322, "Child’s bike, 20 inch", "Chain jumps, gear cable", "grace", "Waiting", "Tomorrow"),
        repair(324, "Peugeot mixte, 1961", "Cotter pins, bottom bracket", "mateo", "Waiting", "On Friday"),
    )


def roads(now: datetime) -> Roads:
    """Return what the road is like for a test ride."""
    return Roads(
        degrees=(9, 12, 14, 11, 8, 13, 15)[now.weekday()],
        sky=("Light cloud", "Sunny spells", "Clear", "Overcast")[now.day % 4],
        wind="Wind from the west, 14 km/h",
        routes=(
            ("River loop, 4 km", "good", "Dry"),
            ("Castle hill, 6 km", "wet", "Wet leaves"),
            ("Mill Lane, 2 km", "closed", "Closed until 17:00"),
        ),
    )


SUPPLIERS = (
    ("Bergmann Wheels", "28 inch rims", "from Monday 4 % more"),
    ("Nordlicht Lighting", "Hub dynamos", "unchanged since March"),
    ("Two Rivers Leather", "Saddles and grips", "10 % less from six pieces"),
)

# The ticker. What costs how much is worked out from the time alone: so all workers say the same, and nothing is kept.
TRADED = (
    ("Chain, 11-speed", 2490), ("Inner tube, 28 inch", 690), ("Brake pads, resin", 1180), ("Tyre, 37-622", 3290),
    ("Cassette, 11-34", 4750), ("Saddle, sprung", 5890), ("LED front light", 3990), ("Bottle cage", 1240),
)  # fmt: skip
TICK = 0.4  # seconds


def slot_of(tick: int) -> int:
    """Return which part changes its price at a tick: each once in a round, in another order every time."""
    return _round(tick // len(TRADED))[tick % len(TRADED)]


def quote(slot: int, tick: int) -> Quote:
    """Return what a part costs at a tick."""
    last = _last(slot, tick)
    now, before = _cents(slot, last), _cents(slot, _last(slot, last - 1))
    return Quote(slot, TRADED[slot][0], now, before, last)


def _round(number: int) -> list[int]:
    return Random(number).sample(range(len(TRADED)), len(TRADED))


def _last(slot: int, tick: int) -> int:
    number, size = tick // len(TRADED), len(TRADED)
    at = number * size + _round(number).index(slot)
    return at if at <= tick else (number - 1) * size + _round(number - 1).index(slot)


def _cents(slot: int, tick: int) -> int:
    return round(TRADED[slot][1] * Random(f"{slot}-{tick}").uniform(0.96, 1.04) / 5) * 5


@event.listens_for(Part.__table__, "after_create")
def _first_parts(table: Table, connection: Connection, **_: Any) -> None:
    rows = (
        ("KC-1007", "Brake pads, resin, pair", "Hagen", 1180, 2, 12), ("KC-1012", "Chain, 11-speed", "Solin", 2490, 3, 10),
        ("KC-1019", "Inner tube, 28 inch", "Volta", 690, 14, 40), ("KC-1023", "Gear cable, slick", "Hagen", 790, 6, 15),
        ("KC-1031", "Pannier rack, black", "Orbit", 4450, 1, 4), ("KC-1040", "Tyre, 37-622, reflective", "Volta", 3290, 9, 16),
        ("KC-1044", "Saddle, sprung", "Two Rivers", 5890, 8, 3), ("KC-1052", "LED front light", "Nordlicht", 3990, 17, 6),
        ("KC-1060", "Bottle cage", "Orbit", 1240, 23, 5), ("KC-1066", "Helmet, size M", "Cap&Co", 7900, 5, 4),
        ("KC-1071", "Bell, brass", "Orbit", 1490, 31, 8), ("KC-1080", "Grips, cork", "Two Rivers", 2290, 12, 6),
    )  # fmt: skip
    names = ("sku", "name", "brand", "cents", "stock", "reorder_at")
    connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])


@event.listens_for(Order.__table__, "after_create")
def _first_orders(table: Table, connection: Connection, **_: Any) -> None:
    now = datetime.now().replace(second=0, microsecond=0)
    for number, (customer, what) in enumerate(CUSTOMERS[:3]):
        at = now - timedelta(minutes=55 - 21 * number)
        connection.execute(table.insert().values(customer=customer, what=what, at=at, packed_by="", version=1))
