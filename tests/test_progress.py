"""What takes long: everybody sees how far it is, the last word always arrives, and whoever works may go on as they like."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime
from htmx_rt.buses import MemoryBus
from htmx_rt.exceptions import (
    BadOperation,
    BadTopic,
    BusUnavailable,
    Cancelled,
    ConfigurationError,
    RealtimeError,
    StoreUnavailable,
    TooLarge,
)
from htmx_rt.pace import Pace, rounded
from htmx_rt.progress import Progress
from htmx_rt.progress_record import Record, cleaned
from htmx_rt.stores import MemoryStore, Store
from htmx_rt.types import Limits

from .desk import Shaky
from .desk import store as store
from .kit import SECRET, opened, running
from .progress_kit import Depot, SlowBus, cancel, ended, tasks, toast, told, until

pytestmark = pytest.mark.anyio


def pair(store: Store, **options: Any) -> tuple[Depot, Depot]:
    """Two workers of one app."""
    bus = MemoryBus(Limits.of(options.get("limits")))
    one, two = (Depot(store, bus=bus, secret=SECRET, **options) for _ in range(2))
    two.clock = one.clock
    store.clock = two.rt.identity.clock = one.clock
    return one, two


# Seen


async def test_everybody_sees_how_far_it_is_and_how_it_ended(store: Store) -> None:
    depot = Depot(store)
    go = asyncio.Event()

    async def work(p: Progress) -> None:
        p.update(done=40, step="Reading rows")
        await go.wait()

    depot.work = work
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        grace, hers = await opened(depot, "/import", who="grace")
        async with ada.stream(page) as first, grace.stream(hers) as second:
            task = asyncio.create_task(ada.post("/import", page=page))
            for stream in (first, second):
                seen = await told(stream, lambda args: args["done"] == 40)
                last = seen[-1]
                assert (last["title"], last["percent"], last["step"]) == ("Importing prices", 40, "Reading rows")
            late = await grace.get("/import")
            (shown,) = tasks(late)
            assert shown.select("progress")[0]["value"] == "40"
            assert "by ada" in shown.text
            assert "Reading rows" in shown.text
            go.set()
            assert (await task).text == "done"
            last = (await told(second, ended))[-1]
            assert (last["state"], last["percent"]) == ("done", 100)
            args = await toast(first)
            assert args["text"] == "Importing prices: done"
            assert (args["level"], args["key"]) == ("success", f"progress:{last['id']}")
        assert await depot.left() == []
        (record,) = await depot.records()
        assert (record["state"], record["done"]) == ("done", 100)


async def test_who_comes_late_knows_from_the_log_alone() -> None:
    depot = Depot()
    async with running(depot.app), depot.begin(user="ada") as p:
        p.update(done=40)
        ada, page = await opened(depot, "/bare")
        assert tasks(page) == []
        async with ada.stream(page) as stream:
            assert (await told(stream, lambda args: args["done"] == 40))[-1]["id"] == p.id


async def test_one_that_works_in_a_thread_is_seen_as_well(store: Store) -> None:
    depot = Depot(store)
    depot.work = lambda p: p.update(done=40, step="Reading rows")
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            assert (await ada.post("/thread", page=page)).text == "done"
            assert [args["done"] for args in await told(stream, ended)][-1] == 100
            assert (await toast(stream))["text"] == "Importing prices: done"


async def test_one_that_goes_on_after_the_answer_is_its_asker_s(store: Store) -> None:
    seen: list[Record] = []

    def work(depot: Depot) -> None:
        with depot.begin() as p:
            seen.append(p.record)

    async def start(request: Request) -> Response:
        return PlainTextResponse("begun", background=BackgroundTask(work, depot))

    depot = Depot(store)
    depot.inner.routes.append(Route("/start", start, methods=["POST"]))
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            await ada.post("/start", page=page)
            last = (await told(stream, ended))[-1]
            assert (last["by"], last["state"]) == ("ada", "done")
            assert last["who"] == depot.rt.identity.who(await _state(depot, "ada"))
            assert (await toast(stream))["text"] == "Importing prices: done"
    assert seen[0].user == "ada"


async def _state(depot: Depot, who: str) -> Any:
    from htmx_rt.types import User

    state = depot.rt.identity.open({"type": "http", "headers": [], "scheme": "http"})
    depot.rt.identity.tell(state, User(who))
    return state


async def test_a_process_that_serves_nobody_reports_too() -> None:
    store = MemoryStore()
    rt = Realtime(secret=SECRET, store=store)

    def work() -> None:
        with rt.progress("import:7", "Importing prices", total=2) as p:
            p.update(done=1)

    await asyncio.to_thread(work)
    ((_, item),) = await store.scan("progress:t/")
    record = Record.read(item)
    assert record is not None
    assert (record.state, record.done) == ("done", 2)
    assert await store.scan("progress:r/") == []


async def test_a_personal_topic_says_whose_it_is() -> None:
    depot = Depot()
    async with running(depot.app):
        async with depot.rt.progress(depot.rt.user("ada"), "Export") as p:
            assert (p.record.user, p.record.by) == ("ada", "ada")
        async with depot.rt.progress(depot.rt.user("ada lovelace"), "Export") as p:
            assert p.record.user == ""  # its topic is a digest: pass user=
        async with depot.rt.progress("import:7", "Export", user="grace") as p:
            assert (p.record.user, p.record.owner == "") == ("grace", False)


async def test_several_at_once_have_places_of_their_own(store: Store) -> None:
    depot = Depot(store, limits={"progress_per_topic": 3})
    async with running(depot.app):
        works = [depot.begin(user=f"u{number}") for number in range(4)]
        for work in works:
            await work.__aenter__()
        assert [work.record.slot for work in works] == [0, 1, 2, -1]
        assert {one.id for one in await depot.rt.running("import:7")} == {work.id for work in works[:3]}
        # The one without gets the place of the first that ends.
        await works[1].__aexit__(None, None, None)
        works[3].update(done=50)
        await depot.rt.progresses.keep()
        assert works[3].record.slot == 1
        assert {one.done for one in await depot.rt.running("import:7")} == {0, 50}
        for work in (works[0], works[2], works[3]):
            await work.__aexit__(None, None, None)
        assert {one["id"] for one in await depot.records()} == {works[0].id, works[2].id, works[3].id}
        assert await depot.left() == []


async def test_the_place_of_what_ended_first_is_given_away_first(store: Store) -> None:
    depot = Depot(store, limits={"progress_per_topic": 2})
    async with running(depot.app):
        works = []
        for _ in range(3):
            async with depot.begin(user="ada") as p:
                works.append(p)
            depot.clock.advance(1)
        assert {one.id for one in await depot.rt.running("import:7")} == {works[1].id, works[2].id}


async def test_places_taken_at_the_same_moment_are_different_ones(store: Store) -> None:
    one, two = pair(store)
    async with running(one.app), running(two.app):
        works = [depot.begin(user=f"u{number}") for number, depot in enumerate([one, two] * 4)]
        await asyncio.gather(*(work.__aenter__() for work in works))
        assert sorted(work.record.slot for work in works) == list(range(8))
        await asyncio.gather(*(work.__aexit__(None, None, None) for work in works))


async def test_one_person_runs_fifty_at_most() -> None:
    depot = Depot(limits={"progress_per_person": 3})
    async with running(depot.app):
        works = [depot.begin(user="ada") for _ in range(3)]
        for work in works:
            await work.__aenter__()
        with pytest.raises(TooLarge, match="3 things of one person"):
            await depot.begin(user="ada").__aenter__()
        async with depot.begin(user="grace"):
            pass
        await works[0].__aexit__(None, None, None)
        async with depot.begin(user="ada"):
            pass


async def test_how_it_ended_is_shown_for_ten_minutes() -> None:
    depot = Depot()
    async with running(depot.app):
        async with depot.begin(user="ada"):
            pass
        depot.clock.advance(599)
        assert len(await depot.rt.running("import:7")) == 1
        depot.clock.advance(2)
        assert await depot.rt.running("import:7") == []
        depot.clock.advance(24 * 3600)
        assert await depot.records() == []


# Said


async def test_ten_messages_a_second_and_the_last_one_always(monkeypatch: pytest.MonkeyPatch) -> None:
    depot = Depot()
    said: list[tuple[float, float]] = []
    async with running(depot.app), depot.begin(total=10**9, user="ada") as p:
        monkeypatch.setattr(depot.rt.progresses, "say", lambda record: said.append((time.monotonic(), record.done)))
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < 0.75:
            count += 1
            p.update(done=count)
            if count % 1000 == 0:
                await asyncio.sleep(0)
        assert len(said) <= 9
        await until(lambda: said[-1][1] == count)
        assert all(second - first > 0.09 for (first, _), (second, _) in itertools.pairwise(said))
    assert count > 5_000


async def test_from_many_threads_too() -> None:
    depot = Depot()
    async with running(depot.app), depot.begin(total=80_000, user="ada") as p:
        n = p.record.n

        def work(number: int) -> None:
            for done in range(10_000):
                p.update(done=number * 10_000 + done)

        began = time.monotonic()
        await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(8)))
        p.update(done=80_000)
        await until(lambda: p.record.done == 80_000)
        assert p.record.n - n <= (time.monotonic() - began) / 0.1 + 2


async def test_nothing_grows_while_the_bus_is_slow() -> None:
    depot = Depot()
    bus = SlowBus(depot.bus)
    async with running(depot.app):
        async with depot.begin(user="ada") as p:
            bus.held = True
            for done in range(50):
                p.update(done=done)
                await asyncio.sleep(0.01)
            assert len(bus.sent) == 1
            bus.go()
            await until(lambda: p.record.done == 49)
            bus.held = True
            p.update(done=50)
            await until(lambda: bus.sent)
        assert len(bus.sent) <= 3  # one on its way, the end, the toast
        bus.go()
        assert (await depot.rt.running("import:7"))[0].state == "done"


async def test_what_the_bus_refused_is_said_again() -> None:
    depot = Depot()
    bus = SlowBus(depot.bus)
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            async with depot.begin(user="ada") as p:
                await told(stream, lambda args: args["state"] == "running")
                bus.refuses = BusUnavailable("It is away.")
                p.update(done=60)
                await until(lambda: p.record.done == 60)
            assert depot.rt.progresses._mine
            bus.refuses = None
            assert (await told(stream, ended))[-1]["state"] == "done"
            await until(lambda: not depot.rt.progresses._mine)


async def test_work_goes_on_while_the_store_is_away(caplog: pytest.LogCaptureFixture) -> None:
    store = Shaky()
    depot = Depot(store)
    async with running(depot.app):
        store.away = True
        async with depot.begin(user="ada") as p:
            p.update(done=1)
            assert p.record.slot == -1
            store.away = False
            await depot.rt.progresses.keep()
            assert [one.done for one in await depot.rt.running("import:7")] == [1]
            store.away = True
            p.update(done=2)
        assert "cannot be noted" in caplog.text
        store.away = False
        await depot.rt.progresses.keep()
        assert [one["state"] for one in await depot.records()] == ["done"]
        assert depot.rt.progresses._mine == {}
        assert await depot.left() == []


async def test_a_lost_answer_of_the_store_does_no_harm() -> None:
    store = Shaky()
    depot = Depot(store)
    async with running(depot.app):
        async with depot.begin(user="ada") as p:
            for _ in range(3):
                store.deaf = 1
                with pytest.raises(StoreUnavailable):
                    await depot.rt.progresses.keep()
                n = p.record.n
                await depot.rt.progresses.keep()
                assert p.record.n == n  # nobody has taken us for dead
        (record,) = await depot.records()
        assert record["state"] == "done"


# Ended


class Hidden(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (Hidden("password=hunter2"), "failed", ""),
        (BadOperation("Row 17 has no price."), "failed", "Row 17 has no price."),
        (Cancelled("enough"), "cancelled", ""),
        (asyncio.CancelledError(), "interrupted", ""),
        (KeyboardInterrupt(), "interrupted", ""),
    ],
)
@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_how_it_ends(
    kind: str, error: BaseException, state: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    depot = Depot()
    caught: list[BaseException] = []

    async def run() -> Progress:
        p = depot.begin(user="ada")
        try:
            async with p:
                raise error
        except BaseException as raised:
            caught.append(raised)
        return p

    def run_in_a_thread() -> Progress:
        p = depot.begin(user="ada")
        try:
            with p:
                raise error
        except BaseException as raised:
            caught.append(raised)
        return p

    async with running(depot.app):
        p = await (run() if kind == "async" else asyncio.to_thread(run_in_a_thread))
        await until(lambda: not depot.rt.progresses._mine)
        (record,) = await depot.rt.running("import:7")
        await depot.rt.progresses.sweep()
        assert await depot.left() == []
    assert caught == ([] if isinstance(error, Cancelled) else [error])
    assert (p.state, record.state, record.error) == (state, state, reason)
    assert ("hunter2" in caplog.text) == isinstance(error, Hidden)


async def test_what_people_may_know_of_a_failure_is_said_by_fail() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            async with depot.begin(user="ada") as p:
                p.fail("Row 17\nhas no \u202eprice.")
                with pytest.raises(RealtimeError, match="ended already \\(failed\\)"):
                    p.update(done=3)
            assert (await told(stream, ended))[-1]["error"] == "Row 17 has no price."
            assert (await toast(stream))["text"] == "Importing prices failed: Row 17 has no price."
    assert p.state == "failed"


async def test_after_its_end_nothing_more_can_be_said() -> None:
    depot = Depot()
    async with running(depot.app):
        p = depot.begin(user="ada")
        with pytest.raises(RealtimeError, match="it has not begun"):
            p.update(done=1)
        async with p:
            pass
        for say in (lambda: p.update(done=1), p.check, lambda: p.fail("late")):
            with pytest.raises(RealtimeError, match="has ended already \\(done\\)"):
                say()
        with pytest.raises(RealtimeError, match="has begun already"):
            await p.__aenter__()
        other = depot.begin(user="ada")
        with pytest.raises(ConfigurationError, match="async with"), other:
            pass


async def test_no_toast_where_none_is_wanted() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            async with depot.begin(user="ada", toast=False):
                pass
            async with depot.begin(user="ada", lang="de"):
                pass
            assert (await toast(stream))["text"] == "Importing prices: fertig"


# Bad values


@pytest.mark.parametrize(
    ("given", "done", "total", "percent"),
    [
        ({"done": 120}, 100, 100, 100), ({"done": -5}, 0, 100, 0), ({"done": math.nan}, 0, 100, 0),
        ({"done": math.inf}, 100, 100, 100), ({"done": 99.99}, 99.99, 100, 99), ({"done": 3, "total": 0}, 3, None, None),
        ({"done": 3, "total": -7}, 3, None, None), ({"done": 3, "total": math.nan}, 3, None, None),
        ({"done": 10**30, "total": math.inf}, 2**53 - 1, 2**53 - 1, 100),
    ],
)  # fmt: skip
async def test_numbers_that_cannot_be(
    given: dict[str, Any], done: float, total: float | None, percent: int | None
) -> None:
    depot = Depot()
    async with running(depot.app), depot.begin(user="ada") as p:
        p.update(**given)
        await until(lambda: not p.pending)
        assert (p.record.done, p.record.total, p.record.percent) == (done, total, percent)


async def test_words_that_cannot_be() -> None:
    depot = Depot()
    async with running(depot.app), depot.begin(user="ada") as p:
        for value in ("5", None, True, [1]):
            if value is not None:
                with pytest.raises(BadOperation, match="give a number"):
                    p.update(done=value)
        began = time.monotonic()
        p.update(step="x\x00\x1b[31m\ud800 " + "long " * 2_000_000)
        await until(lambda: not p.pending)
        assert time.monotonic() - began < 1
        assert len(p.record.step) <= 200
        assert p.record.step.startswith("x[31m long long")
    for title in ("", " \n ", None, 7, "\u200b\x00"):
        with pytest.raises(BadOperation, match="say in a few words"):
            depot.rt.progress("import:7", title)  # type: ignore[arg-type]
    with pytest.raises(BadTopic):
        depot.rt.progress("no topic", "Export")
    with pytest.raises(BadOperation, match="cancel="):
        depot.rt.progress("import:7", "Export", cancel="everybody")  # type: ignore[arg-type]
    assert len(cleaned("é" * 5000, 120)) == 120


async def test_what_lies_in_the_store_and_is_none_of_ours_is_left_alone() -> None:
    depot = Depot()
    async with running(depot.app):
        for value in (b"", b"{", b"[]", b'{"id":1}', b'{"id":"a","topic":"t","title":"x","left":3}'):
            await depot.rt.store.put("progress:t/import:7/000", value, ttl=100)
            await depot.rt.store.put("progress:r/x/0123", value, ttl=100)
            assert await depot.rt.running("import:7") == []
            await depot.rt.progresses.sweep()
            async with depot.begin(user="ada") as p:
                assert p.record.slot >= 0


# Cancelled


async def test_it_is_cancelled_at_once_where_it_runs() -> None:
    depot = Depot()
    async with running(depot.app):
        async with depot.begin(user="ada") as p:
            p.check()
            await depot.rt.progresses.cancel(p.record, "")
            assert p.cancelling
            with pytest.raises(Cancelled, match="cancelled by its owner"):
                p.check()
            p.update(done=3)
        assert p.state == "cancelled"
        (record,) = await depot.records()
        assert (record["state"], record["cancelling"]) == ("cancelled", False)


async def test_it_is_cancelled_from_another_worker_within_a_second(store: Store) -> None:
    one, two = pair(store)
    async with running(one.app), running(two.app):
        grace, hers = await opened(two, "/import", who="grace")
        async with grace.stream(hers) as stream:
            async with one.begin(user="ada", cancel="all") as p:
                await told(stream, lambda args: args["state"] == "running")
                assert (await cancel(grace, p.id)).status == 403  # without a grant
                grant = hers.select("[rt-progress]")[0]["rt-grant"]
                began = time.monotonic()
                answer = await cancel(grace, p.id, grant=grant)
                assert (answer.status, answer.text) == (202, '{"state": "cancelling"}')
                await until(lambda: p.cancelling)
                assert time.monotonic() - began < 2.5  # a second, on a machine that does other things, too
                assert (await told(stream, lambda args: args.get("cancelling", False)))[-1]["id"] == p.id
                p.check()
            assert (await told(stream, ended))[-1]["state"] == "cancelled"
        assert await one.left() == []


async def test_one_that_does_not_listen_was_done_in_spite_of_it() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            async with depot.begin(user="ada") as p:
                await depot.rt.progresses.cancel(p.record, "")
            last = (await told(stream, ended))[-1]
            assert (last["state"], last["late"]) == ("done", True)
            assert (await toast(stream))["text"] == "Importing prices: done (it was too late to cancel)"


async def test_the_owner_is_told_where_a_colleague_cancelled_it() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            async with depot.begin(user="ada") as p:
                await depot.rt.progresses.cancel(p.record, "")
                p.check()
            async with depot.begin(user="ada", cancel="all") as p:
                await depot.rt.progresses.cancel(p.record, "Grace")
                p.check()
            args = await toast(stream)
            assert (args["key"], args["text"]) == (f"progress:{p.id}", "Importing prices was cancelled")


# Workers that end


async def test_another_worker_says_that_a_dead_one_was_interrupted(store: Store) -> None:
    one, two = pair(store)
    async with running(two.app):
        ada, page = await opened(two, "/import")
        async with ada.stream(page) as stream:
            async with running(one.app):
                p = one.begin(user="ada")
                await p.__aenter__()
                p.update(done=40)
                await told(stream, lambda args: args["done"] == 40)
                one.rt.progresses._mine.clear()  # as good as dead
            await two.rt.progresses.sweep()
            one.clock.advance(19)
            await two.rt.progresses.sweep()
            assert (await two.rt.running("import:7"))[0].running
            one.clock.advance(2)
            assert (await two.rt.running("import:7"))[0].state == "interrupted"  # before anybody has looked
            await two.rt.progresses.sweep()
            last = (await told(stream, ended))[-1]
            assert (last["state"], last["done"]) == ("interrupted", 40)
            assert (await toast(stream))["level"] == "warning"
            assert await two.left() == []


async def test_one_that_was_taken_for_dead_is_running_again(store: Store) -> None:
    one, two = pair(store)
    async with running(one.app), running(two.app):
        ada, page = await opened(two, "/import")
        async with ada.stream(page) as stream:
            async with one.begin(user="ada") as p:
                p.update(done=40)
                await until(lambda: not p.pending)
                one.clock.advance(21)
                await two.rt.progresses.sweep()
                last = (await told(stream, ended))[-1]
                assert last["state"] == "interrupted"
                await one.rt.progresses.keep()
                again = (await told(stream, lambda args: args["state"] == "running"))[-1]
                assert again["done"] == 40
                assert again["n"] > last["n"]
                await two.rt.progresses.sweep()
                p.update(done=50)
                assert (await two.rt.running("import:7"))[0].running
            assert (await told(stream, ended))[-1]["state"] == "done"
        (record,) = await one.records()
        assert record["state"] == "done"


async def test_one_whose_place_was_given_away_meanwhile_finds_another(store: Store) -> None:
    one, two = pair(store, limits={"progress_per_topic": 2})
    async with running(one.app), running(two.app), one.begin(user="ada") as p, two.begin(user="grace"):
        one.clock.advance(21)
        await two.rt.progresses.keep()
        await two.rt.progresses.sweep()
        async with two.begin(user="linus") as other:
            assert other.record.slot == 0
            await one.rt.progresses.keep()
            assert p.record.slot == -1
            p.update(done=5)
        await one.rt.progresses.keep()
        assert p.record.slot == 0
        assert {one.done for one in await two.rt.running("import:7")} == {0, 5}


async def test_a_worker_that_stops_says_so_at_once_and_whoever_comes_next_again(store: Store) -> None:
    one, two = pair(store)
    async with running(two.app):
        ada, page = await opened(two, "/import")
        async with ada.stream(page) as stream:
            async with running(one.app):
                p = one.begin(user="ada")
                await p.__aenter__()
                p.update(done=40)
                await two.rt.progresses.sweep()  # it has just seen that it runs
                one.rt.begin_drain()
                last = (await told(stream, ended))[-1]
                assert (last["state"], last["done"]) == ("interrupted", 40)
                p.update(done=41)  # it may still come to its end, and says nothing until then
            (record,) = await two.records()
            assert record["state"] == "interrupted"
            await two.rt.progresses.sweep()
            assert (await told(stream, ended))[-1]["n"] == last["n"]
            assert await two.left() == []


async def test_one_that_ends_well_while_its_worker_stops_was_done(store: Store) -> None:
    one, two = pair(store)
    async with running(two.app), running(one.app):
        ada, page = await opened(two, "/import")
        async with ada.stream(page) as stream:
            async with one.begin(user="ada"):
                one.rt.begin_drain()
                await told(stream, ended)
            assert (await told(stream, lambda args: args["state"] == "done"))[-1]["percent"] == 100
        assert await one.left() == []


async def test_random_workers_tell_the_truth_in_the_end() -> None:
    seed = random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    store = MemoryStore()
    one, two = pair(store, limits={"progress_per_topic": 4})
    async with running(one.app), running(two.app):
        live: list[Progress] = []
        for _ in range(300):
            what = chance.randrange(6)
            if what == 0 and len(live) < 6:
                live.append(chance.choice((one, two)).begin(user=f"u{chance.randrange(9)}"))
                await live[-1].__aenter__()
            elif what == 1 and live:
                p = live.pop(chance.randrange(len(live)))
                await p.__aexit__(None, None, None)
            elif what == 2 and live:
                live[chance.randrange(len(live))].update(done=chance.randrange(100))
            elif what == 3:
                one.clock.advance(chance.choice((1, 5, 21)))
            elif what == 4:
                await chance.choice((one, two)).rt.progresses.sweep()
            else:
                await chance.choice((one, two)).rt.progresses.keep()
        for depot in (one, two, one, two):
            await depot.rt.progresses.keep()
            await depot.rt.progresses.sweep()
        shown = {one.id: one for one in await one.rt.running("import:7")}
        placed = [p for p in live if p.record.slot >= 0]
        assert all(shown[p.id].running for p in placed), seed
        assert len(placed) == min(4, len(live)), seed
        assert {id for id, record in shown.items() if record.running} == {p.id for p in placed}, seed
        for p in live:
            await p.__aexit__(None, None, None)
        assert await one.left() == [], seed


# How long still


def test_the_time_left_is_silent_until_it_means_something() -> None:
    pace = Pace()
    said = []
    for second in range(100):
        pace.note(second * 10, second)
        said.append(pace.left(1000, second))
    assert said[:3] == [None] * 3
    assert said[4] == ("min", 2)
    assert said[60] == ("s", 40)
    assert said[99] == ("few", 0)
    assert pace.left(None, 99) is None
    assert pace.left(1000, 99 + 16) is None  # it stands still


def test_the_time_left_is_smooth_and_begins_again_with_the_work() -> None:
    pace = Pace()
    done = 0
    for second in range(60):
        done += 40 if second % 4 == 0 else 0  # in pieces
        pace.note(done, second)
    unit, number = pace.left(1000, 59) or ("", 0)
    assert (unit, number in (30, 40, 50)) == ("s", True)
    pace.note(0, 61)
    assert pace.left(1000, 61) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, ("few", 0)), (7, ("few", 0)), (8, ("s", 10)), (42, ("s", 40)), (54, ("s", 50)), (56, ("min", 1)),
        (130, ("min", 2)), (3300, ("min", 55)), (3500, ("h", 1)), (90 * 60, ("h", 2)), (40 * 3600, ("h", 40)), (60 * 3600, None),
    ],
)  # fmt: skip
def test_times_as_people_say_them(seconds: float, said: object) -> None:
    assert rounded(seconds) == said
