"""What the chat keeps: rooms, messages, how far each person has read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from models import PATH, Base, in_words
from people import PEOPLE, Person
from sqlalchemy import JSON, Connection, Index, Table, event, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

ROOMS = {
    "shop": ("Shop floor", "What happens at Mill Street 14"),
    "workshop": ("Workshop", "Stands, tools, spare parts"),
}
FILES = PATH.with_name("files")
LONGEST = 2000  # characters
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]+")
_MENTION = re.compile(r"@(\w+)")
_NAMES = {person.first.lower(): person for person in PEOPLE.values()}


class Message(Base):
    __tablename__ = "message"
    __table_args__ = (Index("message_room", "room", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[str]
    person: Mapped[str]
    text: Mapped[str]
    at: Mapped[datetime]
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # name, type, size, kept: its id

    @property
    def who(self) -> Person:
        return PEOPLE[self.person]

    @property
    def when(self) -> str:
        """Return the time as people say it; without the day if that is today."""
        day = "" if self.at.date() == datetime.now().date() else f"{in_words(self.at.date())}, "
        return f"{day}{self.at:%H:%M}"

    @property
    def html(self) -> Markup:
        """Return the text, with whoever is mentioned in bold type."""
        return Markup(_MENTION.sub(_bold, str(escape(self.text))))


class Attachment(Base):
    """A file that was sent with a message."""

    __tablename__ = "attachment"

    id: Mapped[str] = mapped_column(primary_key=True)  # nobody can guess it; the file is kept by this name
    room: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]

    @property
    def path(self) -> Path:
        return FILES / self.id


class Reading(Base):
    """Up to which message somebody has read a room."""

    __tablename__ = "reading"

    person: Mapped[str] = mapped_column(primary_key=True)
    room: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


def cleaned(text: object) -> str:
    return _CONTROL.sub(" ", str(text or "").replace("\r\n", "\n")).strip()


def mentioned(text: str) -> list[Person]:
    """Return who is meant by the @names in a text."""
    return list(dict.fromkeys(_NAMES[name.lower()] for name in _MENTION.findall(text) if name.lower() in _NAMES))


async def unread(db: AsyncSession, person: str) -> dict[str, int]:
    """Return how many messages of others somebody has not read, by room."""
    last = select(Reading.last).where(Reading.person == person, Reading.room == Message.room).scalar_subquery()
    counted = select(Message.room, func.count()).where(Message.id > func.coalesce(last, 0), Message.person != person)
    found = dict((await db.execute(counted.group_by(Message.room))).all())
    return {room: found.get(room, 0) for room in ROOMS}


async def read(db: AsyncSession, room: str, *people: str, last: int) -> None:
    """Note that some people have read a room up to a message; never backwards."""
    for person in people:
        noted = insert(Reading).values(person=person, room=room, last=last)
        further = noted.on_conflict_do_update(
            index_elements=["person", "room"], set_={"last": func.max(Reading.last, last)}
        )
        await db.execute(further)


def _bold(found: re.Match[str]) -> str:
    return f"<strong>{found[0]}</strong>" if found[1].lower() in _NAMES else found[0]


@event.listens_for(Message.__table__, "after_create")
def _first_messages(table: Table, connection: Connection, **_: Any) -> None:
    connection.execute(table.insert(), _believable())


@event.listens_for(Reading.__table__, "after_create")
def _first_readings(table: Table, connection: Connection, **_: Any) -> None:
    """Everybody has read all but the last few messages."""
    connection.execute(table.insert(), [{"person": id, "room": "shop", "last": len(SHOP) - 2} for id in PEOPLE])
    rooms = len(SHOP) + len(WORKSHOP)
    connection.execute(table.insert(), [{"person": id, "room": "workshop", "last": rooms - 1} for id in PEOPLE])


SHOP = (
    ("ada", "Good morning. The lease addendum is signed, so Mill Street 14 is ours until 2031."),
    ("grace", "Wonderful. I have put the keys on the hook behind the counter, the spare set is with the bakery."),
    ("jonas", "The electrician wants to see the window before he quotes. He comes on Thursday at nine."),
    ("priya", "Can somebody be there? I have the bank at ten."),
    ("jonas", "I will be."),
    ("mei", "First draft of the poster is on the whiteboard. Opinions by tonight, please."),
    ("grace", "The kestrel looks as if it is falling, not flying. Turn it a little?"),
    ("mei", "Ha, you are right. Turned."),
    ("mateo", "Two workbench stands have arrived, one of them without its clamp. I have written to them."),
    ("ada", "Thank you. Does that hold us up?"),
    ("mateo", "No, we can true wheels on one until Friday."),
    ("priya", "The card terminal is here. It wants a network name and a password, which is more than I get."),
    ("grace", "Both are on the back of the router, with a smiley by the technician."),
    ("priya", "Found the smiley. First payment: one bell, 14.90. Refunded to myself."),
    ("jonas", "The city has questions on the street permit: who cleans up, and until when is there music."),
    ("ada", "We clean up, and the music ends at six. I have put it into the form."),
    ("mei", "Opening hours for the door: Tuesday to Friday 9 to 19, Saturday 10 to 16. Right?"),
    ("grace", "Right. And Mondays only the workshop, by appointment."),
    ("mateo", "By appointment means nobody rings the bell, yes?"),
    ("grace", "Somebody will ring the bell."),
    ("priya", "The school asks for twelve reflective vests on account. They pay in thirty days, always have."),
    ("ada", "Fine with me. Please add them to the invoices."),
    ("priya", "Done, number 2042."),
    ("jonas", "Castle hill is full of wet leaves. I would send test rides along the river this week."),
    ("mei", "I have put that on the dashboard, next to the weather."),
    ("grace", "A lady asked whether we repair a bicycle from 1961. I said we would love to look at it."),
    ("mateo", "We would. Tell her the cotter pins are on me."),
    ("ada", "That is a sentence for the poster."),
    ("grace", "The bakery offers croissants for the opening, at cost. I said yes before they finished."),
    ("priya", "Correct answer. How many visitors do we plan with?"),
    ("jonas", "The permit says 250 at the same time. So 400 croissants?"),
    ("priya", "300, and we look sad when they run out."),
)  # fmt: skip
WORKSHOP = (
    ("mateo", "The big torque wrench lives in the second drawer now. Please let it sleep there."),
    ("jonas", "Who took the chain gauge?"),
    ("mateo", "Nobody takes the chain gauge. It is in the pocket of the grey apron."),
    ("jonas", "It was in the pocket of the grey apron."),
    ("grace", "The bakery’s cargo bike brakes like a tanker. They need it on Friday at the latest."),
    ("mateo", "Discs and pads are on order, they come tomorrow before noon."),
    ("mei", "May I photograph the wall with the tools? It is so tidy that nobody will believe it."),
    ("mateo", "Today, then. It never lasts."),
    ("jonas", "Inner tubes 28 inch are below the line again. I have put them on the list."),
    ("mateo", "Rental 2 is on the stand. Small service, and it needs new grips."),
)  # fmt: skip


def _believable() -> list[dict[str, Any]]:
    now = datetime.now().replace(second=0, microsecond=0)

    def lines(room: str, said: Sequence[tuple[str, str]], apart: int) -> list[dict[str, Any]]:
        at = [now - timedelta(minutes=apart * (len(said) - number) + number * 7 % 5) for number in range(len(said))]
        return [
            {"room": room, "person": person, "text": text, "at": time, "files": []}
            for (person, text), time in zip(said, at, strict=True)
        ]

    return lines("shop", SHOP, 34) + lines("workshop", WORKSHOP, 51)
