"""A document of the shop: what is kept of it, how two changes of it are put together, and what it must look like.

No framework in here, and no async.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from models import Base, in_words
from sqlalchemy import Connection, Table, event
from sqlalchemy.orm import Mapped, mapped_column

from htmx_rt.contrib.sqlalchemy import Fenced
from htmx_rt.merge import Text, flag, number, text, whole, words

KINDS = ("Offer", "Instructions", "Agreement", "Letter")
LONGEST = {"title": 100, "text": 20_000, "tags": 200}  # characters
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MONEY = re.compile(r"[0-9]{1,6}(\.[0-9]{1,2})?")

# Prices are read as numbers, so that 24 and 24.00 are the same, but two new ones are not added up.
money = replace(number, merge=whole.merge)
FIELDS = {"title": whole, "text": text, "kind": whole, "price": money, "tags": words, "published": flag}
LABELS = {"published": "On the website"}
# What it is called, what it does, and how to see that; by preset, and without one for reading.
WAYS: dict[str, tuple[str, str, str]] = {
    "": (
        "Read",
        "This page follows the document.",
        "Change it over there, archive it or delete it, and see what happens here.",
    ),
    "detect": (
        "Detect",
        "Whoever saves second is shown what the first one did, and decides.",
        "Save another price over there, then another title here.",
    ),
    "merge": (
        "Merge",
        "Changes that fit together are put together; only what both of you changed is asked about.",
        "Save another price over there and then a title here. Then both change the first line of the text.",
    ),
    "live": (
        "Live",
        "What one of you saves appears in the other’s open form, but never over what is being typed there.",
        "Type a title here, and save other tags and another title over there.",
    ),
    "lock": (
        "Lock",
        "Whoever begins to write has the document; the other one reads until it is free.",
        "Type here, try to type over there, then press “Save and let others edit”.",
    ),
    "owner": (
        "Owner",
        "One of you writes, and the other one reads along, letter by letter, before anything is saved.",
        "Type here and watch the form over there. Then ask for it over there, or close this page.",
    ),
}


class Document(Fenced, Base):
    # Fenced: each UPDATE compares `lock_version` and counts it up; `lock_fence` is of the last lock it was saved under.

    __tablename__ = "document"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    kind: Mapped[str]
    cents: Mapped[int | None]
    tags: Mapped[str] = mapped_column(default="")
    published: Mapped[bool] = mapped_column(default=False)
    archived: Mapped[bool] = mapped_column(default=False)
    saved_by: Mapped[str]
    saved_at: Mapped[datetime]
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id is never given to a second document

    @property
    def price(self) -> Decimal | None:
        return None if self.cents is None else Decimal(self.cents).scaleb(-2)

    @price.setter
    def price(self, price: Decimal | None) -> None:
        self.cents = None if price is None else int(price * 100)

    @property
    def amount(self) -> str:
        return "" if self.price is None else f"€ {self.price:,.2f}"

    @property
    def tag_list(self) -> list[str]:
        return [tag.strip() for tag in self.tags.split(",") if tag.strip()]

    @property
    def saved_words(self) -> str:
        return f"{in_words(self.saved_at.date())} {self.saved_at:%H:%M}"


def _line(value: Text) -> str:
    return _CONTROL.sub(" ", str(value)).strip()


# What becomes of form text in the columns. Only after `problems` has found none.
PARSE = {"title": _line, "tags": _line, "price": lambda value: Decimal(value) if value else None, "published": bool}


def blank() -> dict[str, Any]:
    """The values of a form for a new document."""
    return {"title": "", "text": "", "kind": KINDS[0], "price": "", "tags": "", "published": ""}


def problems(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the values of a form, by field."""
    found = {}
    for name, longest in LONGEST.items():
        if len(values[name]) > longest:
            found[name] = f"This is {len(values[name]):,} characters long; {longest:,} fit."
    if not _line(values["title"]):
        found["title"] = "Give the document a title."
    if values["kind"] not in KINDS:
        found["kind"] = f"Choose one of: {', '.join(KINDS)}."
    if values["price"] and not _MONEY.fullmatch(values["price"]):
        found["price"] = "Write the price as 24.50, or leave it empty."
    return {name: found[name] for name in FIELDS if name in found}  # in the order of the form


class Wrong(Exception):
    """Raised where what would be saved is no document."""

    def __init__(self, document: Document, values: Mapping[str, Any], bad: Mapping[str, str]) -> None:
        super().__init__(bad)
        self.document, self.values, self.bad = document, values, bad


def sign(document: Document, by: str) -> None:
    """Note who has written it last."""
    document.saved_by, document.saved_at = by, datetime.now()


@event.listens_for(Document.__table__, "after_create")
def _begin(table: Table, connection: Connection, **_: Any) -> None:
    """Put something in the drawer."""
    connection.execute(table.insert(), _believable_documents())


def _believable_documents() -> list[dict[str, Any]]:
    now = datetime.now().replace(second=0, microsecond=0)

    def document(
        title: str, kind: str, price: str, tags: str, by: str, hours: int, text: str, *, published: bool = False
    ) -> dict[str, Any]:
        return {
            "title": title,
            "kind": kind,
            "cents": int(Decimal(price) * 100) if price else None,
            "tags": tags,
            "saved_by": by,
            "saved_at": now - timedelta(hours=hours),
            "text": text.strip(),
            "published": published,
        }

    return [
        document(
            "What a small service includes",
            "Offer",
            "49.00",
            "workshop, prices",
            "Mateo",
            3,
            """
Brakes adjusted, pads checked for wear.
Gears set, cable ends capped.
Chain cleaned, measured and oiled.
Every bolt that holds you up, at the right torque.
Tyres pumped up and looked over for glass.

Done while you wait before noon, or by the next evening.
Parts are extra, and nobody is sold a chain that has life in it.
""",
            published=True,
        ),
        document(
            "Rental terms for the three city bikes",
            "Agreement",
            "22.00",
            "rental, counter",
            "Grace",
            27,
            """
A day is from opening to closing time.
An identity card stays with us, no deposit in cash.
Lock, lights and a patch kit are included.

A puncture is on us, a lost key is 15 euros.
Bikes that come back after closing cost half a day more.
""",
            published=True,
        ),
        document(
            "Before you call it done: the workshop list",
            "Instructions",
            "",
            "workshop, safety",
            "Mateo",
            52,
            """
Spin both wheels and listen.
Pull both brakes hard, once standing and once rolling.
Shift through every gear under load.
Ride it around the block, with the helmet on.
Write the date and your name on the ticket.
""",
        ),
        document(
            "Letter to the neighbours about the opening day",
            "Letter",
            "",
            "opening",
            "Ada",
            75,
            """
Dear neighbours,

on Saturday the shop at Mill Street 14 opens its doors.
There will be coffee from the bakery, music until six, and a free look at your brakes.
From nine until four the two parking spaces in front of the window are closed.

We look forward to meeting you.
""",
        ),
        document(
            "Gift voucher for the first hundred customers",
            "Offer",
            "10.00",
            "opening, prices",
            "Priya",
            120,
            """
Good for any service or part, not paid out in cash.
One for each bicycle.
Valid until the end of the year.
""",
        ),
    ]
