"""What was deferred can be taken back in time, by whoever did it, and by nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from htmx_rt import Realtime
from htmx_rt.deferred import PREFIX
from htmx_rt.exceptions import ConfigurationError, StoreUnavailable, TooLarge
from htmx_rt.stores import Store
from htmx_rt.testing import Browser

from .desk import Shaky
from .desk import store as store
from .kit import SECRET, opened, problem, running
from .undo_kit import Tasks, press

pytestmark = pytest.mark.anyio


async def lists(browser: Browser) -> dict[str, Any]:
    return dict(json.loads((await browser.get("/tasks")).text))


async def defer(browser: Browser, id: int) -> str:
    page = await browser.request("DELETE", f"/tasks/{id}", headers={"rt-tab": "tab"})
    assert page.status == 200, page.text
    return page.text


async def test_what_is_deferred_is_hidden_from_whoever_did_it_and_pending_for_all(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada, bob = await tasks.visitor("ada"), await tasks.visitor("bob")
        await defer(ada, 7)
        await defer(bob, 8)
        assert await lists(ada) == {"hidden": ["7"], "pending": ["7", "8"]}
        assert await lists(bob) == {"hidden": ["8"], "pending": ["7", "8"]}
        await tasks.looked()
    assert tasks.deleted == []


async def test_it_is_done_when_its_time_is_over(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        await tasks.pass_time(5.9)  # a press at the last moment may still be on its way
        await tasks.looked()
        assert tasks.deleted == []
        await tasks.pass_time(0.2)
        await tasks.ended("done")
        await tasks.looked()
        assert await lists(ada) == {"hidden": [], "pending": []}
        assert problem(await press(ada, id)) == (409, "already-done")
    assert tasks.deleted == [7]
    assert tasks.restored == []
    (seen,) = tasks.seen
    assert (seen.action, seen.item, seen.args, seen.text) == ("delete", "7", {"id": 7}, "Task 7 deleted")
    assert seen.user is not None
    assert seen.user.id == "ada"


async def test_taken_back_in_time_it_is_not_done_and_shown_again(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        page = await press(ada, id)
        assert (page.status, json.loads(page.text)) == (200, {"state": "undone"})
        assert await lists(ada) == {"hidden": [], "pending": []}
        assert tasks.restored == [(7, "undone")]
        await tasks.pass_time()
        await tasks.looked()
        # Pressed twice, as when the answer was lost: it is taken back all the same.
        again = await press(ada, id)
        assert (again.status, json.loads(again.text)) == (200, {"state": "undone"})
        assert [key for key, _ in await store.scan(PREFIX)] == []
    assert tasks.deleted == []
    assert tasks.restored == [(7, "undone")]


async def test_the_toast_has_the_button_and_its_time() -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        page = await ada.request("DELETE", "/tasks/7", headers={"rt-tab": "tab"})
    (toast,) = json.loads(page.header("rt-toast") or "")
    assert toast == {"text": "Task 7 deleted", "level": "info", "undo": {"id": page.text, "left": 5000}}


async def test_nobody_else_may_take_it_back(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada, bob, nobody = [await tasks.visitor(who) for who in ("ada", "bob", None)]
        id = await defer(ada, 7)
        assert problem(await press(bob, id)) == (403, "forbidden")
        assert problem(await press(nobody, id)) == (403, "forbidden")
        assert problem(await press(tasks.browser("ada"), id)) == (401, "no-cookie")
        assert (await press(await tasks.visitor("ada"), id)).status == 200  # on her other device


async def test_a_stranger_takes_back_what_this_browser_did(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        one, two = tasks.browser(), await tasks.visitor(None)
        id = await defer(one, 7)  # the first request of all: its answer brings the cookie
        assert problem(await press(two, id)) == (403, "forbidden")
        assert (await press(one, id)).status == 200


@pytest.mark.parametrize("id", ["0" * 36, "f" * 36])
async def test_what_there_never_was(id: str) -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        assert problem(await press(ada, id)) == (404, "gone")
        assert (await press(ada, "../x")).status in (404, 405)


async def test_what_somebody_else_did_long_ago_is_not_told_of() -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada, bob = await tasks.visitor("ada"), await tasks.visitor("bob")
        id = await defer(ada, 7)
        await press(ada, id)
        assert problem(await press(bob, id)) == (404, "gone")


async def test_pressed_twenty_times_at_once(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        pages = await asyncio.gather(*(press(ada, id) for _ in range(20)))
    assert {page.status for page in pages} == {200}


async def test_the_same_item_twice_is_deferred_once(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada, bob = await tasks.visitor("ada"), await tasks.visitor("bob")
        assert await defer(ada, 7) == await defer(ada, 7) == await defer(bob, 7)
        await tasks.pass_time()
        await tasks.ended("done")
        await tasks.looked()
        assert tasks.deleted == [7]
        # It is there again, say: then it is another time.
        await defer(ada, 7)
        await tasks.pass_time()
        await tasks.ended("done", 2)
    assert tasks.deleted == [7, 7]


async def test_the_same_item_twenty_times_at_once_is_deferred_once(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        people = [await tasks.visitor(f"p{number}") for number in range(4)]
        ids = await asyncio.gather(*(defer(people[number % 4], 7) for number in range(20)))
        assert len(set(ids)) == 1
        await tasks.pass_time()
        await tasks.ended("done")
        await tasks.looked()
        assert [key for key, _ in await store.scan("undo:")] == [f"undo:x:{tasks.seen[0].owner}:{ids[0]}"]
    assert tasks.deleted == [7]


async def test_an_item_that_was_taken_back_can_be_deferred_again(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        for _ in range(3):
            await press(ada, await defer(ada, 7))
        await defer(ada, 7)
        await tasks.pass_time()
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_nobody_may_defer_without_end() -> None:
    tasks = Tasks(limits={"undo_per_person": 3})
    async with running(tasks.app):
        ada, bob = await tasks.visitor("ada"), await tasks.visitor("bob")
        for id in range(3):
            await defer(ada, id)
        with pytest.raises(TooLarge):
            await defer(ada, 3)
        await defer(bob, 4)
        assert (await lists(ada))["hidden"] == ["0", "1", "2"]
        await defer(ada, 2)  # the same again


async def test_from_a_thread(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        page = await ada.request("DELETE", "/sync/7", headers={"rt-tab": "tab"})
        answer = json.loads(page.text)
        assert answer["hidden"] == ["7"]
        assert '"undo"' in (page.header("rt-toast") or "")
        assert (await press(ada, answer["id"])).status == 200


async def test_from_another_loop(store: Store) -> None:
    tasks = Tasks(store)

    def elsewhere(_: Request) -> Response:
        async def work() -> str:
            deferred = await tasks.rt.undo.defer("delete", {"id": 7})
            assert await tasks.rt.undo.hidden("delete") == {"7"}
            return deferred.id

        return PlainTextResponse(asyncio.run(work()))

    async def does(request: Request) -> Response:
        return await asyncio.to_thread(elsewhere, request)

    tasks.does["delete"] = does
    async with running(tasks.app):
        ada = await tasks.visitor()
        assert (await ada.request("POST", "/do/delete")).status == 200
        await tasks.pass_time()
        await tasks.ended("done")
    assert tasks.deleted == [7]


async def test_what_nobody_waits_for_is_deferred_all_the_same(store: Store) -> None:
    tasks = Tasks(store)

    async def does(_: Request) -> Response:
        tasks.rt.undo.defer("delete", {"id": 7})
        return PlainTextResponse("ok")

    tasks.does["delete"] = does
    async with running(tasks.app):
        ada = await tasks.visitor()
        await ada.request("POST", "/do/delete")
        async with asyncio.timeout(5):
            while (await lists(ada))["hidden"] != ["7"]:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["refuses", "raises"])
async def test_what_a_request_deferred_that_then_failed_is_not_done(store: Store, how: str) -> None:
    tasks = Tasks(store)

    async def does(_: Request) -> Response:
        await tasks.rt.undo.defer("delete", {"id": 7}, text="deleted")
        if how == "raises":
            raise RuntimeError("a bug of the app")
        return PlainTextResponse("no", 422)

    tasks.does["delete"] = does
    async with running(tasks.app):
        ada = await tasks.visitor()
        with pytest.raises(RuntimeError) if how == "raises" else contextlib.nullcontext():
            page = await ada.request("POST", "/do/delete", headers={"rt-tab": "tab"})
            assert (page.status, page.header("rt-toast")) == (422, None)
        await tasks.ended("undone")
        assert await lists(ada) == {"hidden": [], "pending": []}
        await tasks.pass_time()
        await tasks.looked()
    assert (tasks.deleted, tasks.restored) == ([], [(7, "undone")])


async def test_bad_arguments_raise_at_the_call() -> None:
    tasks = Tasks()
    caught: list[str] = []

    async def does(_: Request) -> Response:
        undo = tasks.rt.undo
        for options in (
            {"action": "archive"},
            {"action": "delete", "delay": 0},
            {"action": "delete", "delay": 3601},
            {"action": "delete", "args": {"id": object()}},
        ):
            with pytest.raises(ConfigurationError) as error:
                undo.defer(**options)  # type: ignore[arg-type]
            caught.append(str(error.value))
        return PlainTextResponse("ok")

    tasks.does["bad"] = does
    async with running(tasks.app):
        ada = await tasks.visitor()
        assert (await ada.request("POST", "/do/bad")).text == "ok"
        assert await lists(ada) == {"hidden": [], "pending": []}
    assert "@rt.undo.handler('archive')" in caught[0]
    assert "delay=0" in caught[1]
    assert "JSON" in caught[3]


def test_outside_a_request_it_says_so() -> None:
    rt = Realtime(secret=SECRET)
    rt.undo.handler("delete")(lambda undo: None)
    with pytest.raises(ConfigurationError, match="outside a request"):
        rt.undo.defer("delete")
    with pytest.raises(ConfigurationError, match="One name, one handler"):
        rt.undo.handler("delete")(lambda undo: None)


async def test_while_the_store_is_away_nothing_is_deferred_or_taken_back() -> None:
    shaky = Shaky()
    tasks = Tasks(shaky)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        shaky.away = True
        with pytest.raises(StoreUnavailable):
            await defer(ada, 8)
        assert problem(await press(ada, id)) == (503, "limited")
        shaky.away = False
        assert (await press(ada, id)).status == 200


async def test_whoever_was_told_that_it_failed_has_deferred_nothing() -> None:
    shaky = Shaky()
    tasks = Tasks(shaky)
    async with running(tasks.app):
        ada = await tasks.visitor()
        for spared in (0, 1):  # what was lost: the answer about the action itself, or about the note under its item
            shaky.spared, shaky.deaf = spared, 1
            with pytest.raises(StoreUnavailable):
                await defer(ada, 7)
            assert await lists(ada) == {"hidden": [], "pending": []}
        assert await defer(ada, 7)


async def test_an_undo_whose_answer_was_lost_shows_the_item_when_it_is_pressed_again() -> None:
    shaky = Shaky()
    tasks = Tasks(shaky)
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        shaky.deaf = 1
        assert problem(await press(ada, id)) == (503, "limited")
        assert (await press(ada, id)).status == 200
        assert tasks.restored == [(7, "undone")]
        await tasks.pass_time()
        await tasks.looked()
    assert tasks.deleted == []


async def test_a_value_that_is_none_of_ours_harms_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada = await tasks.visitor()
        for value in (b"\x80\x04 pickle", b"{}\n", b'{"action": "delete"}\n', b"[]\n"):
            await store.put(f"{PREFIX}0000000000{value.hex()[:10]}", value, ttl=60)
        await defer(ada, 7)
        assert await lists(ada) == {"hidden": ["7"], "pending": ["7"]}
        await tasks.pass_time()
        await tasks.ended("done")
    assert tasks.deleted == [7]
    assert "no deferred action" in caplog.text


# Without JavaScript


async def page_of(browser: Browser, **headers: str) -> Any:
    return await browser.get("/_rt/undo", headers={"accept": "text/html"} | headers)


async def test_the_page_without_javascript(store: Store) -> None:
    tasks = Tasks(store)
    async with running(tasks.app):
        ada, bob = await tasks.visitor("ada"), await tasks.visitor("bob")
        id = await defer(ada, 7)
        page = await page_of(ada, referer="http://testserver/board?x=1")
        (form,) = page.select("form[method=post]")
        assert form["action"] == f"/_rt/undo/{id}"
        assert "Task 7 deleted" in page.text
        assert [link["href"] for link in page.select("a")] == ["/board?x=1"]
        assert page.header("cache-control") == "private, no-store"
        assert "Task 7" not in (await page_of(bob)).text

        back = await ada.post(form["action"], headers={"referer": "http://testserver/board?x=1"})
        assert (back.status, back.header("location")) == (303, "/board?x=1")
        assert "Taken back" in (await page_of(ada)).text
        assert not (await page_of(ada)).select("form")

        late = await defer(ada, 8)
        await tasks.pass_time()
        await tasks.ended("done")
        refused = await ada.post(f"/_rt/undo/{late}", headers={"accept": "text/html"})
        assert problem(refused) == (409, "already-done")
        assert "too late" in refused.select("[role=alert]")[0].text


async def test_words_are_escaped() -> None:
    tasks = Tasks()

    async def does(_: Request) -> Response:
        await tasks.rt.undo.defer("delete", {"id": 7}, text="<script>alert(1)</script>")
        return PlainTextResponse("ok")

    tasks.does["delete"] = does
    async with running(tasks.app):
        ada = await tasks.visitor()
        await ada.request("POST", "/do/delete")
        assert "<script>" not in (await page_of(ada)).text


async def test_the_list_as_json() -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        one, two = await defer(ada, 7), await defer(ada, 8)
        await press(ada, one)
        tasks.clock.advance(2)
        found = json.loads((await ada.get("/_rt/undo", headers={"accept": "application/json"})).text)
    assert {(entry["id"], entry["state"], entry["left"]) for entry in found} == {
        (one, "undone", 0),
        (two, "pending", 3000),
    }
    assert found[0].keys() == {"id", "action", "text", "state", "left"}


async def test_the_list_shows_the_last_of_many() -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        for id in range(120):
            last = await defer(ada, id)
            await press(ada, last)
            tasks.clock.advance(1)
        found = json.loads((await ada.get("/_rt/undo", headers={"accept": "application/json"})).text)
    assert len(found) == 100
    assert found[0]["id"] == last


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, False),
    ],
)
async def test_only_own_pages_may_take_back(headers: dict[str, str], taken: bool) -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        page = await ada.post(f"/_rt/undo/{id}", headers=headers)
        assert page.status == (303 if taken else 403)
        if not taken:
            assert problem(page) == (403, "forbidden")
        assert (await lists(ada))["hidden"] == ([] if taken else ["7"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_only_a_post_takes_back(method: str) -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        assert (await ada.request(method, f"/_rt/undo/{id}")).status == 405
        assert (await lists(ada))["hidden"] == ["7"]


@pytest.mark.parametrize(
    "referer",
    [
        "http://evil.example/",
        "http://evil.example/testserver",
        "http://testserver@evil.example/",
        "http://testserver.evil.example/",
        "http://testserver//evil.example",
        "http://testserver/\\evil.example",
        "http://testserver/\t/evil.example",
        "//evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://[",
        "http://testserver",
        "http://testserver/_rt/undo",
        "x" * 5000,
        "",
    ],
)
async def test_nobody_is_sent_to_another_site(referer: str) -> None:
    tasks = Tasks()
    async with running(tasks.app):
        ada = await tasks.visitor()
        id = await defer(ada, 7)
        page = await ada.post(f"/_rt/undo/{id}", headers={"referer": referer})
    assert (page.status, page.header("location")) == (303, "/")


async def test_below_a_root_path() -> None:
    tasks = Tasks()

    async def below(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = scope | {"root_path": "/app", "path": "/app" + scope["path"]}
        await tasks.app(scope, receive, send)

    async with running(below):
        ada, _ = await opened(tasks, app=below)
        id = await defer(ada, 7)
        page = await ada.get("/_rt/undo", headers={"accept": "text/html"})
        assert page.select("form")[0]["action"] == f"/app/_rt/undo/{id}"
        back = await ada.post(f"/_rt/undo/{id}")
    assert back.header("location") == "/app/"


async def test_two_servers_of_one_app_in_threads() -> None:
    """A loop that ends leaves what it was to run to the other."""
    tasks = Tasks()
    stop, started = threading.Event(), threading.Event()

    def first() -> None:
        async def live() -> None:
            await tasks.rt.start()  # this loop runs what is due
            started.set()
            await asyncio.to_thread(stop.wait)
            await tasks.rt.stop()

        asyncio.run(live())

    thread = threading.Thread(target=first)
    thread.start()
    try:
        await asyncio.to_thread(started.wait)
        async with running(tasks.app):
            ada = await tasks.visitor()
            await defer(ada, 7)
            stop.set()
            await asyncio.to_thread(thread.join)
            await tasks.pass_time()
            await tasks.ended("done")
    finally:
        stop.set()
        thread.join()
    assert tasks.deleted == [7]
