"""Drafts on a disk that is full, and by clocks that are wrong: what was kept stays, and nothing is written over."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.stores import MemoryStore, Store
from htmx_rt.stores.sqlite import SqliteStore, Worker

from .desk import store as store
from .drafts_kit import Office, data, opened_form
from .kit import problem, running

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0
LONG = "x" * 40_000  # more than the file has room for in pages of its own
PATIENT = {"identity_age": 10**9, "silence": 10**9}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """While `full`, SQLite gets no page more, and says of it what it says of a disk without room."""
    disk = SimpleNamespace(full=False)
    transact = Worker._transact

    def limited(worker: Worker, db: sqlite3.Connection, batch: list[object]) -> None:
        db.execute(f"PRAGMA max_page_count = {1 if disk.full else 10**9}")
        transact(worker, db, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "_transact", limited)
    return disk


async def test_on_a_full_disk_a_draft_is_refused_and_the_one_before_stays(
    tmp_path: Path, disk: SimpleNamespace
) -> None:
    office = Office(SqliteStore(str(tmp_path / "rt.db")))
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="before")
        before = form.rev
        disk.full = True
        with pytest.raises(StoreUnavailable, match="full"):
            await office.rt.store.put("another", LONG.encode(), ttl=60)
        for _ in range(3):
            answer = await form.put(title=LONG)
            assert (*problem(answer), answer.header("Retry-After")) == (503, "limited", "5")
        by_hand = {"content-type": "application/x-www-form-urlencoded"}
        answer = await form.browser.request("POST", form.path, f"title={LONG}".encode(), headers=by_hand)
        assert answer.status == 503
        # Pages are rendered still, with what was kept last.
        there = await (await opened_form(office)).look()
        assert (there["rev"], there["fields"]) == (before, {"title": ["before"]})
        disk.full = False
        assert (await form.put(title=LONG)).status == 200
        assert form.rev > before
        assert (await form.look())["fields"] == {"title": [LONG]}


async def test_a_store_without_room_refuses_too() -> None:
    office = Office(MemoryStore(most=20_000))
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="before")
        assert problem(await form.put(title=LONG)) == (503, "limited")
        assert (await form.look())["fields"] == {"title": ["before"]}


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["ahead", "behind"])
async def test_whatever_the_servers_clock_does_revisions_grow_and_nothing_is_written_over(
    store: Store, jump: float
) -> None:
    office = Office(store, limits=PATIENT)
    async with running(office.app):
        form = await opened_form(office)
        revs = [form.rev]
        for number, moved in enumerate((0, jump, -jump, jump, -jump)):
            office.clock.advance(moved)
            answer = await form.put(title=f"{number}")
            assert (answer.status, data(answer)["at"]) == (200, office.clock())
            revs.append(form.rev)
            # A tab that has not heard of it.
            stale = await form.put(title="stale", rev=revs[-2])
            assert problem(stale) == (409, "draft-newer")
            assert (data(stale)["rev"], data(stale)["fields"]) == (form.rev, {"title": [f"{number}"]})
            elsewhere = await opened_form(office)
            assert (elsewhere.rev, (await elsewhere.look())["fields"]) == (form.rev, {"title": [f"{number}"]})
    assert revs == sorted(set(revs))


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["ahead", "behind"])
async def test_whatever_the_servers_clock_does_what_was_sent_stays_sent(store: Store, jump: float) -> None:
    office = Office(store, limits=PATIENT)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="sent")
        await form.browser.post("/done/application")
        for moved in (0, jump, -jump):
            office.clock.advance(moved)
            assert problem(await form.put(title="late")) == (409, "draft-newer")
        office.clock.advance(jump)
        fresh = await opened_form(office)
        assert "data-at" not in fresh.rest
        assert (await fresh.put(title="next")).status == 200
        for moved in (0, -jump):
            office.clock.advance(moved)
            assert problem(await form.put(title="late")) == (409, "draft-newer")
            assert (await fresh.look())["fields"] == {"title": ["next"]}


async def test_what_is_kept_while_the_clock_is_behind_is_not_the_first_to_go(store: Store) -> None:
    office = Office(store, limits={"drafts_per_person": 2.0, **PATIENT})
    async with running(office.app):
        for name in ("a", "b"):
            office.clock.advance(1)
            await (await opened_form(office, name=name)).put(title=name)
        office.clock.advance(-DAY)
        late = await opened_form(office, name="c")
        assert data(await late.put(title="c"))["gone"] == ["a"]
        assert (await late.look())["fields"] == {"title": ["c"]}
