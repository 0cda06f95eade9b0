"""Who works on the board. A real app has a table and passwords; the demo lets you choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from htmx_rt import User


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


def identify(request: Any) -> User | None:
    """Tell htmx-rt who asks; called when a page subscribes, and again while it stays open."""
    person = PEOPLE.get(request.session.get("person", ""))
    return User(person.id, person.name) if person else None


def somebody(request: Any) -> Person:
    """Return who is signed in. Raised if nobody is: `SignedOut`."""
    person = PEOPLE.get(request.session.get("person", ""))
    if person is None:
        raise SignedOut
    return person
