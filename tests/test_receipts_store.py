"""Receipts over time, and while their store fails: never twice, and never stuck."""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from htmx_rt import Realtime
from htmx_rt.receipts import Claim
from htmx_rt.stores import Store
from htmx_rt.stores.hold import decode

from .desk import Desk, Shaky, act, key, replayed, send, until
from .desk import store as store
from .kit import problem, running

pytestmark = pytest.mark.anyio
QUICK = {"receipt_wait": 0.05, "identity_age": 10**9, "silence": 10**9}


async def record(desk: Desk) -> dict[str, object]:
    ((_, item),) = await desk.rt.store.scan("receipt:")
    return decode(item)[0]


async def test_nothing_runs_while_the_store_is_away(caplog: pytest.LogCaptureFixture) -> None:
    shaky = Shaky()
    desk, action = Desk(shaky), key()
    async with running(desk.app):
        ada = await desk.visitor()
        shaky.away = True
        page = await act(ada, "add", action)
        assert (problem(page), page.header("retry-after")) == ((503, "limited"), "2")
        assert desk.ran["add"] == 0
        shaky.away = False
        assert (await act(ada, "add", action)).text == "add 1"
    assert "receipt cannot be kept" in caplog.text


async def test_a_store_that_is_no_database_refuses_actions_and_serves_pages(tmp_path: object) -> None:
    desk = Desk(f"sqlite:///{tmp_path}/not/there.db")
    async with running(desk.app):
        ada = await desk.visitor()
        assert (await ada.get("/plain")).text == "plain"
        assert problem(await act(ada, "add", key())) == (503, "limited")
    assert desk.ran["add"] == 0


async def test_a_claim_whose_answer_was_lost_does_not_stay() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_wait": 5.0}), key()
    async with running(desk.app):
        ada = await desk.visitor()
        shaky.deaf = 1
        assert problem(await act(ada, "add", action)) == (503, "limited")
        assert desk.ran["add"] == 0
        # It was not run, and so must not be called running, or lost, until its lease is over.
        assert (await act(ada, "add", action)).text == "add 1"


async def test_a_request_that_is_stopped_while_it_claims_leaves_nothing(store: Store) -> None:
    desk, action = Desk(store, limits={"receipt_wait": 5.0}), key()
    async with running(desk.app):
        ada = await desk.visitor()
        for turns in range(12):
            response = send(ada, "/do/add", action)
            for _ in range(turns):
                await asyncio.sleep(0)
            response._task.cancel()
            await asyncio.wait([response._task])
            if desk.ran["add"]:
                break
            page = await act(ada, "add", action)
            assert page.status == 200, (turns, problem(page))
            desk.ran.clear()
            action = key()


async def test_an_answer_is_kept_later_where_the_store_is_away_for_a_moment() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_wait": 5.0}), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        shaky.away = True
        go.set()
        assert (await first).text == "add 1"  # whoever did it is told
        shaky.away = False
        second = await act(ada, "add", action)
    assert (second.text, replayed(second), desk.ran["add"]) == ("add 1", True, 1)


async def test_an_answer_that_never_got_to_the_store_is_unknown() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        shaky.away = True
        go.set()
        await first
    # That worker is gone, and with it what it knew.
    shaky.away = False
    async with running(desk.app):
        assert problem(await act(ada, "add", action)) == (409, "running")
        desk.clock.advance(61)
        assert problem(await act(ada, "add", action)) == (409, "unknown-outcome")
    assert desk.ran["add"] == 1


async def test_a_change_whose_answer_was_lost_counts() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_wait": 5.0}), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        shaky.deaf = 1
        go.set()
        await first
        second = await act(ada, "add", action)
    assert (second.text, replayed(second)) == ("add 1", True)


async def test_a_refusal_whose_release_was_lost_may_be_tried_again() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_wait": 5.0}), key()
    shaky.away = False
    desk.answers("add", 422, "no")
    async with running(desk.app):
        ada = await desk.visitor()
        shaky.open.clear()
        first = asyncio.create_task(act(ada, "add", action))
        await shaky.waiting.wait()
        shaky.open.set()
        shaky.deaf = 0
        await first
        shaky.deaf = 0
        begun, go = desk.waits("add")
        second = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        desk.answers("add", 422, "no")
        shaky.away = True
        go.set()
        assert (await second).status == 200
        shaky.away = False
        assert replayed(await act(ada, "add", action))


async def test_a_claim_is_renewed_while_its_handler_runs(store: Store) -> None:
    desk, action = Desk(store, limits=QUICK | {"receipt_lease": 0.3}), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        before = await record(desk)
        for _ in range(3):
            desk.clock.advance(0.2)  # together longer than the lease
            async with asyncio.timeout(5):
                while (now := await record(desk))["until"] == before["until"]:
                    await asyncio.sleep(0.01)
            before = now
            assert problem(await act(ada, "add", action)) == (409, "running")
        go.set()
        assert (await first).text == "add 1"
        assert replayed(await act(ada, "add", action))


async def test_an_answer_outlives_a_renewal_that_is_under_way() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_lease": 0.2}), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        shaky.open.clear()
        await shaky.waiting.wait()  # the renewal
        go.set()
        await asyncio.sleep(0)
        shaky.open.set()
        assert (await first).text == "add 1"
        changes = shaky.changes
        await asyncio.sleep(0.2)  # three times as long as a renewal takes to come
        assert shaky.changes == changes
        second = await act(ada, "add", action)
    assert (second.text, replayed(second)) == ("add 1", True)


async def test_a_renewal_whose_answer_was_lost_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_lease": 0.15}), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        shaky.deaf = 1
        await until(lambda: not shaky.deaf)
        changes = shaky.changes
        await until(lambda: shaky.changes > changes)
        go.set()
        await first
        assert replayed(await act(ada, "add", action))
    assert "taken over" not in caplog.text


async def test_a_handler_that_was_stopped_leaves_an_unknown_outcome(store: Store) -> None:
    desk, action = Desk(store, limits=QUICK), key()
    begun, _ = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action)
        await begun.wait()
        response._task.cancel()
        await asyncio.wait([response._task])
        assert response._task.cancelled()
        del desk.does["add"]
        page = await act(ada, "add", action)
        assert problem(page) == (409, "unknown-outcome")
        assert problem(await act(ada, "add", action)) == (409, "unknown-outcome")
    assert desk.ran["add"] == 1


async def test_a_worker_that_died_leaves_an_unknown_outcome(store: Store) -> None:
    desk, action = Desk(store, limits=QUICK), key()
    async with running(desk.app):
        ada = await desk.visitor()
        await died(desk, ada, action)
        assert problem(await act(ada, "add", action)) == (409, "running")
        desk.clock.advance(61)
        assert problem(await act(ada, "add", action)) == (409, "unknown-outcome")
        # Until it is forgotten: then it is a new action.
        desk.clock.advance(601)
        assert (await act(ada, "add", action)).text == "add 1"


async def died(desk: Desk, browser: object, action: str, *, again: bool = False) -> None:
    """Leave behind what a worker leaves that dies while it runs the action."""
    owner = desk.rt.identity.keeper(desk.rt.identity.open(scope_of(browser, action)))
    assert owner is not None
    assert desk.rt.receipts is not None
    claim = await desk.rt.receipts.claim(owner, action, "POST", "/do/add")
    assert isinstance(claim, Claim)
    if again:
        await claim.may_repeat()
    await claim._hold.rest()


def scope_of(browser: object, action: str) -> dict[str, object]:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())  # type: ignore[attr-defined]
    headers = [(b"cookie", cookie.encode()), (b"idempotency-key", action.encode())]
    return {"type": "http", "method": "POST", "path": "/do/add", "scheme": "http", "headers": headers}


async def test_what_may_be_repeated_is_run_again_by_one(store: Store) -> None:
    desk, action = Desk(store, limits=QUICK | {"receipt_wait": 5.0}), key()

    @desk.rt.repeatable
    async def does(_: Request) -> Response:
        return PlainTextResponse("done")

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        await died(desk, ada, action, again=True)
        desk.clock.advance(61)
        pages = await asyncio.gather(*(act(ada, "add", action) for _ in range(10)))

    assert {(page.status, page.text) for page in pages} == {(200, "done")}
    assert desk.ran["add"] == 1


async def test_what_was_stopped_may_be_repeated_at_once(store: Store) -> None:
    desk, action = Desk(store, limits=QUICK), key()
    begun, go = asyncio.Event(), asyncio.Event()

    @desk.rt.repeatable
    async def does(_: Request) -> Response:
        begun.set()
        await go.wait()
        return PlainTextResponse("done")

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action)
        await begun.wait()
        response._task.cancel()
        await asyncio.wait([response._task])
        go.set()
        page = await act(ada, "add", action)
    assert (page.text, replayed(page), desk.ran["add"]) == ("done", False, 2)


async def test_an_endpoint_runs_where_it_cannot_be_noted_that_it_may_again() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits=QUICK | {"receipt_lease": 0.15}), key()
    begun, go = asyncio.Event(), asyncio.Event()

    @desk.rt.repeatable
    async def does(_: Request) -> Response:
        shaky.away = False
        begun.set()
        await go.wait()
        return PlainTextResponse("done")

    async def cuts(request: Request) -> Response:
        shaky.away = True
        return await does(request)

    desk.does["add"] = cuts
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        changes = shaky.changes
        await until(lambda: shaky.changes > changes)  # it is still being renewed
        go.set()
        assert (await first).text == "done"
        assert replayed(await act(ada, "add", action))


async def test_kept_answers_are_bounded_and_forgotten_in_any_order() -> None:
    desk = Desk(limits=QUICK | {"receipt_bytes": 5000})
    desk.answers("add", 200, "x" * 1000)
    async with running(desk.app):
        ada = await desk.visitor()
        who = desk.rt.identity.who(desk.rt.identity.open(scope_of(ada, "x")))
        keys = [key() for _ in range(6)]
        for number, action in enumerate(keys):
            await act(ada, "add", action, **({"rt_queued": who} if number == 0 else {}))  # that one for a day
        again = [(await act(ada, "add", action)).status for action in keys]
        assert again[0] == 200
        assert again[-1] == 204
        desk.clock.advance(601)  # those of ten minutes are gone, and give their room back
        action = key()
        assert [(await act(ada, "add", action)).status for _ in range(2)] == [200, 200]


async def test_an_empty_answer_is_kept_whole_where_there_is_no_room() -> None:
    desk, action = Desk(limits={"receipt_bytes": 1}), key()
    desk.answers("add", 303, "", Location="/there")
    async with running(desk.app):
        ada = await desk.visitor()
        pages = [await act(ada, "add", action) for _ in range(2)]
    assert [(page.status, page.header("location")) for page in pages] == [(303, "/there")] * 2


async def test_a_limit_above_what_a_store_takes_does_not_lose_receipts() -> None:
    desk, action = Desk(limits={"receipt_body": 10 * 1024 * 1024}), key()
    desk.answers("add", 200, "x" * 2 * 1024 * 1024)
    async with running(desk.app):
        ada = await desk.visitor()
        pages = [await act(ada, "add", action) for _ in range(2)]
    assert [page.status for page in pages] == [200, 204]


async def test_a_value_that_is_none_of_ours_harms_nobody(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        ada = await desk.visitor()
        await act(ada, "add", action)
        ((name, _),) = await store.scan("receipt:")
        await store.put(name, b"\x80\x04\x95 pickle, say", ttl=60)
        assert (await act(ada, "add", action)).status in (409, 422)
        assert (await act(ada, "add", key())).status == 200


async def test_no_task_is_left_behind(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(store)
    before = asyncio.all_tasks()
    async with running(desk.app):
        ada = await desk.visitor()
        await asyncio.gather(*(act(ada, "add", key()) for _ in range(50)))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_marking_an_endpoint_changes_nothing_else() -> None:
    rt = Realtime(secret="a secret of thirty-two bytes or more")

    @rt.repeatable
    def endpoint(a: int, *, b: str = "x") -> str:
        """Say it."""
        return f"{a}{b}"

    assert endpoint(1, b="y") == "1y"
    assert (endpoint.__name__, endpoint.__doc__) == ("endpoint", "Say it.")
