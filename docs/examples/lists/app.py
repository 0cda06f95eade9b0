"""Long lists, badges, highlights. Used by docs/howto/lists.md and docs/howto/badges.md."""

import os

from fastapi import FastAPI, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.contrib.sqlalchemy import after
from htmx_rt.exceptions import BadCursor
from htmx_rt.paging import keyset

rt = Realtime(secret=os.environ["RT_SECRET"], identify=lambda request: request.cookies.get("who", "ada"))
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")
engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "message"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int]
    text: Mapped[str]


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    bike: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")


Base.metadata.create_all(engine)
with Session(engine) as db:
    db.add_all(Message(at=n, text=f"Message {n}") for n in range(1, 61))
    db.add_all(Order(bike=f"Bicycle {n}") for n in range(1, 51))
    db.commit()
PEOPLE = ("ada", "grace")
unread: dict[str, int] = {}


def whoever(request: Request) -> str:
    return request.cookies.get("who", "ada")


def show(request: Request, name: str, db: Session, **context) -> Response:
    context |= {"open": db.query(Order).filter_by(state="open").count(), "unread": unread.get(whoever(request), 0)}
    return templates.TemplateResponse(request, name, context)


def orders_after(db: Session, cursor: str | None):
    statement = after(select(Order), (Order.id.desc(),), cursor, size=20)
    return keyset(db.scalars(statement), size=20, key=lambda order: order.id)


@app.get("/")
def orders(request: Request, after: str | None = None):
    with Session(engine) as db:
        try:
            page = orders_after(db, after)
        except BadCursor:
            page = orders_after(db, None)
        return show(request, "more_orders.html" if rt.is_htmx(request) else "orders.html", db, page=page)


@app.post("/orders")
def order(bike: str = Form()):
    with Session(engine) as db:
        db.add(new := Order(bike=bike))
        db.commit()
        rt.topic("orders").prepend("#orders", rt.render("order.html", order=new))
        rt.topic("orders").badge("orders", db.query(Order).filter_by(state="open").count())
    return RedirectResponse("/", 303)


@app.post("/orders/{id}/done")
def done(id: int):
    with Session(engine) as db:
        found = db.get_one(Order, id)
        found.state = "done"
        db.commit()
        rt.topic("orders").replace(f"#order-{id}", rt.render("order.html", order=found))
        rt.topic("orders").badge("orders", db.query(Order).filter_by(state="open").count())
    return Response(status_code=204)


@app.get("/room")
def room(request: Request, before: str | None = None):
    with Session(engine) as db:
        statement = after(select(Message), (Message.at.desc(), Message.id.desc()), before, size=20)
        page = keyset(db.scalars(statement), size=20, key=lambda message: (message.at, message.id))
        page.items.reverse()  # fetched from the newest on, read from the oldest on
        read(whoever(request))
        return show(request, "room.html", db, page=page)


@app.post("/room")
def say(request: Request, text: str = Form()):
    with Session(engine) as db:
        db.add(new := Message(at=db.query(Message).count() + 1, text=text))
        db.commit()
        rt.topic("room").append("#messages", rt.render("message.html", message=new))
    for who in PEOPLE:
        if who != whoever(request):
            unread[who] = unread.get(who, 0) + 1
            rt.user(who).badge("unread", unread[who])
    return RedirectResponse("/room", 303)


def read(who: str):
    if unread.pop(who, 0):
        rt.user(who).badge("unread", 0)


app.add_middleware(RealtimeMiddleware, rt=rt)
