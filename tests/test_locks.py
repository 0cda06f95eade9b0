"""Who holds a record: taken, kept, handed on, lost; with a clock that moves when told to, at one worker and at several."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path

import pytest

from htmx_rt.exceptions import Refused, StoreUnavailable
from htmx_rt.lock_record import Holder
from htmx_rt.redis_client import connector
from htmx_rt.stores import MemoryStore, Store
from htmx_rt.stores.redis import RedisStore
from htmx_rt.stores.sqlite import SqliteStore

from .desk import Shaky
from .lock_kit import LOCK, OWNER, RESOURCE, TAB, Desk, Looker
from .redis_kit import RedisServer

pytestmark = pytest.mark.anyio
OTHER = "b" * 32


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SqliteStore(str(tmp_path / "rt.db"))
    server: RedisServer = request.getfixturevalue("redis_server")
    return RedisStore(connector(server.url), name=f"t{random.randrange(10**12)}")


def someone(name: str) -> Holder:
    return Holder(f"o-{name}", f"t-{name}", name)


# Taking


async def test_who_comes_first_holds_it_and_the_others_look_on() -> None:
    desk = Desk()
    ada, bob = await desk.open("Ada"), await desk.open("Bob")
    assert (ada.mine, bob.mine) == (True, False)
    fence = ada.fence
    await ada.take()
    assert ada.fence == fence
    await desk.pass_(60)
    assert (await desk.holder(), (await desk.lock()).fence) == ("Ada", fence)
    assert [one["why"] for one in desk.told] == ["taken"]


@pytest.mark.parametrize("rounds", [25])
async def test_of_two_who_take_it_at_once_one_holds_it(store: Store, rounds: int) -> None:
    desk = Desk(2, store=store, kind="lock")
    fences = [0]
    for round in range(rounds):
        takers = [someone(f"{round}-{n}") for n in range(8)]
        locks = await asyncio.gather(*(desk.locks[n % 2].take(RESOURCE, one, LOCK) for n, one in enumerate(takers)))
        holders = Counter(lock.holder.name for lock in locks if lock.holder)
        assert len(holders) == 1
        assert len({lock.fence for lock in locks}) == 1
        assert locks[0].fence > fences[-1]
        fences.append(locks[0].fence)
        if round % 5 == 4:  # everything is forgotten
            desk.clock.advance(0.001)
            await store.delete(f"lease:{RESOURCE}")
        elif round % 2:
            desk.clock.advance(31)
        else:
            await desk.locks[0].release(RESOURCE, next(one.tab for one in takers if one.name in holders))
    await store.stop()


async def test_fences_grow_after_the_store_forgot_all_and_where_its_clock_went_back() -> None:
    desk = Desk()
    ada = await desk.open("Ada")
    first = ada.fence
    assert first is not None
    desk.clock.advance(0.005)
    desk.store = fresh = MemoryStore(clock=desk.clock)
    desk.locks = [desk._locks(desk.fleet.workers[0], fresh)]
    await ada.take()
    second = ada.fence
    assert second is not None
    assert second > first
    desk.clock.advance(-3600)
    fresh._fences.clear()
    await ada.release()
    bob = await desk.open("Bob")
    assert bob.fence is not None
    assert bob.fence > second


async def test_what_is_not_renewed_can_be_taken() -> None:
    desk = Desk(kind="lock")
    ada = await desk.open("Ada")
    bob = await desk.open("Bob")
    ada.vanish()
    desk.clock.advance(29)
    assert (await bob.take()) is not None
    assert not bob.mine
    desk.clock.advance(1.1)
    await bob.take()
    assert bob.mine


async def test_only_who_holds_it_can_release_give_or_keep_it() -> None:
    desk = Desk()
    ada, bob, eve = await desk.open("Ada"), await desk.open("Bob"), await desk.open("Eve")
    await eve.release()
    await bob.ask()
    await eve.answer(give=True)
    await eve.answer(give=False)
    await bob.answer(give=True)
    lock = await desk.lock()
    assert (lock.holder, lock.asking and lock.asking.who) == (ada.me, bob.me)


async def test_words_about_what_nobody_holds_do_nothing() -> None:
    desk = Desk()
    locks, ada = desk.locks[0], someone("Ada")
    assert await locks.release(RESOURCE, ada.tab) is None
    assert await locks.ask(RESOURCE, ada) is None
    assert await locks.answer(RESOURCE, ada.tab, give=True) is None
    with pytest.raises(Refused):
        await locks.work(RESOURCE, ada.tab, 0, 1, {"title": "x"})
    assert not desk.told
    assert not await desk.store.scan("lease:")


async def test_another_tab_of_the_same_person_takes_it_over() -> None:
    desk = Desk()
    ada, second, bob = await desk.open("Ada"), await desk.open("Ada", tab=OTHER), await desk.open("Bob")
    assert not second.mine
    bob.note(await bob.locks.here(RESOURCE, bob.me, OWNER))
    assert not bob.mine
    second.note(await second.locks.here(RESOURCE, second.me, OWNER))
    assert second.mine
    assert second.fence is not None
    assert ada.fence is not None
    assert second.fence > ada.fence
    await ada.take()
    assert not ada.mine
    assert await desk.locks[0].standing(RESOURCE, ada.me.owner, ada.fence) == ("late", await desk.lock())


# Saving


async def test_standing() -> None:
    desk = Desk(kind="lock")
    locks = desk.locks[0]
    assert (await locks.standing(RESOURCE, "o-Ada", None))[0] == "free"
    assert (await locks.standing(RESOURCE, "o-Ada", 5))[0] == "fenced"  # nobody gave that number
    ada = await desk.open("Ada")
    fence = ada.fence
    assert fence is not None

    async def standing(who: str, number: int | None) -> str:
        return (await locks.standing(RESOURCE, f"o-{who}", number))[0]

    assert await standing("Ada", fence) == "mine"
    assert await standing("Ada", None) == "locked"  # from a tab that does not hold it
    assert await standing("Bob", None) == "locked"
    assert await standing("Bob", fence) == "fenced"
    for forged in (fence + 1, fence + 1000, fence - 1, 0, 2**53):
        for who in ("Ada", "Bob"):
            assert await standing(who, forged) == "fenced"
    assert (await desk.lock()).fence == fence
    ada.vanish()
    await desk.pass_(31)
    assert await standing("Bob", None) == "free"
    assert await standing("Ada", fence) == "free"
    bob = await desk.open("Bob")
    assert await standing("Ada", fence) == "late"
    assert await standing("Bob", fence) == "fenced"  # that was hers
    await bob.release()
    assert await standing("Ada", fence) == "late"
    assert await standing("Eve", fence) == "fenced"
    assert await standing("Eve", None) == "free"
    for n in range(10):
        await (await desk.open(f"P{n}")).release()
    assert await standing("Ada", fence) == "fenced"  # too long ago


# Handing on


async def test_it_goes_to_the_next_in_line_at_once_when_released() -> None:
    desk = Desk(2)
    ada, bob, eve = await desk.open("Ada"), await desk.open("Bob", worker=1), await desk.open("Eve")
    await ada.release()
    assert (await desk.holder(), bob.mine, eve.mine) == ("Bob", True, False)
    await desk.pass_(30)
    assert await desk.holder() == "Bob"
    await bob.release()
    await desk.pass_(1)
    assert await desk.holder() == "Ada"  # who is still there, and was before Eve
    assert [one["why"] for one in desk.told] == ["taken", "released", "released"]
    fences = [one["fence"] for one in desk.told]
    assert fences == sorted(set(fences))


async def test_a_lock_is_free_when_released() -> None:
    desk = Desk(kind="lock")
    ada, bob = await desk.open("Ada"), await desk.open("Bob")
    await ada.release()
    assert (await desk.holder(), bob.mine) == (None, False)
    assert not desk.locks[0]._due


@pytest.mark.parametrize(
    ("how", "most"), [("leave", 4.0), ("cut", 5.0), ("vanish", 15.0)], ids=["left", "closed line", "half open"]
)
@pytest.mark.parametrize("workers", [1, 2])
async def test_how_long_it_takes_until_the_next_one_has_it(how: str, most: float, workers: int) -> None:
    for wait in range(0, 12):  # at every place between two beats
        desk = Desk(workers)
        ada = await desk.open("Ada")
        await desk.open("Bob", worker=workers - 1)
        await desk.open("Eve", worker=workers - 1)
        await desk.pass_(20 + wait / 2)
        getattr(ada, how)()
        assert await desk.until("Bob") <= most


async def test_a_reload_keeps_it() -> None:
    desk = Desk()
    ada, _ = await desk.open("Ada"), await desk.open("Bob")
    await desk.pass_(13)
    ada.at.bye("Ada", gen=1)
    ada.at.close("Ada", gen=1)
    await desk.pass_(1.5)
    ada.join()
    await ada.take()
    await desk.pass_(30)
    assert await desk.holder() == "Ada"


async def test_a_line_that_comes_back_in_time_keeps_it() -> None:
    desk = Desk(2)
    ada, _ = await desk.open("Ada"), await desk.open("Bob")
    ada.at.close("Ada", gen=1)
    await desk.pass_(2.5)
    ada.join(worker=1)
    await ada.take()
    await desk.pass_(60)
    assert await desk.holder() == "Ada"


async def test_hidden_owners_keep_it_and_hidden_lookers_do_not_get_it() -> None:
    desk = Desk()
    ada = await desk.open("Ada")
    bob, eve = await desk.open("Bob"), await desk.open("Eve")
    for page in (ada, bob):
        page.hidden = True
        page.at.beat(page.name, gen=page.gen, visible=False)
    await ada.take()
    await desk.pass_(200)
    assert await desk.holder() == "Ada"
    await ada.release()
    assert eve.mine


async def test_an_heir_who_does_not_answer_loses_it_to_the_next_within_five_seconds() -> None:
    desk = Desk()
    ada, bob = await desk.open("Ada"), await desk.open("Bob")
    await desk.open("Eve")
    bob.vanish()
    await ada.release()
    ada.leave()
    assert await desk.holder() == "Bob"
    assert await desk.until("Eve") <= 5


async def test_who_takes_what_has_just_expired_does_not_overtake_those_who_wait() -> None:
    desk = Desk()
    ada, bob, eve = await desk.open("Ada"), await desk.open("Bob"), await desk.open("Eve")
    ada.vanish()
    desk.clock.advance(12.1)  # nobody has looked yet
    await eve.take()
    await desk.settle()
    assert (bob.mine, eve.mine) == (True, False)


async def test_when_everybody_leaves_it_is_free_and_nothing_is_left_to_do() -> None:
    desk = Desk(2)
    pages = [await desk.open(name, worker=n % 2) for n, name in enumerate(("Ada", "Bob", "Eve"))]
    for page in pages:
        page.leave()
    await desk.pass_(40)
    assert await desk.holder() is None
    assert not any(locks._due for locks in desk.locks)
    assert (await desk.lock()).holder is None
    ada = await desk.open("Ada")
    assert ada.mine


async def step(desk: Desk, open_: dict[str, Looker], chance: random.Random, names: list[str]) -> None:
    """Let somebody do something, or time pass."""
    name = chance.choice(names)
    page = open_.get(name)
    if page is None:
        try:
            await desk.open(name, worker=chance.randrange(3), tab=f"{chance.randrange(16**8):032x}")
        finally:  # it is there, though the store may have been away
            open_[name] = desk.pages[-1]
    else:
        act = chance.choice(
            ["take", "release", "ask", "give", "keep", "cut", "leave", "vanish", "move", "pass", "pass", "pass"]
        )
        if act == "pass":
            await desk.pass_(chance.choice([0.5, 0.5, 3]))
        elif act == "move":
            page.join(worker=chance.randrange(3))
        elif act in ("give", "keep"):
            await page.answer(give=act == "give")
        elif act in ("cut", "leave", "vanish"):
            getattr(page, act)()
            desk.pages.remove(open_.pop(name))
        else:
            await getattr(page, act)()


@pytest.mark.parametrize("trouble", [False, True], ids=["", "with losses"])
async def test_hundreds_of_random_steps_never_have_two_holders_or_a_fence_that_falls(trouble: bool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    store = Shaky()
    desk = Desk(3, seed=seed, store=store)
    desk.fleet.wire.loss = desk.fleet.wire.doubling = 0.3 if trouble else 0.0
    fence = 0
    names = [f"P{n}" for n in range(6)]
    open_: dict[str, Looker] = {"P0": await desk.open("P0")}  # from here on the store has a record to compare
    for _ in range(500):
        store.away = trouble and chance.random() < 0.1
        with contextlib.suppress(StoreUnavailable):
            await step(desk, open_, chance, names)
        store.away = False
        await desk.settle()
        lock = await desk.lock()
        assert lock.fence >= fence
        fence = lock.fence
        sure = [one.name for one in desk.pages if one.mine and one.fence == lock.fence and lock.holder is not None]
        assert len(sure) <= 1
        told = [one["fence"] for one in desk.told]
        assert told == sorted(told)
    await desk.pass_(45)
    living = [page.name for page in desk.pages if page.alive]
    assert not living or await desk.holder() in living  # it never stays with one who is gone


# Asking


async def test_who_asks_gets_it_when_it_is_given_kept_or_nobody_says_anything() -> None:
    desk = Desk()
    ada, bob = await desk.open("Ada"), await desk.open("Bob")
    await bob.ask()
    assert desk.told[-1]["ask"]["n"] == "Bob"
    assert 19_000 <= desk.told[-1]["ask"]["ms"] <= 20_000
    await ada.answer(give=False)
    assert (await desk.holder(), desk.told[-1]["why"], desk.told[-1]["ask"]) == ("Ada", "kept", None)
    await bob.ask()
    await ada.answer(give=True)
    assert (await desk.holder(), desk.told[-1]["why"]) == ("Bob", "given")
    await ada.ask()
    assert 19 <= await desk.until("Ada") <= 21
    assert desk.told[-1]["why"] == "granted"


async def test_one_asks_at_a_time_and_first() -> None:
    desk = Desk()
    ada, bob, eve = await desk.open("Ada"), await desk.open("Bob"), await desk.open("Eve")
    await eve.ask()
    await bob.ask()
    lock = await desk.lock()
    assert lock.asking is not None
    assert lock.asking.who == eve.me
    await ada.release()
    assert eve.mine  # who asked comes before who waits
    await eve.ask()  # who holds it has nothing to ask for
    assert (await desk.lock()).asking is None


async def test_who_asked_and_left_gets_nothing() -> None:
    desk = Desk(2)
    ada, bob = await desk.open("Ada"), await desk.open("Bob", worker=1)
    fence = ada.fence
    await bob.ask()
    bob.leave()
    await desk.pass_(30)
    assert (await desk.holder(), (await desk.lock()).asking) == ("Ada", None)
    assert (await desk.lock()).fence == fence


async def test_who_asked_and_went_silent_loses_it_again() -> None:
    desk = Desk()
    await desk.open("Ada")
    bob = await desk.open("Bob")
    await bob.ask()
    bob.vanish()
    await desk.pass_(21)
    assert await desk.until("Ada") <= 6


# Workers and the store


async def test_the_owner_on_a_worker_that_is_killed_is_followed_by_the_next() -> None:
    desk = Desk(2)
    ada = await desk.open("Ada")
    bob = await desk.open("Bob", worker=1, take=False)  # whose own call went to the other worker, or was lost
    bob.note(await desk.locks[0].take(RESOURCE, bob.me, OWNER))
    await desk.pass_(10)
    desk.fleet.workers[0].kill()
    ada.vanish()
    desk.locks.reverse()
    desk.fleet.workers.reverse()
    bob.worker = 0
    assert await desk.until("Bob") <= 15


async def test_while_the_store_is_away_nothing_changes_and_then_nothing_is_stuck() -> None:
    store = Shaky()
    desk = Desk(2, store=store)
    ada, bob = await desk.open("Ada"), await desk.open("Bob", worker=1)
    store.away = True
    with pytest.raises(StoreUnavailable):
        await bob.take()
    with pytest.raises(StoreUnavailable):
        await ada.release()
    ada.leave()
    await desk.pass_(60)
    assert not bob.mine
    store.away = False
    assert await desk.until("Bob") <= 6
    assert desk.told[-1]["holder"]["n"] == "Bob"


async def test_two_workers_that_do_not_hear_each_other_have_one_owner() -> None:
    desk = Desk(2)
    ada, bob = await desk.open("Ada"), await desk.open("Bob", worker=1)
    for worker in desk.fleet.workers:
        worker.bus.cut = True
    ada.leave()
    for _ in range(60):
        await desk.pass_(1)
        lock = await desk.lock()
        assert sum(page.mine and page.fence == lock.fence for page in desk.pages) <= 1
    assert await desk.until("Bob") <= 1
    assert bob.fence == (await desk.lock()).fence


async def test_a_change_and_a_leave_cost_the_same_with_a_thousand_lookers() -> None:
    calls: Counter[str] = Counter()

    class Counting(MemoryStore):
        async def get(self, key: str) -> object:  # type: ignore[override]
            calls["get"] += 1
            return await super().get(key)

        async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
            calls["put"] += 1
            return await super().put(key, value, ttl=ttl, rev=rev)

    desk = Desk(store=Counting())
    ada = await desk.open("Ada")
    lookers = [await desk.open(f"P{n}", take=False) for n in range(999)]
    for page in lookers:
        desk.pages.remove(page)  # they need no beats here
    calls.clear()
    await ada.take()
    assert calls == {"get": 1, "put": 1}
    calls.clear()
    lookers[500].at.presence.attendance.end(TAB, 1, "o-P500", "closed")
    await desk.settle()
    assert calls["get"] <= 1
    assert calls["put"] == 0
    calls.clear()
    await ada.release()
    assert (calls["get"], calls["put"]) == (1, 1)
    assert await desk.holder() == "P0"


async def test_unsaved_work_is_shown_for_who_holds_it_alone() -> None:
    desk = Desk()
    ada, bob = await desk.open("Ada"), await desk.open("Bob")
    assert ada.fence is not None
    await ada.locks.work(RESOURCE, ada.me.tab, ada.fence, 3, {"title": "New", "tags": None})
    assert [(one["field"], one["value"], one["v"], one["fence"]) for one in desk.work] == [
        ("title", "New", 3, ada.fence), ("tags", None, 3, ada.fence),
    ]  # fmt: skip
    for tab, fence in ((bob.me.tab, ada.fence), (ada.me.tab, ada.fence - 1), (ada.me.tab, ada.fence + 1)):
        with pytest.raises(Refused, match="409 fenced"):
            await ada.locks.work(RESOURCE, tab, fence, 3, {"title": "Evil"})
    await ada.release()
    with pytest.raises(Refused, match="409 fenced"):
        await ada.locks.work(RESOURCE, ada.me.tab, ada.fence, 3, {"title": "Late"})
    assert len(desk.work) == 2
