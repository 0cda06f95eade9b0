"""An action runs once, however often it is sent, and everybody who sent it gets its answer."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from htmx_rt.stores import Store

from .desk import Desk, act, key, replayed, send
from .desk import store as store
from .kit import problem, running

pytestmark = pytest.mark.anyio


async def test_a_double_runs_once_and_gets_the_same_answer(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        ada = await desk.visitor()
        first = await act(ada, "add", action)
        second = await act(ada, "add", action)

    assert (first.status, first.text, replayed(first)) == (200, "add 1", False)
    assert (second.status, second.text, replayed(second)) == (200, "add 1", True)
    assert second.header("content-length") == "5"
    assert second.header("cache-control") == "no-store"
    assert desk.ran["add"] == 1


async def test_another_action_runs_again(store: Store) -> None:
    desk = Desk(store)
    async with running(desk.app):
        ada = await desk.visitor()
        assert [(await act(ada, "add", key())).text for _ in range(3)] == ["add 1", "add 2", "add 3"]


async def test_twenty_at_once_run_once(store: Store) -> None:
    desk, action = Desk(store), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        sent = [asyncio.create_task(act(ada, "add", action)) for _ in range(20)]
        await begun.wait()
        go.set()
        pages = await asyncio.gather(*sent)

    assert desk.ran["add"] == 1
    assert {(page.status, page.text) for page in pages} == {(200, "add 1")}
    assert sum(replayed(page) for page in pages) == 19


async def test_two_tabs_and_two_browsers_of_a_person_count_as_one(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        ada, elsewhere = await desk.visitor(), await desk.visitor()
        pages = [
            await act(ada, "add", action, rt_tab="one"),
            await act(ada, "add", action, rt_tab="two"),
            await act(elsewhere, "add", action),
        ]

    assert [page.text for page in pages] == ["add 1"] * 3
    assert desk.ran["add"] == 1


async def test_whoever_gave_up_waiting_gets_the_answer_when_asking_again(store: Store) -> None:
    desk, action = Desk(store), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = send(ada, "/do/add", action)
        await begun.wait()
        leaving = asyncio.create_task(first.close())
        again = asyncio.create_task(act(ada, "add", action))
        await asyncio.sleep(0)
        go.set()
        await leaving
        page = await again

    assert (page.text, replayed(page), desk.ran["add"]) == ("add 1", True, 1)


async def test_a_twin_waits_only_so_long(store: Store) -> None:
    desk, action = Desk(store, limits={"receipt_wait": 0.2}), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        second = await act(ada, "add", action)
        go.set()
        await first
        third = await act(ada, "add", action)

    assert (problem(second), second.header("retry-after")) == ((409, "running"), "1")
    assert (third.text, replayed(third), desk.ran["add"]) == ("add 1", True, 1)


async def test_a_twin_does_not_wait_in_a_worker_that_is_leaving(store: Store) -> None:
    desk, action = Desk(store), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        first = asyncio.create_task(act(ada, "add", action))
        await begun.wait()
        second = asyncio.create_task(act(ada, "add", action))
        await asyncio.sleep(0)
        desk.rt.begin_drain()
        async with asyncio.timeout(5):  # it would wait for ten
            page = await second
        go.set()
        await first

    assert (problem(page), page.header("retry-after")) == ((409, "running"), "1")
    assert desk.ran["add"] == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
async def test_what_was_refused_may_be_tried_again(store: Store, status: int) -> None:
    desk, action = Desk(store), key()
    desk.answers("add", status, "no")
    async with running(desk.app):
        ada = await desk.visitor()
        first = await act(ada, "add", action)
        del desk.does["add"]
        second = await act(ada, "add", action)
        third = await act(ada, "add", action)

    assert (first.status, replayed(first)) == (status, False)
    assert (second.text, replayed(second)) == ("add 2", False)
    assert (third.text, replayed(third)) == ("add 2", True)


async def test_what_raised_may_be_tried_again(store: Store) -> None:
    desk, action = Desk(store), key()

    async def fails(_: Request) -> Response:
        raise RuntimeError("a bug of the app")

    desk.does["add"] = fails
    async with running(desk.app):
        ada = await desk.visitor()
        with pytest.raises(RuntimeError):
            await act(ada, "add", action)
        del desk.does["add"]
        assert (await act(ada, "add", action)).text == "add 2"


async def test_twins_of_a_refused_action_are_refused_each_by_the_app_itself(store: Store) -> None:
    desk, action = Desk(store), key()
    desk.answers("add", 422, "no")
    async with running(desk.app):
        ada = await desk.visitor()
        pages = await asyncio.gather(*(act(ada, "add", action) for _ in range(5)))

    assert [(page.status, page.text) for page in pages] == [(422, "no")] * 5


@pytest.mark.parametrize("bad", ["x" * 65, "a b", "\x7f", "é"], ids=["long", "space", "control", "not ascii"])
async def test_a_malformed_key_of_a_page_is_refused(bad: str) -> None:
    desk = Desk()
    async with running(desk.app):
        ada = await desk.visitor()
        assert problem(await act(ada, "add", bad)) == (400, "bad-request")
        assert desk.ran["add"] == 0
        # Who is no page of ours may mean something else by it.
        foreign = await ada.request("POST", "/do/add", headers={"idempotency-key": bad})
    assert (foreign.status, desk.ran["add"]) == (200, 1)


async def test_the_longest_key() -> None:
    desk = Desk()
    async with running(desk.app):
        ada = await desk.visitor()
        pages = [await act(ada, "add", "~" * 64) for _ in range(2)]
    assert [page.text for page in pages] == ["add 1"] * 2


async def test_a_key_belongs_to_one_method_and_path(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        ada = await desk.visitor()
        await act(ada, "add", action)
        assert problem(await act(ada, "other", action)) == (422, "key-mismatch")
        assert problem(await act(ada, "add", action, method="PUT")) == (422, "key-mismatch")
        assert (await act(ada, "add?page=2", action)).text == "add 1"  # the address of the same thing
    assert desk.ran == {"add": 1}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_unsafe_method(method: str) -> None:
    desk, action = Desk(), key()
    async with running(desk.app):
        ada = await desk.visitor()
        for _ in range(2):
            await act(ada, "add", action, method=method)
    assert desk.ran["add"] == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_safe_is_asked_each_time(method: str) -> None:
    desk, action = Desk(), key()
    async with running(desk.app):
        ada = await desk.visitor()
        pages = [await act(ada, "add", action, method=method) for _ in range(2)]
    assert desk.ran["add"] == 2
    assert not any(map(replayed, pages))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 205, 303, 304])
async def test_status_and_headers_come_again_but_no_cookies(store: Store, status: int) -> None:
    desk, action = Desk(store), key()
    kept = {"Location": "/there", "HX-Trigger": '{"a":1}', "HX-Redirect": "/x", "RT-Lock-Version": "7"}
    other = {"X-Secret": "token", "Set-Cookie": "session=1", "ETag": '"1"', "Connection": "close"}

    async def does(_: Request) -> Response:
        return Response(b"", status, kept | other, "text/html")

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        first, second = await act(ada, "add", action), await act(ada, "add", action)

    assert (first.status, second.status) == (status, status)
    assert {name: second.header(name) for name in kept} == kept
    assert {name: second.header(name) for name in other} == dict.fromkeys(other)
    assert second.header("RT-At") == first.header("RT-At") is not None
    # A 204 may not say how long what is not there is; nor does a 304 know.
    assert second.header("content-length") == (None if status in (204, 304) else "0")
    names = [name for name, _ in second.headers]
    assert len(names) == len(set(names)), names


async def test_a_long_answer_is_kept_as_done(store: Store) -> None:
    desk, action = Desk(store, limits={"receipt_body": 1000}), key()
    desk.answers("add", 200, "x" * 1001, HX_Trigger="done", RT_Lock_Version="7")
    async with running(desk.app):
        ada = await desk.visitor()
        first, second = await act(ada, "add", action), await act(ada, "add", action)

    assert (first.status, len(first.text)) == (200, 1001)
    assert (second.status, second.text, replayed(second)) == (204, "", True)
    assert second.header("content-length") is None
    assert second.header("RT-At") == first.header("RT-At")
    assert desk.ran["add"] == 1


@pytest.mark.parametrize(("size", "kept"), [(999, True), (1000, True), (1001, False)])
async def test_a_streamed_answer_is_kept_where_it_is_short(store: Store, size: int, kept: bool) -> None:
    desk, action = Desk(store, limits={"receipt_body": 1000}), key()

    async def pieces() -> Any:
        for _ in range(size):
            yield b"x"

    async def does(_: Request) -> Response:
        return StreamingResponse(pieces(), media_type="text/html")

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        first, second = await act(ada, "add", action), await act(ada, "add", action)

    assert (first.status, len(first.text)) == (200, size)
    assert (second.status, len(second.text)) == ((200, size) if kept else (204, 0))
    assert replayed(second)


async def test_a_packed_answer_comes_again_packed() -> None:
    desk, action = Desk(middleware=[Middleware(GZipMiddleware, minimum_size=10)]), key()
    desk.answers("add", 200, "x" * 5000)
    async with running(desk.app):
        ada = await desk.visitor()
        bodies = []
        for _ in range(2):
            response = send(ada, "/do/add", action, accept_encoding="gzip")
            await response.start()
            headers = dict(response.headers)
            bodies.append((headers["content-encoding"], headers["vary"], gzip.decompress(await response.rest())))
            await response.close()

    assert bodies == [("gzip", "Accept-Encoding", b"x" * 5000)] * 2
    assert desk.ran["add"] == 1


async def test_a_form_with_another_boundary_is_the_same_action(store: Store) -> None:
    desk, action = Desk(store), key()

    async def does(request: Request) -> Response:
        return PlainTextResponse(str((await request.form())["title"]))

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        pages = []
        for boundary in ("one", "two"):
            part = f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nBuy milk\r\n--{boundary}--\r\n'
            kind = f"multipart/form-data; boundary={boundary}"
            pages.append(await act(ada, "add", action, body=part.encode(), content_type=kind))

    assert [page.text for page in pages] == ["Buy milk"] * 2
    assert desk.ran["add"] == 1


async def test_receipts_can_be_left_out() -> None:
    desk, action = Desk(receipts=False), key()
    async with running(desk.app):
        ada = await desk.visitor()
        pages = [await act(ada, "add", action) for _ in range(2)]
    assert [page.text for page in pages] == ["add 1", "add 2"]


async def test_who_has_no_cookie_has_no_receipts() -> None:
    desk, action = Desk(), key()
    async with running(desk.app):
        stranger = desk.browser()
        pages = [await act(stranger, "add", action) for _ in range(2)]
    assert [page.text for page in pages] == ["add 1", "add 2"]


async def test_without_a_key_nothing_is_looked_at() -> None:
    desk = Desk()
    async with running(desk.app):
        ada = await desk.visitor()
        for _ in range(2):
            await ada.post("/do/add")
        assert await desk.rt.store.scan("") == []
    assert desk.ran["add"] == 2


async def test_a_receipt_is_forgotten_in_time(store: Store) -> None:
    desk, action = Desk(store, limits={"identity_age": 10**9, "silence": 10**9}), key()
    async with running(desk.app):
        ada = await desk.visitor()
        await act(ada, "add", action)
        desk.clock.advance(600 - 1)
        assert replayed(await act(ada, "add", action))
        desk.clock.advance(62)
        assert not replayed(await act(ada, "add", action))
    assert desk.ran["add"] == 2
