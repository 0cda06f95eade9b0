"""The chat over HTTP: messages, what is unread, mentions, files, and pages of what was said before."""

import asyncio
import re
import sys
from types import ModuleType
from typing import Any

import pytest
from with_files import send

from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.testing import Browser, Page, Stream

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def said(page: Page) -> list[str]:
    return [message.get_text() for message in page.select(".message[id] .message-text")]


def unread(page: Page, name: str = "unread") -> int:
    return int(str(page.select(f"#rt-badge-{name}")[0]["rt-badge"]))


async def badges(stream: Stream, *names: str) -> list[str]:
    """Return what badges are told to show next."""
    found: dict[str, str] = {}
    while len(found) < len(names):
        for op in (await stream.event("rt:ops")).data["ops"]:
            if (name := str(op[1]).removeprefix("#rt-badge-")) in names:
                found[name] = str(op[2])
    return [found[name] for name in names]


async def test_a_room_opens_with_the_newest_messages(ada: Browser) -> None:
    assert (await ada.get("/chat")).header("location") == "/chat/shop"
    page = await ada.get("/chat/shop")
    assert len(said(page)) == 15
    assert said(page)[-1] == "300, and we look sad when they run out."
    assert [room["href"] for room in page.select(".room")] == ["/chat/shop", "/chat/workshop"]
    assert page.select(".room[aria-current]")[0].get_text().strip().startswith("Shop floor")
    assert (await ada.get("/chat/attic")).status == 404


async def test_what_was_said_before_comes_page_by_page_and_none_twice(ada: Browser) -> None:
    page = await ada.get("/chat/shop")
    found = said(page)
    while links := page.select(".rt-more a"):
        page = await ada.get(str(links[0]["href"]), page=page)
        assert not page.select("html, main")
        found = said(page) + found
    assert len(found) == len(set(found)) == len(sys.modules["messages"].SHOP)
    assert found[0].startswith("Good morning.")
    plain = await ada.get(str((await ada.get("/chat/shop")).select(".rt-more a")[0]["href"]))
    assert plain.select(".talk-later a")[0]["href"] == "/chat/shop"
    assert len(said(await ada.get("/chat/shop?before=nonsense"))) == 15


async def test_a_message_reaches_the_room_and_counts_for_those_elsewhere(ada: Browser, grace: Browser) -> None:
    board = await grace.get("/")
    before = unread(board)
    assert before == 3
    async with ada.stream(await ada.get("/chat/shop")) as room, grace.stream(board) as hers:
        answer = await ada.post("/chat/shop", {"text": "  The <b>mixte</b> is here\n"})
        assert (answer.status, answer.header("location")) == (303, "/chat/shop")
        assert (await room.fragment(".message-text")).get_text() == "The <b>mixte</b> is here"
        assert await badges(hers, "unread", "room-shop") == ["4", "3"]
    page = await grace.get("/chat/workshop")
    assert (unread(page), unread(page, "room-shop"), unread(page, "room-workshop")) == (3, 3, 0)
    assert unread(await grace.get("/chat/shop")) == 0
    assert unread(await grace.get("/")) == 0
    assert unread(await ada.get("/"), "unread") == 1  # one's own count for nobody; the workshop was not opened


async def test_whoever_has_the_room_in_front_of_them_has_read_it(
    ada: Browser, grace: Browser, example: ModuleType
) -> None:
    async with grace.stream(await grace.get("/chat/shop")):
        async with asyncio.timeout(10):
            while not [one for one in example.rt.presence.list("chat:shop") if one.user == "grace"]:
                await asyncio.sleep(0.02)
        await ada.post("/chat/shop", {"text": "Seen at once"})
        assert unread(await grace.get("/chat/workshop"), "room-shop") == 0


async def test_a_page_says_what_was_read(ada: Browser, app: Any) -> None:
    async with Browser(app) as jonas:
        await jonas.post("/sign-in", {"person": "jonas"})
        page = await jonas.get("/chat/shop")
        await ada.post("/chat/shop", {"text": "Later"})
        board = await jonas.get("/")
        assert unread(board) == 2
        async with jonas.stream(board) as stream:
            assert (await jonas.post("/chat/shop/read", page=page)).status == 204
            async with asyncio.timeout(10):
                while await badges(stream, "unread") != ["1"]:  # a newcomer is told the latest there was, first
                    pass
        assert (await jonas.post("/chat/attic/read", page=page)).status == 404


async def test_readings_never_go_backwards(ada: Browser, example: ModuleType) -> None:
    messages, database = sys.modules["messages"], sys.modules["database"]
    async with database.Session() as db:
        await messages.read(db, "shop", "mei", last=40)
        await messages.read(db, "shop", "mei", last=12)
        await db.commit()
        assert (await messages.unread(db, "mei"))["shop"] == 0


@pytest.mark.parametrize(
    ("text", "names"),
    [("@Grace and @grace, look", ["grace"]), ("@Ada @Priya", ["priya"]), ("mail@grace.example @nobody", ["grace"])],
)
async def test_who_is_mentioned_is_told_wherever_they_are(
    ada: Browser, example: ModuleType, text: str, names: list[str]
) -> None:
    await ada.post("/chat/workshop", {"text": text})
    for person in sys.modules["people"].PEOPLE:
        notes = await example.rt.notifications.list(person)
        assert bool(notes) == (person in names)
        if notes:
            assert notes[0].text == f"Ada mentioned you in Workshop: “{text}”"
            assert re.fullmatch(r"/chat/workshop\?at=(\d+)#message-\1", str(notes[0].href))


async def test_a_mention_leads_to_its_message_also_after_many_others(
    ada: Browser, grace: Browser, example: ModuleType
) -> None:
    await ada.post("/chat/shop", {"text": "@Grace, the key?"})
    for number in range(20):
        await ada.post("/chat/shop", {"text": f"And another thing, {number}"})
    href = str((await example.rt.notifications.list("grace"))[0].href)
    page = await grace.get(href.partition("#")[0])
    assert page.select(href[href.index("#") :])
    assert "1 unread" in (await grace.get("/")).select(".rt-bell")[0].get_text()


async def test_the_text_is_text_and_mentions_stand_out(ada: Browser) -> None:
    await ada.post("/chat/shop", {"text": "<script>alert(1)</script> @Mei & @Nobody\x00"})
    (message,) = (await ada.get("/chat/shop")).select(".message-text")[-1:]
    assert message.get_text() == "<script>alert(1)</script> @Mei & @Nobody"
    assert [strong.get_text() for strong in message.select("strong")] == ["@Mei"]


@pytest.mark.parametrize("form", [{}, {"text": "  \n "}, {"text": "x" * 2001}])
async def test_nothing_and_too_much_are_refused(ada: Browser, form: dict[str, str]) -> None:
    page = await ada.get("/chat/shop")
    answer = await ada.post("/chat/shop", form, page=page)
    assert (answer.status, answer.header("rt-problem")) == (422, "validation")
    assert (await ada.post("/chat/shop", form)).status == 422
    assert len(said(await ada.get("/chat/shop"))) == 15
    assert (await ada.post("/chat/attic", {"text": "Hello"})).status == 404


async def test_files_are_kept_and_only_pictures_are_shown(ada: Browser, grace: Browser) -> None:
    page = await ada.get("/chat/shop")
    files = {"../evil name.png": PNG, "prices.csv": b"a,b\n1,2\n"}
    answer = await send(ada, page, "/chat/shop", "files", files, htmx=True, text="Both")
    assert answer.status == 200
    message = (await grace.get("/chat/shop")).select(".message")[-1]
    assert [image["alt"] for image in message.select("img")] == ["evil name.png"]
    _, link = message.select(".message-files a")
    assert "prices.csv" in link.get_text()
    got = await grace.get(str(link["href"]))
    assert (got.status, got.text) == (200, "a,b\n1,2\n")
    assert got.header("content-type") == "application/octet-stream"
    assert str(got.header("content-disposition")).startswith("attachment")
    assert got.header("x-content-type-options") == "nosniff"


async def test_a_file_of_another_room_or_none_is_not_there(ada: Browser, app: Any) -> None:
    page = await ada.get("/chat/shop")
    await send(ada, page, "/chat/shop", "files", {"a.txt": b"hello"})
    href = str((await ada.get("/chat/shop")).select(".message-files a")[0]["href"])
    assert (await ada.get(href)).text == "hello"
    assert (await ada.get(href.replace("shop", "workshop"))).status == 404
    assert (await ada.get("/chat/shop/files/..%2fboard.db")).status == 404
    async with Browser(app) as nobody:
        assert (await nobody.get(href)).status == 303


async def test_a_file_of_another_kind_is_refused_with_the_reason(ada: Browser) -> None:
    page = await ada.get("/chat/shop")
    answer = await send(ada, page, "/chat/shop", "files", {"tool.exe": b"MZ" + b"\0" * 60}, htmx=True, text="Try this")
    assert answer.status == 415
    assert "tool.exe" in answer.text
    assert said(await ada.get("/chat/shop"))[-1] != "Try this"


async def test_people_talk_on_where_notifications_cannot_be_kept(
    ada: Browser, grace: Browser, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = example.rt.store.get

    async def away(key: str) -> Any:
        if key.startswith("notes:"):
            raise StoreUnavailable("away")
        return await get(key)

    monkeypatch.setattr(example.rt.store, "get", away)
    page = await grace.get("/chat/shop")
    assert page.status == 200
    assert page.select("[rt-bell]")
    assert (await ada.post("/chat/shop", {"text": "@grace look"})).status == 303
    assert said(await grace.get("/chat/shop"))[-1] == "@grace look"
