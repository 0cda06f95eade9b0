"""Publishing and the database: after the commit, never before."""

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from htmx_rt import Realtime


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    dish: Mapped[str]


def add(db: Session, rt: Realtime, dish: str) -> None:
    order = Order(dish=dish)
    db.add(order)
    db.commit()
    rt.topic("kitchen").append("#orders", rt.render("order.html", number=order.id, dish=order.dish))


def add_later(db: Session, rt: Realtime, dish: str) -> None:
    order = Order(dish=dish)
    db.add(order)
    db.flush()  # gives it an id
    row = rt.render("order.html", number=order.id, dish=order.dish)
    rt.topic("kitchen").append("#orders", row, after=db)  # sent by whoever commits, dropped at a rollback


def clear(db: Session, rt: Realtime) -> None:
    with rt.topic("kitchen").batch(after=db) as everybody:
        for order in db.scalars(select(Order)):
            db.delete(order)
            everybody.remove(f"#order-{order.id}")
    db.commit()
