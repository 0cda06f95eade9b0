"""Regions that fetch themselves when a record changes. Used by docs/howto/entities.md."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import ForeignKey, StaticPool, create_engine, func, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import Watched, publish_changes

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]
    paid: Mapped[bool] = mapped_column(default=False)


engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
sessions = sessionmaker(engine)

publish_changes(
    rt,
    sessions,
    {
        Customer: "customer",
        Invoice: Watched("invoice", parent=lambda invoice: ("customer", invoice.customer_id)),
    },
)

with sessions() as first:
    first.add_all([Customer(id=3, name="Mill Street 14"), Invoice(id=7, customer_id=3, amount=120)])
    first.commit()


def session():
    with sessions() as db:
        yield db


Db = Annotated[Session, Depends(session)]


@app.get("/customers/{id}")
def customer(request: Request, db: Db, id: int):
    context = {"customer": db.get_one(Customer, id), "invoices": invoices_of(db, id), "open": still_open(db)}
    return templates.TemplateResponse(request, "customer.html", context)


@app.get("/customers/{id}/invoices")
def invoices(request: Request, db: Db, id: int):
    return templates.TemplateResponse(request, "invoices.html", {"invoices": invoices_of(db, id)})


@app.get("/open")
def total(request: Request, db: Db):
    return templates.TemplateResponse(request, "open.html", {"open": still_open(db)})


@app.post("/customers/{id}/invoices")
def write(db: Db, id: int, amount: Annotated[int, Form()]):
    db.add(Invoice(customer_id=id, amount=amount))
    db.commit()
    return RedirectResponse(f"/customers/{id}", 303)


@app.post("/invoices/paid")
def all_paid(db: Db):
    db.execute(update(Invoice).values(paid=True))
    rt.changed("invoice", after=db)
    db.commit()
    return RedirectResponse("/customers/3", 303)


@app.post("/invoices/{id}/paid")
def paid(db: Db, id: int):
    changed = update(Invoice).where(Invoice.id == id).values(paid=True).returning(Invoice.customer_id)
    owner = db.scalars(changed).one()
    rt.changed("invoice", id, "updated", parent=("customer", owner), after=db)
    db.commit()
    return RedirectResponse(f"/customers/{owner}", 303)


def invoices_of(db: Session, id: int):
    return db.scalars(select(Invoice).where(Invoice.customer_id == id).order_by(Invoice.id)).all()


def still_open(db: Session) -> int:
    return db.scalar(select(func.sum(Invoice.amount)).where(Invoice.paid.is_(False))) or 0


app.add_middleware(RealtimeMiddleware, rt=rt)
