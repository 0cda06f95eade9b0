from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import User
from htmx_rt.testing import Refusal

from ..kit import Site, nothing_left, opened, refused, texts

pytestmark = pytest.mark.anyio


class App:
    """An app whose `whoami` does what a test wants; it notes every question."""

    def __init__(self) -> None:
        self.questions: list[Request] = []
        self.answer: Any = lambda request: PlainTextResponse("")

    async def __call__(self, request: Request) -> Response:
        self.questions.append(request)
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture
def app() -> App:
    return App()


def make(app: App, **options: Any) -> Site:
    return Site(routes=[Route("/_rt/whoami", app.__call__)], **options)


async def test_a_young_cookie_asks_nobody_and_an_older_one_asks(app: App) -> None:
    site = make(app)
    ada, page = await opened(site)
    async with ada.stream(page):
        assert app.questions == []
    site.clock.advance(301)
    before = ada.cookies["rt-app"]
    async with ada.stream(page):
        assert len(app.questions) == 1
    assert ada.cookies["rt-app"] != before
    async with ada.stream(page):
        assert len(app.questions) == 1  # sealed again


async def test_the_question_is_a_plain_get_with_the_cookies_of_the_request(app: App) -> None:
    site = make(app)
    ada, page = await opened(site)
    site.clock.advance(301)
    async with ada.stream(page):
        pass
    [question] = app.questions
    assert (question.method, question.url.path, question.url.query) == ("GET", "/_rt/whoami", "")
    assert question.cookies["who"] == "ada"
    assert not {"content-type", "content-length", "idempotency-key", "rt-tab"} & set(question.headers)
    assert await question.body() == b""


async def test_an_app_without_such_a_page_is_fine_its_middlewares_have_run() -> None:
    site = Site()
    ada, page = await opened(site)
    site.clock.advance(301)
    async with ada.stream(page) as stream:
        assert "user:ada" in stream.hello["grants"]


async def test_the_app_may_speak_in_a_dependency_of_its_own(app: App) -> None:
    site = make(app, identify=None)

    def speak(request: Request) -> Response:
        site.rt.set_user(User("ada", "Ada"))
        return PlainTextResponse("")

    app.answer = speak
    ada = site.browser()
    await ada.get("/in/ada")
    page = await ada.get("/")
    async with ada.stream(page) as stream:
        assert "user:ada" in stream.hello["grants"]
    site.clock.advance(301)
    async with ada.stream(page) as stream:
        assert "user:ada" in stream.hello["grants"]


async def test_a_status_says_nothing_about_who_it_is(app: App) -> None:
    site = make(app)
    app.answer = lambda request: PlainTextResponse("no", 403)
    ada, page = await opened(site)
    site.clock.advance(301)
    async with ada.stream(page) as stream:
        assert "user:ada" in stream.hello["grants"]


async def test_an_app_that_fails_is_a_503_to_come_back_to(app: App, caplog: pytest.LogCaptureFixture) -> None:
    site = make(app)

    def fail(request: Request) -> Response:
        raise RuntimeError("the secret of the session store")

    app.answer = fail
    ada, page = await opened(site)
    site.clock.advance(301)
    with pytest.raises(Refusal) as caught:
        await ada.stream(page).__aenter__()
    assert (caught.value.status, caught.value.problem) == (503, "limited")
    assert caught.value.page.header("retry-after") == "5"
    assert "secret of the session" not in caught.value.page.text
    assert "secret of the session" in caplog.text


async def test_an_app_that_hangs_is_a_503_and_leaves_no_task(app: App) -> None:
    site = make(app, limits={"whoami_timeout": 0.02})

    async def hang(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    app.answer = hang
    ada, page = await opened(site)
    site.clock.advance(301)
    async with nothing_left():
        assert await refused(ada.stream(page)) == (503, "limited")


async def test_cookies_the_app_sets_are_passed_on_even_with_a_refusal(app: App) -> None:
    site = make(app)

    def rotate(request: Request) -> Response:
        response = PlainTextResponse("")
        response.set_cookie("session", "rotated")
        response.set_cookie("rt-app", "ours-is-not-yours")
        return response

    app.answer = rotate
    ada, page = await opened(site)
    site.clock.advance(301)
    async with ada.stream(page):
        assert ada.cookies["session"] == "rotated"
        assert ada.cookies["rt-app"] != "ours-is-not-yours"
    del ada.cookies["session"]
    site.clock.advance(301)
    assert await refused(ada.stream(page, grants={"x": "forged"})) == (403, "forbidden")
    assert ada.cookies["session"] == "rotated"


async def test_a_logout_that_did_not_tell_us_is_found_at_the_next_question() -> None:
    site = Site()
    ada, page = await opened(site)
    del ada.cookies["who"]
    async with ada.stream(page):
        pass  # not yet
    site.clock.advance(301)
    assert await refused(ada.stream(page)) == (401, "signed-out")


async def test_another_user_than_the_page_was_made_for_is_found_too() -> None:
    site = Site()
    ada, page = await opened(site)
    ada.cookies["who"] = "bob"
    site.clock.advance(301)
    assert await refused(ada.stream(page)) == (403, "user-changed")


# Without a cookie


async def test_a_young_grant_stands_for_a_cookie_that_could_not_be_set() -> None:
    site = Site()
    ada, page = await opened(site)
    del ada.cookies["rt-app"]
    async with ada.stream(page) as stream:
        assert "board:1" in stream.hello["grants"]
    assert "rt-app" in ada.cookies
    site.clock.advance(120)
    async with ada.stream(page) as stream:
        assert "board:1" in stream.hello["grants"]  # sealed as the browser of that page


async def test_a_young_grant_of_somebody_else_does_not() -> None:
    site = Site()
    _, page = await opened(site)
    stranger = site.browser()
    assert await refused(stranger.stream(page)) == (401, "no-cookie")
    bob = site.browser("bob")
    assert await refused(bob.stream(page)) == (403, "user-changed")
    assert "rt-app" not in stranger.cookies
    assert "rt-app" not in bob.cookies


async def test_where_cookies_are_blocked_the_page_stays_plain() -> None:
    site = Site()
    nobody, page = await opened(site, who=None)
    nobody.cookies.clear()
    site.clock.advance(61)
    assert await refused(nobody.stream(page)) == (401, "no-cookie")


async def test_an_older_grant_of_a_known_user_without_our_cookie_is_fetched_again() -> None:
    site = Site()
    ada, page = await opened(site)
    del ada.cookies["rt-app"]
    site.clock.advance(61)
    async with ada.stream(page) as stream:
        assert (await stream.event("rt:resync")).data["why"] == "grant"
    assert "rt-app" in ada.cookies


async def test_a_forged_cookie_is_no_cookie() -> None:
    site = Site()
    nobody, page = await opened(site, who=None)
    token = nobody.cookies["rt-app"]
    site.clock.advance(61)
    for place in range(0, len(token), 9):
        nobody.cookies["rt-app"] = token[:place] + ("A" if token[place] != "A" else "Q") + token[place + 1 :]
        assert await refused(nobody.stream(page)) == (401, "no-cookie")
    nobody.cookies["rt-app"] = token
    async with nobody.stream(page):
        pass


# Open streams


async def test_an_open_stream_asks_again_and_a_changed_user_goes_through_a_new_opening(app: App) -> None:
    site = make(app, limits={"heartbeat": 0.02, "identity_age": 0.02})
    app.answer = lambda request: PlainTextResponse("")
    ada, page = await opened(site)
    asked = asyncio.Event()

    def gone(request: Request) -> Response:
        site.rt.set_user(None)
        asked.set()
        return PlainTextResponse("")

    async with nothing_left(), ada.stream(page) as stream:
        await stream.checkpoint()
        app.answer = gone
        events = await stream.ended()
        assert asked.is_set()
        assert (events[-1].name, events[-1].data) == ("rt:bye", {"in": 0})


async def test_an_open_stream_loses_a_topic_that_its_policy_takes_away() -> None:
    site = Site(limits={"heartbeat": 0.02, "identity_age": 0.02})
    allowed = True
    site.rt.authorize("board:{id}")(lambda user, id: allowed)
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        allowed = False
        assert (await stream.event("rt:revoked")).data == {"topics": ["board:1"]}
        site.rt.topic("board:1").text("#x", "secret")
        site.rt.user("ada").text("#x", "mine")
        assert await texts(stream, 1) == ["mine"]


async def test_an_app_that_fails_when_asked_again_costs_no_open_stream(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    site = make(app, limits={"heartbeat": 0.02, "identity_age": 0.02})
    ada, page = await opened(site)
    failed = asyncio.Event()

    def fail(request: Request) -> Response:
        failed.set()
        raise RuntimeError("away")

    async with ada.stream(page) as stream:
        await stream.checkpoint()
        app.answer = fail
        await asyncio.wait_for(failed.wait(), 5)
        site.rt.topic("board:1").text("#x", "on and on")
        assert await texts(stream, 1) == ["on and on"]


async def test_a_silent_app_is_asked_and_changes_nothing(app: App) -> None:
    site = make(app, identify=None, limits={"heartbeat": 0.02, "identity_age": 0.02})
    ada = site.browser()
    await ada.get("/in/ada")
    page = await ada.get("/")
    asked = asyncio.Event()

    def silent(request: Request) -> Response:
        asked.set()
        return PlainTextResponse("")

    app.answer = silent
    async with ada.stream(page) as stream:
        asked.clear()
        await asyncio.wait_for(asked.wait(), 5)
        site.rt.user("ada").text("#x", "still ada")
        assert await texts(stream, 1) == ["still ada"]


async def test_stopping_ends_questions_on_their_way(app: App) -> None:
    site = make(app, limits={"heartbeat": 0.02, "identity_age": 0.02})
    ada, page = await opened(site)
    asked = asyncio.Event()

    async def hang(request: Request) -> Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with nothing_left(), ada.stream(page) as stream:
        await stream.checkpoint()
        app.answer = hang
        await asyncio.wait_for(asked.wait(), 5)
        await site.rt.stop()
