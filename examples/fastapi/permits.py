"""A long form in three steps that nobody has to fill in at one sitting: what is typed is kept as a draft.

The steps are parts of one form. With scripts one is shown at a time, and which one is in the address; without, all are.
"""

from __future__ import annotations

import re
from typing import Any

from database import session
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from models import Base
from sign_in import Me
from sqlalchemy import JSON, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from htmx_rt import Realtime

DRAFT = "permit"
STEPS = {"event": "The event", "place": "The place", "people": "People and safety"}
REQUIRED = {  # field: its step, and what to say where it is empty
    "title": ("event", "Say what the event is called."),
    "day": ("event", "Choose the day."),
    "visitors": ("event", "Estimate how many people will come."),
    "street": ("place", "Name the street or square."),
    "closing": ("place", "Say whether traffic has to be stopped."),
    "organiser": ("people", "Say who answers for the event."),
    "phone": ("people", "Give a number that is answered on the day."),
    "agreed": ("people", "The city needs you to agree to this."),
}
MANY = ("needs",)  # boxes of which several may be ticked
LONGEST = 4000  # characters of one answer


class Permit(Base):
    __tablename__ = "permit"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    by: Mapped[str]
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)


class PermitForm:
    """The answers as typed, from a form or a draft of it."""

    def __init__(self, given: Any) -> None:
        self.given = given
        self.errors: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return str(self.given.get(name, "") or "").strip()

    def all(self, name: str) -> list[str]:
        return [str(one) for one in self.given.getlist(name)]

    def check(self) -> bool:
        self.errors = {name: why for name, (_, why) in REQUIRED.items() if not self[name]}
        if self["visitors"] and not re.fullmatch(r"[0-9]{1,6}", self["visitors"]):
            self.errors["visitors"] = "Write a number, such as 250."
        for name in list(self.given):
            if len(self[name]) > LONGEST:
                self.errors[name] = f"This is {len(self[name])} characters long; {LONGEST} fit."
        return not self.errors

    @property
    def step(self) -> str:
        """The first step in which something is missing."""
        wrong = {REQUIRED.get(name, ("event", ""))[0] for name in self.errors}
        return next((step for step in STEPS if step in wrong), "event")

    @property
    def answers(self) -> dict[str, Any]:
        return {name: self.all(name) if name in MANY else self[name] for name in self.given}


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter(prefix="/permit")

    def answer(request: Request, name: str, status: int = 200, **context: Any) -> Response:
        """A part of the page for htmx, else the page around it."""
        if not rt.is_htmx(request):
            context["part"], name = name, "permit.html"
        return templates.TemplateResponse(request, name, {"steps": STEPS} | context, status_code=status)

    @router.get("")
    async def write(request: Request, me: Me) -> Response:
        draft = await rt.drafts.get(DRAFT)
        asked = request.query_params.get("step")
        step = asked if asked in STEPS else "event"
        return answer(request, "permit_form.html", form=PermitForm(draft), draft=draft, step=step)

    @router.post("")
    async def send(request: Request, me: Me, db: AsyncSession = Depends(session)) -> Response:  # noqa: B008
        form = PermitForm(await request.form())
        if not form.check():
            draft = await rt.drafts.get(DRAFT)
            response = answer(request, "permit_form.html", 422, form=form, draft=draft, step=form.step)
            # The step is in the address, which decides; and this address is that of the page.
            response.headers.update({"RT-Problem": "validation", "HX-Replace-Url": f"/permit?step={form.step}"})
            return response
        permit = Permit(title=form["title"], by=me.first, answers=form.answers)
        db.add(permit)
        await db.commit()
        await rt.drafts.done(DRAFT)
        if not rt.is_htmx(request):
            return RedirectResponse(f"/permit/{permit.id}", 303)
        response = answer(request, "permit_sent.html", permit=permit)
        response.headers["HX-Replace-Url"] = f"/permit/{permit.id}"
        return response

    @router.get("/{id}")
    async def sent(request: Request, me: Me, id: int, db: AsyncSession = Depends(session)) -> Response:  # noqa: B008
        permit = (await db.scalars(select(Permit).where(Permit.id == id))).one_or_none()
        if permit is None:
            return RedirectResponse("/permit", 303)
        return answer(request, "permit_sent.html", permit=permit)

    return router
