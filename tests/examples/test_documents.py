"""The documents, over HTTP and without a script: saved, merged, asked about, locked, gone."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from htmx_rt.guards import Guard
from htmx_rt.testing import Browser, Page, Stream

pytestmark = pytest.mark.anyio

PRESETS = ("detect", "merge", "live", "lock", "owner")
TITLE = "What a small service includes"


def sent(page: Page, **changes: str | None) -> list[tuple[str, str]]:
    """What the form of a page, or the panel in its place, sends, with changes; None leaves a field out."""
    form = (
        page.select("form:has([name=lock_version])")
        or page.select("form:has(.rt-conflict)")
        or page.select("form#form")
    )[0]
    values: list[tuple[str, str]] = []
    for field in form.select("input[name], textarea[name], select[name]"):
        name = str(field["name"])
        if field.name == "select":
            values += [(name, one.get_text()) for one in field.select("[selected]")]
        elif field.name == "textarea":
            values.append((name, field.get_text().removeprefix("\n").replace("\n", "\r\n")))
        elif field.get("type") not in ("checkbox", "radio") or field.has_attr("checked"):
            values.append((name, str(field.get("value", "on"))))
    kept = [(name, value) for name, value in values if name not in changes]
    return kept + [(name, value) for name, value in changes.items() if value is not None]


async def post(browser: Browser, path: str, form: list[tuple[str, str]], page: Page | None = None) -> Page:
    headers = {"content-type": "application/x-www-form-urlencoded", "referer": f"http://testserver{path}"}
    return await browser.request("POST", path, urlencode(form).encode(), page=page, headers=headers)


async def save(browser: Browser, page: Page, **changes: str | None) -> Page:
    """Send the form of a page, as a browser without a script does."""
    return await post(browser, page.path, sent(page, **changes))


async def called(stream: Stream, name: str) -> dict[str, Any]:
    """Return the arguments of the next call of this name."""
    while (call := (await stream.event("rt:call")).data)["name"] != name:
        pass
    return dict(call["args"])


def head(page: Page) -> str:
    return page.select("h1, h2")[0].get_text().strip()


def value(page: Page, name: str) -> str:
    (field,) = page.select(f"#{name}")
    return field.get_text().strip("\n") if field.name == "textarea" else str(field.get("value", ""))


def titles(page: Page) -> list[str]:
    return [one.get_text() for one in page.select(".paper:not(.is-archived) .paper-title")]


@pytest.mark.parametrize("preset", PRESETS)
async def test_each_way_has_a_page_that_says_what_it_shows(ada: Browser, preset: str) -> None:
    page = await ada.get(f"/documents/1/{preset}")
    assert page.status == 200
    assert len(page.select("form .rt-edit[rt-edit='doc:1']")) == 1
    assert str(page.select(".rt-edit")[0]["data-preset"]) == preset
    assert page.select("[aria-current=page]")[-1].get_text().lower() == preset
    assert page.select(".try strong")[0].get_text()
    answer = await save(ada, page, title="What is in it")
    assert (answer.status, answer.header("location")) == (303, f"/documents/1/{preset}")
    assert head(await ada.get(f"/documents/1/{preset}")) == "What is in it"


@pytest.mark.parametrize("preset", ["merge", "live"])
async def test_different_fields_go_together(ada: Browser, grace: Browser, preset: str) -> None:
    mine = await ada.get(f"/documents/1/{preset}")
    hers = await grace.get(f"/documents/1/{preset}")
    await save(grace, hers, price="52.50", tags="prices, spring", published=None)
    answer = await save(ada, mine, title="The small service", tags="workshop, prices, door")
    assert answer.status == 303
    page = await ada.get(f"/documents/1/{preset}")
    assert [value(page, name) for name in ("title", "price", "tags")] == [
        "The small service",
        "52.50",
        "prices, door, spring",
    ]
    assert not page.select("#published[checked]")
    assert "Grace Lindqvist" in page.select(".rt-toast")[0].get_text()  # whose changes are in it


async def test_two_new_prices_are_not_added_up(ada: Browser, grace: Browser) -> None:
    mine, hers = await ada.get("/documents/1/merge"), await grace.get("/documents/1/merge")
    assert (await save(grace, hers, price="49")).status == 303  # the same, written otherwise
    assert (await save(grace, await grace.get("/documents/1/merge"), price="55")).status == 303
    answer = await save(ada, mine, price="52")
    assert answer.status == 409
    assert [str(one["data-field"]) for one in answer.select(".rt-conflict-field")] == ["price"]


@pytest.mark.parametrize(("preset", "status"), [("detect", 409), ("merge", 303)])
async def test_detect_asks_whatever_was_changed(ada: Browser, grace: Browser, preset: str, status: int) -> None:
    mine, hers = await ada.get(f"/documents/1/{preset}"), await grace.get(f"/documents/1/{preset}")
    await save(grace, hers, price="52.50")
    assert (await save(ada, mine, title="The small service")).status == status


@pytest.mark.parametrize(("take", "title"), [("theirs", "Hers"), ("mine", "His <b>"), ("merged", "Both")])
async def test_the_page_of_a_conflict_lets_one_choose_and_save(
    ada: Browser, grace: Browser, take: str, title: str
) -> None:
    mine, hers = await ada.get("/documents/1/merge"), await grace.get("/documents/1/merge")
    await save(grace, hers, title="Hers", price="52.50")
    panel = await save(ada, mine, title="His <b>", text="Only this.")
    assert (panel.status, panel.header("rt-problem")) == (409, "stale")
    assert panel.select("html")
    assert head(panel) == "Grace Lindqvist changed this while you were writing"
    answer = await post(ada, mine.path, sent(panel, **{"rt-take-title": take, "title": "Both"}))
    assert answer.status == 303
    page = await ada.get("/documents/1/merge")
    assert [value(page, name) for name in ("title", "text", "price")] == [title, "Only this.", "52.50"]


async def test_what_is_wrong_with_the_merge_is_said_in_the_form(ada: Browser, grace: Browser) -> None:
    mine, hers = await ada.get("/documents/1/merge"), await grace.get("/documents/1/merge")
    await save(grace, hers, title="Hers")
    answer = await save(ada, mine, price="a lot", text="Typed", kind="Poem", tags="x" * 201)
    assert (answer.status, answer.header("rt-problem")) == (422, "validation")
    assert [str(one["id"]) for one in answer.select(".reason")] == ["kind-error", "price-error", "tags-error"]
    assert [value(answer, name) for name in ("title", "price", "text")] == ["Hers", "a lot", "Typed"]
    assert (await save(ada, await ada.get("/documents/1/merge"), title=" ")).status == 422
    again = await post(ada, mine.path, sent(answer, price="", kind="Letter", tags="", published=None))
    assert again.status == 303
    page = await ada.get("/documents/1/merge")
    assert [value(page, name) for name in ("title", "price", "text")] == ["Hers", "", "Typed"]


async def test_a_save_in_the_page_answers_with_the_form(ada: Browser, grace: Browser) -> None:
    mine = await ada.get("/documents/1/live")
    hers = await grace.get("/documents/1/live")
    async with grace.stream(hers) as stream:
        answer = await post(ada, mine.path, sent(mine, title="Live"), page=mine)
        assert (answer.status, answer.header("rt-lock-version")) == (200, "2")
        assert not answer.select("html")
        assert "Saved as version 2" in answer.text
        told = await called(stream, "saved")
    assert (told["v"], told["fields"]["title"]) == (2, "Live")


async def test_the_update_itself_compares_the_version(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two saves that were both checked before either was written: the second is checked again."""
    check, both = Guard.check, asyncio.Barrier(2)
    checked = 0

    def together(self: Guard, *args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        checked += 1
        number, saving = checked, check(self, *args, **kwargs)

        async def wait() -> Any:
            found = await saving
            if number <= 2:
                await both.wait()
            return found

        return wait()

    page = await ada.get("/documents/1/merge")
    monkeypatch.setattr(Guard, "check", together)
    answers = await asyncio.gather(save(ada, page, title="First"), save(ada, page, price="1"))
    assert [answer.status for answer in answers] == [303, 303]
    assert checked == 3
    page = await ada.get("/documents/1/merge")
    assert (value(page, "title"), value(page, "price")) == ("First", "1.00")
    assert "Version 3" in page.select("#head")[0].get_text()


# Locks


async def hold(browser: Browser, page: Page, stream: Any) -> dict[str, Any]:
    """Take the lock of a page's document, as its script does."""
    grant = stream.hello["grants"]["edit:doc:1"] if "grants" in stream.hello else page.grants["edit:doc:1"]
    body = {"tab": page.tab, "gen": 1, "grant": grant, "act": "take"}
    answer = await browser.request(
        "POST", "/_rt/locks/doc:1", json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    assert answer.status == 200, answer.text
    return dict(json.loads(answer.text))


@pytest.mark.parametrize("preset", ["lock", "owner"])
async def test_who_does_not_hold_it_is_refused_and_keeps_their_text(
    ada: Browser, grace: Browser, preset: str, later: Callable[[float], None]
) -> None:
    mine, hers = await ada.get(f"/documents/1/{preset}"), await grace.get(f"/documents/1/{preset}")
    async with grace.stream(hers) as stream:
        held = await hold(grace, hers, stream)
        assert held["mine"]
        refused = await save(ada, mine, title="Mine <i>")
        assert (refused.status, refused.header("rt-problem")) == (423, "locked")
        assert refused.select("html")
        assert head(refused) == "Grace Lindqvist is editing this now"
        assert "Mine &lt;i&gt;" in refused.text
        answer = await post(grace, hers.path, [*sent(hers, price="1"), ("rt-fence", str(held["fence"]))])
        assert answer.status == 303
        later(60)  # no word of hers since
        assert (await post(ada, mine.path, sent(refused))).status == 303  # the very same again
        page = await ada.get(f"/documents/1/{preset}")
        assert (value(page, "title"), value(page, "price")) == ("Mine <i>", "1.00")


# Gone


@pytest.mark.parametrize("why", ["archive", "delete"])
async def test_gone_tells_who_reads_and_keeps_what_was_typed(ada: Browser, grace: Browser, why: str) -> None:
    mine, reads = await ada.get("/documents/1/merge"), await ada.get("/documents/1")
    async with ada.stream(reads) as stream:
        answer = await grace.post(f"/documents/1/{why}")
        assert (answer.status, answer.header("location")) == (303, "/documents")
        told = await called(stream, "gone")
    assert (told["why"], told["to"], told["create"]) == (f"{why}d", "/documents", "/documents")
    panel = await save(ada, mine, title="Still mine", text="All of it")
    assert (panel.status, panel.header("rt-problem")) == (410, "gone")
    assert panel.select("html")
    assert head(panel) == f"Grace Lindqvist {why}d this while you were writing"
    (button,) = panel.select("button[formaction]")
    made = await post(ada, str(button["formaction"]), sent(panel))
    assert made.status == 303
    page = await ada.get(str(made.header("location")))
    assert head(page) == "Still mine"
    assert "All of it" in page.text


async def test_what_is_archived_can_be_brought_back_and_not_edited(ada: Browser) -> None:
    await ada.post("/documents/1/archive")
    page = await ada.get("/documents")
    assert TITLE not in titles(page)
    assert TITLE in page.select("#archive")[0].get_text()
    assert (await ada.get("/documents/1/merge")).header("location") == "/documents/1"
    assert (await ada.post("/documents/1/archive")).status == 404
    assert (await ada.post("/documents/1/restore")).status == 303
    assert TITLE in titles(await ada.get("/documents"))
    assert (await ada.post("/documents/1/restore")).status == 404


async def test_regions_of_what_was_deleted_say_so(ada: Browser) -> None:
    page = await ada.get("/documents/1")
    await ada.post("/documents/1/delete")
    for part in ("/documents/1", "/documents/1/head"):
        answer = await ada.get(part, page=page)
        assert (answer.status, "deleted" in answer.text) == (200, True)
    assert (await ada.get("/documents/1")).status == 404
    assert (await ada.post("/documents/1/delete")).status == 404


# The list


async def test_rows_come_change_and_go_for_all(ada: Browser, grace: Browser) -> None:
    page = await grace.get("/documents")
    async with grace.stream(page) as stream:
        new = await ada.get("/documents/new")
        made = await post(ada, "/documents", sent(new, title="Opening hours", text="Ten to six."))
        assert (await called(stream, "event"))["data"]["action"] == "created"
        path = str(made.header("location"))
        await save(ada, await ada.get(f"{path}/merge"), title="Opening hours in May")
        assert (await called(stream, "event"))["data"]["action"] == "updated"
        assert "Opening hours in May" in titles(await grace.get("/documents", page=page))
        await ada.post(f"{path}/delete")
        assert (await called(stream, "event"))["data"]["action"] == "deleted"
    assert "Opening hours in May" not in titles(await grace.get("/documents", page=page))


async def test_the_list_shows_who_has_which_one_open(ada: Browser, grace: Browser) -> None:
    page = await ada.get("/documents/2/owner")
    async with ada.stream(page):
        row = (await grace.get("/documents")).select("#document-2")[0]
    assert "Ada Okafor" in row.get_text()


async def test_a_new_one_is_looked_at_too(ada: Browser) -> None:
    new = await ada.get("/documents/new")
    answer = await post(ada, "/documents", sent(new, title="", price="x"))
    assert answer.status == 422
    assert len(answer.select(".reason")) == 2
    assert (await post(ada, "/documents", [])).status == 422


@pytest.mark.parametrize(
    "path", ["/documents/99", "/documents/99/merge", "/documents/1/sideways", "/documents/x/merge"]
)
async def test_what_is_not_there_is_not_there(ada: Browser, path: str) -> None:
    assert (await ada.get(path)).status == 404


async def test_nobody_reads_without_signing_in(app: Any) -> None:
    async with Browser(app) as stranger:
        for path in ("/documents", "/documents/1", "/documents/1/merge", "/documents/1/head", "/documents/new"):
            assert (await stranger.get(path)).header("location") == "/sign-in"
        for path in ("/documents", "/documents/1/merge", "/documents/1/archive", "/documents/1/delete"):
            assert (await stranger.post(path, {"title": "Hello"})).header("location") == "/sign-in"


async def test_both_people_begin_where_the_link_was_pressed(app: Any) -> None:
    beside = await Browser(app, host="board.localhost").get("/beside?at=/documents/1/live")
    assert [str(one["src"]).partition("?")[2] for one in beside.select("iframe")] == ["at=/documents/1/live"] * 2
    for at, goal in (("/documents/1/live", "/documents/1/live"), ("//evil.example", "/"), ("/\\evil", "/"), ("", "/")):
        pane = Browser(app, host="left.board.localhost")
        assert (await pane.get(f"/beside/enter?at={at}")).header("location") == goal
