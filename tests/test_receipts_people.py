"""Whose an action is: nobody gets another person's answer, and what was kept for later is done for its person or nobody."""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from htmx_rt.stores import Store
from htmx_rt.testing import Browser

from .desk import Desk, act, key, replayed
from .desk import store as store
from .kit import problem, running

pytestmark = pytest.mark.anyio


def who(desk: Desk, browser: Browser) -> str:
    """Return what pages of `browser` know themselves by."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return desk.rt.identity.who(
        desk.rt.identity.open({"type": "http", "scheme": "http", "headers": [(b"cookie", cookie.encode())]})
    )


async def test_the_same_key_of_somebody_else_is_another_action(store: Store) -> None:
    desk, action = Desk(store), key()
    desk.answers("add", 200, "a secret of ada's")
    async with running(desk.app):
        ada, bob, nobody = await desk.visitor("ada"), await desk.visitor("bob"), await desk.visitor(None)
        await act(ada, "add", action)
        desk.answers("add", 200, "something else")
        pages = [await act(browser, "add", action) for browser in (bob, nobody)]
    assert [(page.text, replayed(page)) for page in pages] == [("something else", False)] * 2
    assert desk.ran["add"] == 3


async def test_two_strangers_are_two(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        one, two = await desk.visitor(None), await desk.visitor(None)
        pages = [await act(browser, "add", action) for browser in (one, two, one)]
    assert [page.text for page in pages] == ["add 1", "add 2", "add 1"]


async def test_an_answer_is_not_given_to_whoever_signed_in_since(store: Store) -> None:
    desk, action = Desk(store), key()
    desk.answers("add", 200, "a secret of ada's")
    async with running(desk.app):
        ada = await desk.visitor("ada")
        await act(ada, "add", action)
        ada.cookies["who"] = "bob"  # our cookie still says ada: young, it is believed; the app's says bob
        await ada.get("/")  # the first page of his seals it
        desk.answers("add", 200, "of bob's")
        assert (await act(ada, "add", action)).text == "of bob's"


async def test_an_old_cookie_is_not_believed_when_an_answer_is_given_out(store: Store) -> None:
    desk, action = Desk(store, limits={"identity_age": 60}), key()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        await act(ada, "add", action)
        desk.clock.advance(61)
        assert replayed(await act(ada, "add", action))  # the app was asked, and says the same
        desk.clock.advance(61)
        ada.cookies["who"] = "bob"
        page = await act(ada, "add", action)
    assert problem(page) == (401, "user-changed")
    assert "add 1" not in page.text


@pytest.mark.parametrize("told", [True, False])
async def test_after_signing_out_the_answer_is_not_given_out(store: Store, told: bool) -> None:
    desk, action = Desk(store), key()
    desk.answers("add", 200, "a secret of ada's")
    async with running(desk.app):
        ada = await desk.visitor("ada")
        before = dict(ada.cookies)
        await act(ada, "add", action)
        if told:
            await ada.get("/out")
            ada.cookies.clear()
            ada.cookies.update({name: value for name, value in before.items() if name != "who"})  # kept a copy
        else:
            del ada.cookies["who"]
            desk.clock.advance(301)
        page = await act(ada, "add", action)
    assert "secret" not in page.text
    assert problem(page) == (401, "signed-out")


async def test_a_page_that_slept_for_hours_still_counts_doubles_as_one(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        desk.clock.advance(2 * 3600)
        begun, go = desk.waits("add")
        pages = [asyncio.create_task(act(ada, "add", action)) for _ in range(3)]
        await begun.wait()
        go.set()
        answers = [await page for page in pages]
    assert desk.ran["add"] == 1
    assert [page.text for page in answers] == ["add 1"] * 3
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]


async def test_a_key_is_free_again_after_a_refusal_for_an_old_csrf_token(store: Store) -> None:
    desk, action = Desk(store), key()
    tokens = ["old"]

    async def guarded(request: Request) -> Response:
        if request.headers.get("x-csrf-token") != tokens[-1]:
            return PlainTextResponse("CSRF", 403)
        return PlainTextResponse("done")

    desk.does["add"] = guarded
    async with running(desk.app):
        ada = await desk.visitor()
        tokens.append("new")
        assert (await act(ada, "add", action, x_csrf_token="old")).status == 403
        assert (await act(ada, "add", action, x_csrf_token="new")).text == "done"
        # What was done is not done again, whatever token comes with it.
        assert replayed(await act(ada, "add", action, x_csrf_token="old"))
    assert desk.ran["add"] == 2


# Kept for later: RT-Queued


async def test_what_ada_kept_is_done_for_ada_when_she_is_back(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        mine = who(desk, ada)
        elsewhen = await desk.visitor("ada")  # signed in again: another browser id, the same person
        assert who(desk, elsewhen) == mine
        first = await act(ada, "add", action, rt_queued=mine)
        again = await act(elsewhen, "add", action, rt_queued=mine)
    assert (first.text, again.text, replayed(again)) == ("add 1", "add 1", True)


async def test_a_queued_receipt_is_kept_for_a_day(store: Store) -> None:
    desk, action = Desk(store, limits={"identity_age": 10**9, "silence": 10**9}), key()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        mine = who(desk, ada)
        await act(ada, "add", action, rt_queued=mine)
        desk.clock.advance(24 * 3600 - 1)
        assert replayed(await act(ada, "add", action, rt_queued=mine))
        desk.clock.advance(62)
        assert not replayed(await act(ada, "add", action, rt_queued=mine))


@pytest.mark.parametrize("receipts", [True, False])
async def test_what_ada_kept_is_not_done_for_bob(receipts: bool) -> None:
    desk = Desk(receipts=receipts)
    async with running(desk.app):
        ada, bob = await desk.visitor("ada"), await desk.visitor("bob")
        mine = who(desk, ada)
        assert problem(await act(bob, "add", key(), rt_queued=mine)) == (401, "user-changed")
    assert desk.ran["add"] == 0


@pytest.mark.parametrize("receipts", [True, False])
async def test_what_ada_kept_is_not_done_for_nobody(receipts: bool) -> None:
    desk = Desk(receipts=receipts)
    async with running(desk.app):
        ada = await desk.visitor("ada")
        mine = who(desk, ada)
        await ada.get("/out")
        await ada.get("/")
        assert problem(await act(ada, "add", key(), rt_queued=mine)) == (401, "signed-out")
    assert desk.ran["add"] == 0


@pytest.mark.parametrize("now", ["bob", None])
async def test_what_ada_kept_is_not_done_for_whoever_has_no_cookie_of_ours(now: str | None) -> None:
    desk = Desk()
    async with running(desk.app):
        mine = who(desk, await desk.visitor("ada"))
        other = desk.browser(now)
        page = await act(other, "add", key(), rt_queued=mine)
    assert problem(page) == (401, "user-changed" if now else "signed-out")
    assert desk.ran["add"] == 0


async def test_who_is_signed_in_needs_no_cookie_of_ours_for_what_was_kept(store: Store) -> None:
    desk, action = Desk(store), key()
    async with running(desk.app):
        mine = who(desk, await desk.visitor("ada"))
        ada = desk.browser("ada")
        pages = [await act(ada, "add", action, rt_queued=mine) for _ in range(2)]
    assert [page.text for page in pages] == ["add 1"] * 2


async def test_a_person_who_changed_without_a_word_to_us_is_noticed_when_the_cookie_is_old() -> None:
    desk = Desk()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        mine = who(desk, ada)
        ada.cookies["who"] = "bob"
        desk.clock.advance(301)
        assert problem(await act(ada, "add", key(), rt_queued=mine)) == (401, "user-changed")
    assert desk.ran["add"] == 0


async def test_what_cannot_be_taken_back_is_not_kept_for_later() -> None:
    desk = Desk()
    desk.rt.irreversible("/do/send-{id}")
    async with running(desk.app):
        ada = await desk.visitor("ada")
        mine = who(desk, ada)
        assert problem(await act(ada, "send-7", key(), rt_queued=mine)) == (403, "forbidden")
        assert (await act(ada, "send-7", key())).status == 200
        assert (await act(ada, "add", key(), rt_queued=mine)).status == 200
    assert desk.ran == {"send-7": 1, "add": 1}


@pytest.mark.parametrize("forged", ["", "x", "0" * 16, "a" * 5000])
async def test_a_forged_name_is_nobodys(forged: str) -> None:
    desk = Desk()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        assert (await act(ada, "add", key(), rt_queued=forged)).status == 401
    assert desk.ran["add"] == 0


async def test_an_app_that_cannot_say_who_is_asking_gets_nothing() -> None:
    desk = Desk()
    async with running(desk.app):
        ada = await desk.visitor("ada")
        mine = who(desk, ada)
        desk.clock.advance(301)

        def fails(_: object) -> None:
            raise RuntimeError("the sessions are away")

        desk.rt.identity.identify = fails
        assert problem(await act(ada, "add", key(), rt_queued=mine)) == (503, "limited")
    assert desk.ran["add"] == 0


async def test_a_toast_with_undo_that_comes_again_gives_less_time() -> None:
    desk, action = Desk(), key()

    @desk.rt.undo.handler("delete")
    async def delete(undo: object, id: int) -> None:
        pass

    async def does(_: Request) -> Response:
        await desk.rt.undo.defer("delete", {"id": 7}, delay=5.0, text="Deleted")
        return PlainTextResponse("ok")

    desk.does["delete"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        first = await act(ada, "delete", action)
        desk.clock.advance(2)
        second = await act(ada, "delete", action)
        desk.clock.advance(4)
        third = await act(ada, "delete", action)
    assert '"left":5000' in (first.header("rt-toast") or "")
    assert '"left":3000' in (second.header("rt-toast") or "")
    assert '"undo"' not in (third.header("rt-toast") or "")
    assert "Deleted" in (third.header("rt-toast") or "")
