"""Who works on the board, and how they sign in. A real app has a table and a password; the demo lets you choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, User


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    role: str

    @property
    def first(self) -> str:
        return self.name.split()[0]


PEOPLE = {
    person.id: person
    for person in (
        Person("ada", "Ada Okafor", "Opening the shop"),
        Person("grace", "Grace Lindqvist", "Front desk"),
        Person("jonas", "Jonas Weber", "Building and permits"),
        Person("mateo", "Mateo Ruiz", "Workshop"),
        Person("mei", "Mei Tanaka", "Website and print"),
        Person("priya", "Priya Nair", "Money"),
    )
}


class SignedOut(Exception):
    """Raised for a page that needs somebody, and nobody is signed in."""


def identify(request: Request) -> User | None:
    """Tell htmx-rt who asks; called when a page subscribes, and again while it stays open."""
    person = PEOPLE.get(request.session.get("person", ""))
    return User(person.id, person.name) if person else None


def somebody(request: Request) -> Person:
    person = PEOPLE.get(request.session.get("person", ""))
    if person is None:
        raise SignedOut
    return person


Me = Annotated[Person, Depends(somebody)]


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter()

    @router.get("/sign-in")
    async def choose(request: Request) -> Response:
        return templates.TemplateResponse(request, "sign_in.html")

    @router.post("/sign-in")
    async def sign_in(request: Request, person: Annotated[str, Form()] = "") -> Response:
        if person not in PEOPLE:
            return templates.TemplateResponse(request, "sign_in.html", {"refused": True}, status_code=422)
        request.session["person"] = person
        return RedirectResponse("/", 303)

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        request.session.clear()
        rt.sign_out()  # ends the streams of this browser's other tabs
        return RedirectResponse("/sign-in", 303)

    return router
