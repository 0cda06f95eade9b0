"""Pictures of people: one question for many, remembered, and drawn when the answer comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from htmx_rt import faces as module
from htmx_rt.faces import NOBODY, Faces, face

from .kit import Clock

pytestmark = pytest.mark.anyio


class Album:
    """Faces on this loop, and what was asked and drawn."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.clock = Clock()
        self.asked: list[list[str]] = []
        self.drawn: list[str] = []
        self.news = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self.faces = Faces(draw=self.draw, home=lambda: self.loop, later=self.later, clock=self.clock)

    def draw(self, topic: str) -> None:
        self.drawn.append(topic)
        self.news.set()

    def later(self, work: Any) -> None:
        self.tasks.add(self.loop.create_task(work))

    async def answer(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        self.asked.append(list(ids))
        return {identity: {"picture": f"/people/{identity}.png"} for identity in ids if identity != "nobody"}

    async def drawing(self) -> None:
        async with asyncio.timeout(5):
            await self.news.wait()
            self.news.clear()
            await asyncio.gather(*self.tasks)


@pytest.fixture
async def album() -> AsyncIterator[Album]:
    made = Album()
    yield made
    await asyncio.gather(*made.tasks)


async def test_many_people_are_one_question(album: Album) -> None:
    album.faces.ask(album.answer)
    ids = [f"p{number}" for number in range(300)]
    assert all(album.faces.of(identity, "doc:1").picture is None for identity in ids * 3)
    await album.drawing()
    assert album.asked == [ids]
    assert album.drawn == ["doc:1"]
    assert album.faces.of("p7", "doc:1").picture == "/people/p7.png"
    await asyncio.sleep(0)
    assert len(album.asked) == 1


async def test_more_than_fit_are_asked_in_parts(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    album.faces.ask(album.answer)
    for number in range(5):
        album.faces.of(f"p{number}", f"doc:{number}")
    await album.drawing()
    assert [len(ids) for ids in album.asked] == [2, 2, 1]
    assert sorted(album.drawn) == [f"doc:{number}" for number in range(5)]


async def test_whom_the_app_does_not_know_is_not_asked_for_again(album: Album) -> None:
    album.faces.ask(album.answer)
    album.faces.of("nobody", "doc:1")
    await album.drawing()
    assert album.faces.of("nobody", "doc:1") == NOBODY
    assert not album.faces._wanted


async def test_an_old_picture_is_shown_until_there_is_a_new_one(album: Album) -> None:
    album.faces.ask(album.answer)
    album.faces.of("ada", "doc:1")
    await album.drawing()
    album.clock.advance(301)
    assert album.faces.of("ada", "doc:1").picture == "/people/ada.png"
    await album.drawing()
    assert len(album.asked) == 2


async def test_a_changed_picture_is_asked_for_at_once(album: Album) -> None:
    album.faces.ask(album.answer)
    album.faces.of("ada", "doc:1")
    await album.drawing()
    album.faces.forget(["ada"])
    album.faces.of("ada", "doc:2")
    await album.drawing()
    assert album.asked == [["ada"], ["ada"]]


async def test_a_plain_function_does_not_hold_up_the_loop(album: Album) -> None:
    import threading

    threads = []

    def fetch(ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        threads.append(threading.current_thread())
        return {"ada": {"picture": "https://pictures.example/ada.png", "name": "Ada\u202e", "title": "Countess"}}

    album.faces.ask(fetch)
    album.faces.of("ada", "doc:1")
    await album.drawing()
    assert threads != [threading.main_thread()]
    found = album.faces.of("ada", "doc:1")
    assert (found.picture, found.name, found.more) == ("https://pictures.example/ada.png", "Ada", {"title": "Countess"})


async def test_a_failure_is_logged_and_tried_again_later(album: Album, caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    async def fetch(ids: Sequence[str]) -> Any:
        calls.append(ids)
        raise RuntimeError("no")

    album.faces.ask(fetch)
    album.faces.of("ada", "doc:1")
    await album.drawing()
    assert "without their pictures" in caplog.text
    album.faces.of("ada", "doc:1")
    assert not album.faces._wanted
    album.clock.advance(16)
    album.faces.of("ada", "doc:1")
    await album.drawing()
    assert len(calls) == 2


async def test_memory_is_bounded(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    album.faces.ask(album.answer)
    for number in range(9):
        album.faces.of(f"p{number}", "doc:1")
    assert len(album.faces._wanted) == 3
    await album.drawing()
    for number in range(9, 12):
        album.faces.of(f"p{number}", "doc:1")
    await album.drawing()
    assert list(album.faces._known) == ["p9", "p10", "p11"]


async def test_visitors_are_not_asked_for(album: Album) -> None:
    album.faces.ask(album.answer)
    assert album.faces.of(None, "doc:1") == NOBODY
    assert not album.faces._wanted


@pytest.mark.parametrize("url", ["/a.png", "/", "/a/b?c=d#e", "https://pictures.example/a.png", "https://x"])
async def test_pictures_of_this_site_and_over_https(url: str) -> None:
    assert face({"picture": url}).picture == url


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/a.png", "/\\evil.example", "http://x/a.png", "javascript:alert(1)", "data:image/png;base64,x",
        "a.png", "https://", "https:///x", "/a b", "/a\nb", "/\tx", "", 7, "https://x/" + "a" * 3000, "/a\\b",
    ],
    ids=repr,
)  # fmt: skip
async def test_pictures_from_anywhere_else_are_left_out(url: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert face({"picture": url}).picture is None
    assert "is left out" in caplog.text
