"""Booking a test ride: a form that is checked while it is filled in, also for what only the server knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from database import session
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from models import Base, in_words
from sign_in import Me
from sqlalchemy import Connection, Table, UniqueConstraint, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from htmx_rt import Realtime

BIKES = {  # name: what it is, and for whom it is built, in centimetres
    "Heron": ("city bike", 158, 195),
    "Kite": ("gravel bike", 164, 192),
    "Wren": ("folding bike", 145, 190),
    "Osprey": ("cargo bike", 165, 200),
}
TIMES = tuple(f"{hour}:{minute}" for hour in range(10, 18) for minute in ("00", "30"))
FIELDS = ("name", "email", "bike", "height", "day", "time")
AHEAD = 21  # days

Db = Annotated[AsyncSession, Depends(session)]


class Ride(Base):
    __tablename__ = "ride"
    __table_args__ = (UniqueConstraint("bike", "day", "time"),)  # whoever checks first, nobody gets a bike twice

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    bike: Mapped[str]
    height: Mapped[int]
    day: Mapped[date]
    time: Mapped[str]

    @property
    def when(self) -> str:
        return f"{in_words(self.day)}, {self.time}"


async def problems(db: AsyncSession, values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong, by field."""
    wrong = {}
    if not values["name"]:
        wrong["name"] = "Who is going to ride?"
    elif len(values["name"]) > 80:
        wrong["name"] = "80 characters fit."
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}", values["email"]):
        wrong["email"] = "An address such as nora@example.org." if values["email"] else "Where do we confirm?"
    if values["bike"] not in BIKES:
        wrong["bike"] = "Choose a bike."
    if values["time"] not in TIMES:
        wrong["time"] = "Choose a time."
    wrong |= _height(values["height"], values["bike"])
    day = _day(values["day"])
    if day is None:
        wrong["day"] = "Choose a day."
    elif not date.today() <= day <= date.today() + timedelta(days=AHEAD):
        wrong["day"] = f"Choose a day in the next {AHEAD // 7} weeks."
    elif day.weekday() == 6:
        wrong["day"] = "The shop is closed on Sundays."
    elif not {"bike", "time"} & wrong.keys():
        taken = set(await db.scalars(select(Ride.time).where(Ride.bike == values["bike"], Ride.day == day)))
        if values["time"] in taken:
            free = next((time for time in TIMES if time > values["time"] and time not in taken), "")
            wrong["time"] = f"The {values['bike']} is out at {values['time']}." + (f" {free} is free." if free else "")
    return wrong


def _height(text: str, bike: str) -> dict[str, str]:
    if not re.fullmatch(r"[0-9]{2,3}", text):
        return {"height": "In centimetres, such as 172."}
    _, least, most = BIKES.get(bike, ("", 120, 220))
    if not least <= int(text) <= most:
        return {"height": f"The {bike} fits from {least} to {most} cm." if bike in BIKES else "From 120 to 220 cm."}
    return {}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        return None


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter(prefix="/dashboard/rides")

    async def page(
        request: Request, db: AsyncSession, values: Mapping[str, str], errors: Any = None, status: int = 200
    ) -> Response:
        context = {
            "values": values,
            "errors": errors or {},
            "bikes": BIKES,
            "times": TIMES,
            "least": date.today().isoformat(),
            "most": (date.today() + timedelta(days=AHEAD)).isoformat(),
            "rides": await coming(db),
        }
        return templates.TemplateResponse(request, "rides.html", context, status_code=status)

    @router.get("")
    async def look(request: Request, db: Db, me: Me) -> Response:
        return await page(request, db, dict.fromkeys(FIELDS, ""))

    @router.get("/list")
    async def listed(request: Request, db: Db, me: Me) -> Response:
        if not rt.is_htmx(request):
            return RedirectResponse("/dashboard/rides", 303)
        return templates.TemplateResponse(request, "ride_list.html", {"rides": await coming(db)})

    @router.post("")
    async def book(request: Request, db: Db, me: Me) -> Response:
        form = await request.form()
        values = {name: str(form.get(name) or "").strip() for name in FIELDS}
        errors = rt.errors(await problems(db, values))
        if answer := rt.validation(request, errors):  # asked while it was filled in, or refused
            return answer
        if errors:
            return await page(request, db, values, errors, 422)
        ride = Ride(**values | {"height": int(values["height"]), "day": date.fromisoformat(values["day"])})
        db.add(ride)
        try:
            rt.changed("ride", after=db)
            await db.commit()
        except IntegrityError:  # somebody else has pressed the button a moment before
            await db.rollback()
            errors = rt.errors(await problems(db, values))
            return rt.validation(request, errors) or await page(request, db, values, errors, 422)
        rt.toast(f"{ride.name} rides the {ride.bike}: {ride.when}.", level="success")
        if rt.is_htmx(request):
            return Response(status_code=204, headers={"HX-Redirect": "/dashboard/rides"})
        return RedirectResponse("/dashboard/rides", 303)

    return router


async def coming(db: AsyncSession) -> Any:
    """Return the next rides, the soonest first."""
    ahead = select(Ride).where(Ride.day >= date.today()).order_by(Ride.day, Ride.time, Ride.id)
    return (await db.scalars(ahead.limit(12))).all()


@event.listens_for(Ride.__table__, "after_create")
def _first_rides(table: Table, connection: Connection, **_: Any) -> None:
    day = datetime.now().date()
    days = [one for one in (day + timedelta(days=ahead) for ahead in range(1, 6)) if one.weekday() != 6]
    rows = (
        ("Nora Falk", "nora@falk.example", "Heron", 171, days[0], "10:30"),
        ("Omar Haddad", "omar@haddad.example", "Kite", 181, days[0], "14:00"),
        ("Ines Moreau", "ines@moreau.example", "Osprey", 168, days[1], "11:00"),
    )
    connection.execute(table.insert(), [dict(zip(FIELDS, row, strict=True)) for row in rows])
