"""`/_rt/notifications` by HTTP: a page, the panel of the bell, JSON; who may look and who may mark what as read."""

from __future__ import annotations

import json

import pytest

from htmx_rt.testing import Browser, Page

from .desk import Desk, Shaky
from .kit import problem, running

pytestmark = pytest.mark.anyio
HERE = "/_rt/notifications"
JSON = {"accept": "application/json"}
TAB = {"rt-tab": "t" * 32}


async def ada(desk: Desk, count: int = 0) -> Browser:
    for n in range(count):
        await desk.rt.notifications.send("ada", f"Number <{n}>", href=f"/tasks/{n}" if n % 2 else None)
    return await desk.visitor("ada")


def data(page: Page) -> dict[str, object]:
    found: dict[str, object] = json.loads(page.text)
    return found


async def post(browser: Browser, body: object, **headers: str) -> Page:
    own = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await browser.request("POST", HERE, json.dumps(body).encode(), headers=own)


async def test_as_json() -> None:
    desk = Desk()
    async with running(desk.app):
        answer = await (await ada(desk, 2)).get(HERE, headers=JSON)
    assert (answer.status, answer.header("cache-control")) == (200, "private, no-store")
    first, second = data(answer)["notes"]  # type: ignore[misc]
    assert (first["text"], first["href"], first["read"]) == ("Number <1>", "/tasks/1", False)
    assert second["href"] is None
    assert set(first) == {"id", "text", "href", "at", "read"}
    assert data(answer)["unread"] == 2


@pytest.mark.parametrize(
    ("query", "said"),
    [("?lang=de", "Alle als gelesen markieren"), ("?lang=es-MX", "Marcar todas como leídas"), ("", "Mark all as read"),
     ("?lang=%3Cscript%3E", "Mark all as read"), ("?lang=../../x", "Mark all as read"), ("?x=1&lang=de", "Alle als gelesen markieren")],
)  # fmt: skip
async def test_as_the_panel_in_the_language_of_the_page(query: str, said: str) -> None:
    desk = Desk()
    async with running(desk.app):
        answer = await (await ada(desk, 25)).get(HERE + query, headers=TAB)
    assert said in answer.text
    assert "<html" not in answer.text
    assert len(answer.select("li")) == 20
    assert "Number &lt;24&gt;" in answer.text
    (form,) = answer.select("form")
    assert (form["method"], form["action"], form["data-unread"]) == ("post", HERE, "25")


async def test_as_a_page_in_the_language_of_its_reader() -> None:
    desk = Desk()
    async with running(desk.app):
        answer = await (await ada(desk, 25)).get(
            HERE, headers={"accept-language": "de-AT,en;q=0.5", "accept": "text/html"}
        )
    assert "<!doctype html>" in answer.text[:300]
    assert "<h1>Benachrichtigungen</h1>" in answer.text
    assert len(answer.select("li")) == 25
    assert answer.header("vary") == "Accept, RT-Tab"


async def test_there_are_none() -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk)
        assert "You have no notifications." in (await browser.get(HERE)).text
        assert "You have no notifications." in (await browser.get(HERE, headers=TAB)).text
        assert data(await browser.get(HERE, headers=JSON)) == {"rev": 0, "unread": 0, "notes": []}


async def test_a_page_of_somebody_else_gets_and_marks_nothing() -> None:
    """In another tab somebody else has signed in meanwhile."""
    desk = Desk(templates={"page.html": "{{ rt.head() }}{{ rt.bell() }}"})
    async with running(desk.app):
        browser = await ada(desk, 1)
        (bell,) = (await browser.get("/")).select("details")
        address = str(bell["rt-bell"])
        assert (await browser.get(address, headers=TAB)).status == 200
        await desk.rt.notifications.send("grace", "Hers")
        await browser.get("/in/grace")
        await browser.get("/")
        assert problem(await browser.get(address, headers=TAB)) == (401, "user-changed")
        headers = {"content-type": "application/json"}
        assert problem(await browser.request("POST", address, b"{}", headers=headers)) == (401, "user-changed")
        assert await desk.rt.notifications.unread("grace") == 1


async def test_nobody_is_told_to_sign_in() -> None:
    desk = Desk(sign_in="/sign-in?next={path}")
    async with running(desk.app):
        for browser in (desk.browser(None), await desk.visitor(None)):
            page = await browser.get(HERE)
            assert (page.status, "Sign in to see" in page.text) == (401, True)
            assert 'href="/sign-in?next=/_rt/notifications"' in page.text
            assert problem(await browser.get(HERE, headers=TAB)) == (401, "signed-out")
            assert problem(await browser.get(HERE, headers=JSON)) == (401, "signed-out")
            assert problem(await post(browser, {})) == (401, "signed-out")


async def test_who_has_signed_out_sees_nothing() -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk, 1)
        assert "Number" in (await browser.get(HERE)).text
        await browser.get("/out")
        assert "Number" not in (await browser.get(HERE)).text


async def test_some_or_all_are_marked() -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk, 4)
        first = (await desk.rt.notifications.list("ada"))[0]
        answer = await post(browser, {"ids": [first.id]})
        assert (answer.status, data(answer)["unread"]) == (200, 3)
        assert data(answer)["rev"] == (await desk.rt.notifications.list("ada")).rev
        assert data(await post(browser, {}))["unread"] == 0


async def test_all_are_those_that_the_page_had() -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk, 2)
        shown = (await desk.rt.notifications.list("ada")).rev
        await desk.rt.notifications.send("ada", "Not seen yet")
        assert data(await post(browser, {"all": shown}))["unread"] == 1
        assert [note.read for note in await desk.rt.notifications.list("ada")] == [False, True, True]


async def test_nobody_marks_those_of_another() -> None:
    desk = Desk()
    async with running(desk.app):
        await ada(desk, 2)
        ids = [note.id for note in await desk.rt.notifications.list("ada")]
        grace = await desk.visitor("grace")
        assert data(await post(grace, {"ids": ids}))["unread"] == 0
        assert data(await post(grace, {}))["unread"] == 0
        assert await desk.rt.notifications.unread("ada") == 2


@pytest.mark.parametrize(
    "body", [{"ids": "x"}, {"ids": [1]}, {"ids": ["x" * 65]}, {"ids": ["x"] * 201}, {"ids": {"a": 1}}, []]
)
async def test_what_makes_no_sense_is_refused(body: object) -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk, 1)
        assert problem(await post(browser, body)) == (400, "bad-request")
        assert await desk.rt.notifications.unread("ada") == 1


async def test_another_site_marks_nothing() -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk, 1)
        assert problem(await post(browser, {}, sec_fetch_site="cross-site")) == (403, "forbidden")
        form = await browser.post(HERE, {"all": "1"}, headers={"sec-fetch-site": "cross-site"})
        assert problem(form) == (403, "forbidden")
        assert await desk.rt.notifications.unread("ada") == 1


@pytest.mark.parametrize(
    ("referer", "to"),
    [
        ("http://testserver/board?x=1", "/board?x=1"),
        ("http://testserver/_rt/notifications", HERE),
        ("http://evil.example/x", "/"),
        ("http://[", HERE),
        ("http://testserver//evil.example", "/"),
        (None, "/"),
    ],
)
async def test_a_form_sends_its_reader_back(referer: str | None, to: str) -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk, 2)
        (note, _) = await desk.rt.notifications.list("ada")
        headers = {"referer": referer} if referer else {}
        answer = await browser.post(HERE, {"ids": note.id}, headers=headers)
        assert (answer.status, answer.header("location")) == (303, to)
        assert await desk.rt.notifications.unread("ada") == 1
        assert (await browser.post(HERE, {"all": "junk"}, headers=headers)).status == 303
        assert await desk.rt.notifications.unread("ada") == 0


async def test_a_store_that_is_away() -> None:
    shaky = Shaky()
    desk = Desk(shaky)
    async with running(desk.app):
        browser = await ada(desk, 1)
        shaky.away = True
        for answer in (await browser.get(HERE), await browser.get(HERE, headers=TAB), await post(browser, {})):
            assert problem(answer) == (503, "limited")
            assert answer.header("retry-after") == "5"


async def test_other_methods_are_refused() -> None:
    desk = Desk()
    async with running(desk.app):
        browser = await ada(desk)
        assert (await browser.request("DELETE", HERE)).status == 405


async def test_too_many_are_limited() -> None:
    desk = Desk(limits={"calls_burst": 2, "calls_per_second": 1})
    async with running(desk.app):
        browser = await ada(desk, 1)
        found = [(await post(browser, {"ids": []})).status for _ in range(12)]
    assert found[0] == 200
    assert 429 in found


async def test_below_a_root_path_the_addresses_are_right() -> None:
    desk = Desk(templates={"page.html": "{{ rt.head() }}{{ rt.bell() }}"})
    async with running(desk.app):

        async def mounted(scope: dict[str, object], receive: object, send: object) -> None:
            await desk.app(scope | {"root_path": "/sub", "path": f"/sub{scope['path']}"}, receive, send)  # type: ignore[arg-type]

        browser = Browser(mounted)  # type: ignore[arg-type]
        browser.cookies["who"] = "ada"
        page = await browser.get("/")
        (bell,) = page.select("details")
        assert str(bell["rt-bell"]).startswith("/sub/_rt/notifications?who=")
        assert (await browser.get(HERE, headers=TAB)).select("form")[0]["action"] == "/sub/_rt/notifications"
