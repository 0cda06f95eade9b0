"""What is due is done by one worker, once, or said to be unknown; undo and execution have one winner."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import Counter

import pytest

from htmx_rt import Realtime
from htmx_rt.deferred import PREFIX
from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.stores import MemoryStore, Store
from htmx_rt.stores.hold import Hold, decode, encode
from htmx_rt.testing import Browser, Page
from htmx_rt.undo import SLACK

from .desk import Shaky, until
from .desk import store as store
from .kit import SECRET, nothing_left, running
from .undo_kit import Tasks, press

pytestmark = pytest.mark.anyio


async def defer(browser: Browser, id: int) -> str:
    page = await browser.request("DELETE", f"/tasks/{id}")
    assert page.status == 200, page.text
    return page.text


async def states(tasks: Tasks) -> list[str]:
    """Return the states of what is still to be done."""
    return [decode(item)[0]["state"] for _, item in await tasks.rt.store.scan(PREFIX)]


async def died(tasks: Tasks, id: str) -> None:
    """Leave behind what a worker leaves that dies while it runs `id`."""
    item = await tasks.rt.store.get(PREFIX + id)
    assert item is not None

    record = decode(item)[0] | {"state": "running", "starts": 1, "by": "somebody else"}
    hold = await Hold.take(tasks.rt.store, PREFIX + id, record, rev=item.rev, ttl=1000, lease=30)
    await hold.rest()


async def test_undo_and_execution_have_one_winner(store: Store) -> None:
    seed = random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    rounds = 500 if isinstance(store, MemoryStore) else 100
    tasks = Tasks(store, limits={"identity_age": 10**9, "silence": 10**9})
    tasks.delay = 1.0
    outcomes: Counter[str] = Counter()
    took = (0.001, 0.001)  # seconds that the runner took, and the press
    async with running(tasks.app):
        ada = await tasks.visitor()
        for number in range(rounds):
            id = await defer(ada, number)
            tasks.clock.advance(tasks.delay + SLACK + 0.01)

            lead = chance.uniform(-1, 1)  # of the press or of the runner, of the time that the other one takes

            async def pressed(id: str = id, lead: float = lead * took[0]) -> tuple[Page, float]:
                await asyncio.sleep(max(0, lead))
                begun = time.perf_counter()
                return await press(ada, id), time.perf_counter() - begun

            async def due(lead: float = -lead * took[1]) -> float:
                await asyncio.sleep(max(0, lead))
                begun = time.perf_counter()
                await tasks.looked()
                return time.perf_counter() - begun

            (page, pressing), running_it = await asyncio.gather(pressed(), due())
            took = (running_it, pressing)
            await tasks.looked()
            done, back = tasks.deleted.count(number), tasks.restored.count((number, "undone"))
            assert (done, back, page.status) in ((1, 0, 409), (0, 1, 200)), (seed, number, done, back, page.text)
            outcomes["done" if done else "undone"] += 1
    assert sum(outcomes.values()) == rounds
    print(outcomes)
    assert len(outcomes) == 2, outcomes  # else it was no race


async def test_of_many_workers_one_does_it(store: Store) -> None:
    tasks = Tasks(store)
    others = [Tasks(store) for _ in range(3)]
    async with running(tasks.app):
        ada = await tasks.visitor()
        for number in range(20):
            await defer(ada, number)
        for number, each in enumerate(others):
            each.rt._runner._me = f"worker {number}"
        store.clock = tasks.clock
        tasks.clock.advance(tasks.delay + SLACK + 0.01)
        await asyncio.gather(*(each.looked() for each in (tasks, *others)))
        await tasks.ended("done", 20)
    deleted = [id for each in (tasks, *others) for id in each.deleted]
    assert sorted(deleted) == list(range(20))


async def test_many_that_are_due_at_once_are_not_done_in_slow_portions(store: Store) -> None:
    tasks = Tasks(store, limits={"undo_per_person": 200})
    async with running(tasks.app):
        ada = await tasks.visitor()
        for id in range(150):
            await defer(ada, id)
        started = asyncio.get_running_loop().time()
        await tasks.pass_time()
        await tasks.ended("done", 150)
        took = asyncio.get_running_loop().time() - started
    assert sorted(tasks.deleted) == list(range(150))
    assert took < 4, took  # a look a second, of 32 each, would take five


async def test_the_runner_wakes_by_itself(store: Store) -> None:
    tasks = Tasks(store)
    tasks.rt.store.clock = tasks.rt.identity.clock = time.time
    tasks.delay = 0.05
    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_a_handler_that_raises_has_failed_and_says_so(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(store)
    tasks.fails = 1
    async with running(tasks.app):
        ada = await tasks.visitor()
        page = await ada.get("/")
        async with ada.stream(page) as stream:
            id = await defer(ada, 7)
            await tasks.pass_time()
            await tasks.ended("failed")
            toast = (await stream.event("rt:call")).data
        assert toast["name"] == "toast"
        assert toast["args"]["level"] == "error"
        assert "Task 7 deleted" in toast["args"]["text"]
        assert (await press(ada, id)).status == 409
        await tasks.pass_time(100)
        await tasks.looked()
    assert (tasks.deleted, tasks.restored, len(tasks.seen)) == ([], [(7, "failed")], 1)
    assert "the database is away" in caplog.text


@pytest.mark.parametrize(("fails", "state"), [(2, "done"), (3, "failed")])
async def test_a_transactional_one_is_tried_again(store: Store, fails: int, state: str) -> None:
    tasks = Tasks(store, transactional=True)
    tasks.fails = fails
    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
        await tasks.pass_time()
        for _ in range(3):
            await tasks.looked()
            await tasks.looked()  # too early for the next try
            tasks.clock.advance(4.1)
        await tasks.looked()
        await tasks.ended(state)
    assert len(tasks.seen) == 3
    assert (tasks.deleted, tasks.restored) == (([7], []) if state == "done" else ([], [(7, "failed")]))


async def test_one_whose_worker_died_is_unknown_and_not_done_again(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        await tasks.pass_time(1)
        await died(tasks, id)
        await tasks.pass_time()
        await tasks.looked()
        assert await states(tasks) == ["running"]  # it may be alive
        assert (await press(ada, id)).status == 409
        tasks.clock.advance(31)
        await tasks.looked()
        await tasks.ended("unknown")
        text = (await ada.get("/_rt/undo", headers={"accept": "text/html"})).text
        assert "Nobody knows" in text
    assert (tasks.deleted, tasks.restored, tasks.seen) == ([], [(7, "unknown")], [])


async def test_a_transactional_one_whose_worker_died_is_run_again(store: Store) -> None:
    tasks = Tasks(store, transactional=True)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        await died(tasks, id)
        await tasks.pass_time(40)
        await tasks.looked()
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_one_that_takes_its_worker_down_each_time_is_given_up() -> None:
    tasks = Tasks(transactional=True)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        for starts in range(1, 9):
            await died(tasks, id)
            item = await tasks.rt.store.get(PREFIX + id)
            assert item is not None
            record = decode(item)[0]

            await tasks.rt.store.put(PREFIX + id, encode(record | {"starts": starts}), ttl=1000)
        await tasks.pass_time(40)
        await tasks.looked()
        await tasks.ended("unknown")
    assert tasks.seen == []


async def test_a_handler_that_is_gone_after_a_deploy(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        handler = tasks.rt.undo.handlers.pop("delete")
        await tasks.pass_time()
        for _ in range(3):
            await tasks.looked()
        assert await states(tasks) == ["pending"]
        assert caplog.text.count("no handler for the deferred action 'delete'") == 1
        assert (await ada.get("/_rt/undo", headers={"accept": "text/html"})).select("form")
        tasks.rt.undo.handlers["delete"] = handler  # it is back
        await tasks.looked()
        await tasks.ended("done")
        assert (await press(ada, id)).status == 409
    assert tasks.deleted == [7]


async def test_what_is_overdue_after_a_restart_can_still_be_taken_back(store: Store) -> None:
    tasks = Tasks(store)
    await store.start()
    async with running(tasks.app):
        ada = await tasks.visitor()
        one, _ = await defer(ada, 7), await defer(ada, 8)
    tasks.clock.advance(1000)  # all were down
    async with running(tasks.app):
        await tasks.looked()
        tasks.clock.advance(4)
        await tasks.looked()
        assert tasks.deleted == []
        assert (await press(ada, one)).status == 200
        tasks.clock.advance(1.1)
        await tasks.looked()
        await tasks.ended("done")
    assert (tasks.deleted, tasks.restored) == ([8], [(7, "undone")])


async def test_what_is_not_due_yet_is_not_put_off_by_a_restart(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
    tasks.clock.advance(4)
    async with running(tasks.app):
        tasks.clock.advance(2.1)
        await tasks.looked()
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_a_handler_is_held_while_it_runs(store: Store) -> None:
    tasks = Tasks(store, limits={"undo_lease": 0.3})
    tasks.pause = asyncio.Event()
    other = Tasks(store)
    store.clock = tasks.clock
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        await tasks.pass_time()
        await tasks.begun.wait()
        for _ in range(3):
            item = await store.get(PREFIX + id)
            assert item is not None
            before = decode(item)[0]["until"]
            tasks.clock.advance(0.2)  # together longer than the lease
            async with asyncio.timeout(5):
                while (item := await store.get(PREFIX + id)) is not None and decode(item)[0]["until"] == before:
                    await asyncio.sleep(0.01)
            await other.looked()
        tasks.pause.set()
        await tasks.ended("done")
    assert (tasks.deleted, other.deleted, other.restored) == ([7], [], [])


async def test_a_sync_handler_runs_in_a_thread(store: Store) -> None:
    tasks = Tasks(store, handler=False)
    deleted: list[tuple[int, int]] = []
    restored: list[int] = []

    @tasks.rt.undo.handler("delete")
    def delete(undo: object, id: int) -> None:
        deleted.append((id, threading.get_ident()))

    @tasks.rt.undo.restore("delete")
    def restore(undo: object, id: int) -> None:
        restored.append(id)

    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
        await press(ada, await defer(ada, 8))
        await tasks.pass_time()
        await tasks.ended("done")
    assert [id for id, _ in deleted] == [7]
    assert deleted[0][1] != threading.get_ident()
    assert restored == [8]


async def test_a_handler_that_was_registered_after_the_start(store: Store) -> None:
    tasks = Tasks(store, handler=False)
    async with running(tasks.app):
        ada = await tasks.visitor()
        tasks.rt.undo.handler("delete")(tasks.do_delete)
        await defer(ada, 7)
        await tasks.pass_time()
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_a_restore_that_raises_harms_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(store)

    async def fails(undo: object, id: int) -> None:
        raise RuntimeError("a bug of the app")

    tasks.rt.undo.restores["delete"] = fails
    async with running(tasks.app):
        ada = await tasks.visitor()
        assert (await press(ada, await defer(ada, 7))).status == 200
        assert await states(tasks) == []
    assert "rt.undo.restore('delete') failed" in caplog.text


async def test_stopping_waits_for_what_runs_and_leaves_the_rest(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(store)
    tasks.pause = asyncio.Event()
    async with nothing_left():
        async with running(tasks.app):
            ada = await tasks.visitor()
            await defer(ada, 7)
            await tasks.pass_time()
            await tasks.begun.wait()
            await defer(ada, 8)
            asyncio.get_running_loop().call_later(0.1, tasks.pause.set)
        assert tasks.deleted == [7]
    forgotten = "deferred actions are forgotten" in caplog.text
    assert forgotten is not store.survives
    if store.survives:
        async with running(tasks.app):
            await tasks.pass_time()
            await tasks.ended("done", 2)
        assert tasks.deleted == [7, 8]


@pytest.mark.parametrize(("transactional", "state"), [(False, "unknown"), (True, "done")])
async def test_what_is_stopped_half_way(transactional: bool, state: str) -> None:
    tasks = Tasks(transactional=transactional)
    tasks.pause = asyncio.Event()
    async with nothing_left():
        async with running(tasks.app):
            ada = await tasks.visitor()
            await defer(ada, 7)
            await tasks.pass_time()
            await tasks.begun.wait()
        # It took longer than a worker waits. The next one need not wait for the lease.
        assert tasks.deleted == []
    tasks.pause = None
    async with running(tasks.app):
        await tasks.looked()
        await tasks.ended(state)
    assert tasks.deleted == ([7] if state == "done" else [])


async def test_an_outcome_that_could_not_be_noted_is_not_called_unknown() -> None:
    shaky = Shaky()
    tasks = Tasks(shaky)
    tasks.pause = asyncio.Event()
    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
        await tasks.pass_time()
        await tasks.begun.wait()
        shaky.away = True
        tasks.pause.set()
        await until(lambda: tasks.deleted and not tasks.rt._runner._running)
        shaky.away = False
        await tasks.looked()
        await tasks.ended("done")
    assert (tasks.deleted, tasks.restored) == ([7], [])


async def test_one_that_was_taken_up_without_our_hearing_of_it_is_done() -> None:
    shaky = Shaky()
    tasks = Tasks(shaky)
    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
        shaky.deaf = 1
        tasks.clock.advance(tasks.delay + SLACK + 0.01)
        await tasks.looked()
        assert (tasks.deleted, await states(tasks)) == ([], ["running"])
        await tasks.looked()
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_a_store_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    shaky = Shaky()
    tasks = Tasks(shaky)
    looks = Counter[str]()
    scan = shaky.scan

    async def counted(*args: object, **options: object) -> object:
        looks["scan"] += 1
        if shaky.away:
            raise StoreUnavailable("It is away.")
        return await scan(*args, **options)  # type: ignore[arg-type]

    shaky.scan = counted  # type: ignore[method-assign, assignment]
    async with running(tasks.app):
        ada = await tasks.visitor()
        await defer(ada, 7)
        shaky.away = True
        for _ in range(3):
            before = looks["scan"]
            tasks.look()
            await until(lambda before=before: looks["scan"] > before)
        shaky.away = False
        await tasks.pass_time()
        await tasks.ended("done")
    warnings = [entry for entry in caplog.records if "could not be looked for" in entry.message]
    assert len(warnings) == 1
    assert tasks.deleted == [7]


async def test_without_handlers_nothing_runs(caplog: pytest.LogCaptureFixture) -> None:
    rt = Realtime(secret=SECRET)
    async with nothing_left():
        await rt.start()
        assert rt._runner._task is None
        await rt.stop()
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
