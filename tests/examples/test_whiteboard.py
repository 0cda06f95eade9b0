"""The wall of notes and the lobby, over HTTP."""

from typing import Any

import pytest

from htmx_rt.testing import Browser, Page

pytestmark = pytest.mark.anyio


def places(page: Page) -> dict[str, tuple[int, int]]:
    """Where each note is: text → (column, row)."""
    return {
        note.select_one("p").get_text(): (int(str(note["data-column"])), int(str(note["data-row"])))  # type: ignore[union-attr]
        for note in page.select("#wall > .sticky")
    }


def id_of(page: Page, text: str) -> str:
    (note,) = [note for note in page.select("#wall > .sticky") if text in note.get_text()]
    return str(note["id"]).removeprefix("note-")


async def stick(browser: Browser, *texts: str) -> Page:
    for text in texts:
        await browser.post("/whiteboard/notes", {"text": text})
    return await browser.get("/whiteboard")


async def test_a_note_reaches_everybody_and_works_without_a_script(ada: Browser, grace: Browser) -> None:
    page = await grace.get("/whiteboard")
    async with grace.stream(page) as stream:
        answer = await ada.post("/whiteboard/notes", {"text": "Balloons <red>"})
        assert (answer.status, answer.header("location")) == (303, "/whiteboard")
        note = await stream.fragment(".sticky")
    assert "Balloons <red>" in note.get_text()
    assert "Ada" in note.get_text()


async def test_notes_move_by_their_buttons_and_stop_at_the_edge(ada: Browser) -> None:
    page = await stick(ada, "One")
    note = id_of(page, "One")
    for way, place in (("right", (2, 1)), ("down", (2, 2)), ("left", (1, 2)), ("up", (1, 1)), ("up", (1, 1))):
        assert (await ada.post(f"/whiteboard/notes/{note}/move", {"to": way})).status == 303
        assert places(await ada.get("/whiteboard"))["One"] == place


async def test_a_note_put_on_another_changes_places_with_it_in_one_message(ada: Browser, grace: Browser) -> None:
    page = await stick(ada, "One", "Two")
    hers = await grace.get("/whiteboard")
    async with grace.stream(hers) as stream:
        await ada.post(f"/whiteboard/notes/{id_of(page, 'One')}/place", {"column": "2", "row": "1"}, page=page)
        said = (await stream.event("rt:ops")).data["ops"]
    assert [verb for verb, *_ in said] == ["replace", "replace"]
    assert places(await ada.get("/whiteboard")) == {"One": (2, 1), "Two": (1, 1)}


@pytest.mark.parametrize(("to", "status"), [("sideways", 400), ("", 422)])
async def test_bad_input_is_refused(ada: Browser, to: str, status: int) -> None:
    page = await stick(ada, "One")
    answer = await ada.post(f"/whiteboard/notes/{id_of(page, 'One')}/move", {"to": to})
    assert answer.status in (status, 400, 422)
    assert (await ada.post("/whiteboard/notes/999/move", {"to": "up"})).status == 404
    assert (await ada.post("/whiteboard/notes", {"text": "x" * 141})).status in (400, 422)
    assert places(await ada.get("/whiteboard")) == {"One": (1, 1)}


async def test_far_away_is_the_edge(ada: Browser) -> None:
    page = await stick(ada, "One")
    await ada.post(f"/whiteboard/notes/{id_of(page, 'One')}/place", {"column": "99", "row": "-3"})
    assert places(await ada.get("/whiteboard")) == {"One": (6, 1)}


async def test_nobody_draws_without_signing_in(app: Any) -> None:
    async with Browser(app) as stranger:
        assert (await stranger.get("/whiteboard")).header("location") == "/sign-in"
        assert (await stranger.post("/whiteboard/notes", {"text": "Hello"})).header("location") == "/sign-in"


async def test_who_draws_is_here(ada: Browser, app: Any) -> None:
    page = await ada.get("/whiteboard")
    assert {"whiteboard", "here:whiteboard"} <= set(page.grants)
    (who,) = page.select("[rt-view]")
    assert who.has_attr("rt-here")
    async with ada.stream(page):
        names = [one.get_text() for one in (await ada.get("/whiteboard")).select(".rt-avatar .rt-visually-hidden")]
    assert "Ada Okafor, active" in names


async def test_the_lobby_is_open_to_everybody_and_counts(app: Any, ada: Browser) -> None:
    async with Browser(app) as stranger:
        page = await stranger.get("/lobby")
        hers = await ada.get("/lobby")
        async with stranger.stream(page), ada.stream(hers):
            later = await stranger.get("/lobby")
    assert "2 people here" in later.select("main")[0].get_text()
    names = [one.get_text() for one in later.select(".rt-roster-name")]
    assert names == ["Visitor", "Ada Okafor"]
