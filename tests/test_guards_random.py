"""Random saves by several people from forms as old as can be: what anybody typed is in the row, or in a panel they saw."""

from __future__ import annotations

import os
import random
import re
from decimal import Decimal
from typing import Any

import pytest

from .edit_kit import Doc, Pairs, Papers, Person, asked, controls
from .kit import running

pytestmark = pytest.mark.anyio
SEED = int(os.environ.get("GUARD_SEED", "0")) or random.randrange(2**32)
TEAMS = ("red", "green", "blue")


def split(tags: str) -> set[str]:
    return {tag.strip() for tag in tags.split(",") if tag.strip()}


def marks(body: str) -> set[str]:
    return set(re.findall(r"^m\d+$", body, re.MULTILINE))


def fold(text: str) -> str:
    return text.replace("\r\n", "\n")


class Sheet:
    """What a form says, as values that can be compared."""

    def __init__(self, form: Pairs) -> None:
        def one(name: str) -> str:
            return next((fold(value) for key, value in form if key == name), "")

        self.title, self.body, self.price = one("title"), one("body"), Decimal(one("price") or 0)
        self.tags = split(one("tags"))
        self.public = any(value for key, value in form if key == "public")
        self.teams = {value for key, value in form if key == "teams"}

    @classmethod
    def of(cls, doc: Doc) -> Sheet:
        teams = [("teams", team) for team in doc.teams]
        public = [("public", "on")] if doc.public else []
        return cls(
            [("title", doc.title), ("body", doc.body), ("price", doc.price), ("tags", doc.tags), *teams, *public]
        )


class Writer:
    """Somebody who writes, and remembers what the form said when they opened it."""

    def __init__(self, site: Papers, person: Person, chance: random.Random) -> None:
        self.site, self.person, self.chance = site, person, chance
        self.shown = Sheet(person.form)  # as it was rendered
        self.panel: Any = None

    async def reopen(self) -> None:
        await self.person.open()
        self.shown = Sheet(self.person.form)
        self.panel = None

    def type(self, mark: int) -> None:
        """Change one to three fields."""
        chance, form = self.chance, self.person.form
        now = Sheet(form)
        for kind in chance.sample(["title", "body", "tags", "price", "public", "teams"], chance.randrange(1, 4)):
            values: Any
            if kind == "title":
                values = f"t{mark}"
            elif kind == "body":
                lines = now.body.split("\n")
                at = chance.randrange(len(lines))
                if chance.random() < 0.3 and len(lines) > 3:
                    lines.pop(at)
                else:
                    lines.insert(at, f"m{mark}")
                values = "\n".join(lines[:40]).replace("\n", "\r\n")
            elif kind == "tags":
                keep = sorted(now.tags)
                values = ", ".join([*(keep[1:] if chance.random() < 0.4 or len(keep) > 12 else keep), f"g{mark}"])
            elif kind == "price":
                values = str(now.price + chance.randrange(-9, 10))
            elif kind == "public":
                values = None if now.public else ["on"]
            else:
                values = [team for team in TEAMS if chance.random() < 0.5]
            self.person.form = self.person.typed(**{kind: values})

    async def save(self) -> int:
        """Save once, and check that nobody's work went missing; return the status."""
        site, before, mine = self.site, Sheet.of(self.site.doc), Sheet(self.person.form)
        row, count = site.doc, len(site.accepted)
        answer = await self.person.send(self.person.form)
        if answer.status == 409:
            assert site.doc is row
            self.check_panel(answer, mine, before)
            self.person.take(answer)
            self.shown, self.panel = Sheet.of(row), answer
            self.decide()
            return 409
        assert answer.status == 200, answer.text
        assert len(site.accepted) == count + 1
        if self.panel is None:
            self.check_row(self.shown, mine, before, Sheet.of(site.doc))
        return 200

    def decide(self) -> None:
        """Choose a side of each field that is asked about, or write something new."""
        for name in asked(self.panel):
            choice = self.chance.choice(["mine", "theirs", "merged"])
            if any(key == f"rt-take-{name}" for key, _ in self.person.form):
                self.person.form = self.person.typed(**{f"rt-take-{name}": choice})

    def check_panel(self, page: Any, mine: Sheet, theirs: Sheet) -> None:
        text = page.text
        if self.panel is not None:
            return  # a second panel: what "mine" is was said in the first one
        for name in asked(page):
            if name == "title":
                assert mine.title in text
                assert theirs.title in text
            if name == "body":
                typed = fold(next(value for key, value in controls(page.text) if key == "rt-mine-body"))
                assert typed == mine.body
                assert marks(theirs.body) <= marks_anywhere(text)

    def check_row(self, base: Sheet, mine: Sheet, before: Sheet, after: Sheet) -> None:
        assert after.title == (mine.title if mine.title != base.title else before.title)
        assert after.public == (mine.public if mine.public != base.public else before.public)
        assert after.price == before.price + (mine.price - base.price) or mine.price == before.price == after.price
        for name in ("tags", "teams"):
            b, m, t, r = (getattr(one, name) for one in (base, mine, before, after))
            assert r == ((t | (m - b)) - (b - m)), (name, b, m, t, r)
        b, m, t, r = (marks(one.body) for one in (base, mine, before, after))
        assert m - b <= r  # what I wrote
        assert (t - b) - (b - m) <= r  # what the others wrote
        assert not (b - m) & r - m - (t - b)  # what I took out
        if mine.body == base.body:
            assert after.body == before.body


def marks_anywhere(text: str) -> set[str]:
    return set(re.findall(r"\bm\d+\b", text))


async def play(saves: int) -> dict[int, int]:
    print(f"GUARD_SEED={SEED}")
    chance = random.Random(SEED)
    site = Papers(receipts=False)
    statuses: dict[int, int] = {200: 0, 409: 0}
    async with running(site.app):
        writers = [Writer(site, await site.person(name), chance) for name in ("ada", "bob", "eve", "kim")]
        for mark in range(saves):
            writer = chance.choice(writers)
            if writer.panel is None:
                writer.type(mark)
            status = await writer.save()
            statuses[status] += 1
            if status == 200 or (writer.panel is not None and chance.random() < 0.1):
                await writer.reopen()
        versions = [doc.lock_version for doc in site.accepted]
        assert versions == list(range(2, len(versions) + 2))  # each accepted save is one step, and none got in between
    return statuses


async def test_nothing_that_was_typed_is_lost() -> None:
    statuses = await play(300)
    assert min(statuses.values()) > 20, statuses


@pytest.mark.soak
async def test_nothing_that_was_typed_is_lost_in_ten_thousand_saves() -> None:
    print(await play(10_000))
