"""The task board of examples/fastapi over HTTP: each route, plain and by htmx, and what everybody else is sent."""

import asyncio
from datetime import date, timedelta

import pytest
from board_page import GOOD, add, field, titles, totals
from boards import open_board
from bs4 import BeautifulSoup

from htmx_rt import protocol
from htmx_rt.testing import Browser, Page

pytestmark = pytest.mark.anyio


# The board


async def test_the_board_subscribes_totals_and_list(ada: Browser) -> None:
    page = await ada.get("/")
    assert page.status == 200
    assert [element["id"] for element in page.select("[rt-stream~='board:1']")] == ["totals", "invoices", "tasks"]
    assert page.select("#tasks")[0]["rt-stream"] == "board:1 user:ada"  # what only its reader is to see or miss
    assert len(titles(page)) == 12
    assert all(row["rt-version"] == "1" for row in page.select("#tasks .task"))
    places = [str(row["data-pos"]) for row in page.select("#tasks .task")]
    assert places == sorted(places)
    assert page.select("#tasks > .empty")


async def test_pages_allow_nothing_inline(ada: Browser) -> None:
    for path in ("/", "/sign-in", "/nowhere", "/tasks/4"):
        page = await ada.get(path)
        policy = str(page.header("content-security-policy"))
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert not page.select("[style], style, script:not([src]), [onclick]")


async def test_everything_htmx_does_a_plain_form_or_link_does_too(ada: Browser) -> None:
    page = await ada.get("/tasks/4")
    for element in page.select(".board [hx-post]"):
        assert (element.name, element["method"], element["action"]) == ("form", "post", element["hx-post"])
    for element in page.select(".board [hx-get]"):
        assert element.name == "a"
        assert (await ada.get(str(element["href"]))).status == 200


async def test_the_first_tasks_are_written_once(ada: Browser) -> None:
    open_board()
    assert len(titles(await ada.get("/"))) == 12


async def test_totals_count_what_the_list_shows(ada: Browser) -> None:
    assert totals(await ada.get("/")) == [9, 5, 1, 3]
    await add(ada, due=(date.today() + timedelta(days=6)).isoformat())
    await add(ada, due=(date.today() + timedelta(days=7)).isoformat())
    await add(ada, due=(date.today() - timedelta(days=1)).isoformat())
    assert totals(await ada.get("/")) == [12, 6, 2, 3]


async def test_an_empty_board_says_so(ada: Browser) -> None:
    for row in (await ada.get("/")).select("#tasks .task"):
        await ada.post(str(row["id"]).replace("task-", "/tasks/") + "/delete")
    page = await ada.get("/")
    assert totals(page) == [0, 0, 0, 0]
    assert [child["class"] for child in page.select("#tasks > *")] == [["empty"]]


# Adding


async def test_an_added_task_is_on_the_board(ada: Browser) -> None:
    answer = await ada.post("/tasks", GOOD | {"due": date.today().isoformat(), "priority": "high"})
    assert (answer.status, answer.header("location")) == (303, "/")
    row = (await ada.get("/")).select("#tasks .task")[0]  # on top
    assert row.select(".task-title")[0].get_text() == "Call the printer"
    assert [part.get_text() for part in row.select(".task-meta > span")] == ["Today", "High", "Ada"]


async def test_htmx_gets_an_empty_form_the_row_and_the_totals(ada: Browser) -> None:
    answer = await ada.post("/tasks", GOOD, page=await ada.get("/"))
    assert answer.status == 200
    assert field(answer, "title") == ""
    assert answer.select("ul[hx-swap-oob='beforeend:#tasks'] > li.task[rt-version='1']")
    assert totals(answer) == [10, 5, 1, 3]
    assert not answer.select("html, [rt-grant]")


async def test_the_row_shown_before_the_answer_is_the_same_row(ada: Browser) -> None:
    page = await ada.get("/")
    form = page.select("form[action='/tasks']")[0]
    assert form["rt-optimistic"].startswith("insert:#new-task on #tasks at start; ")
    (template,) = page.select("#new-task")
    row = BeautifulSoup(template.decode_contents(), "html.parser").li
    assert row.select(".task-title")[0].get_text() == "{title}"
    assert row.select(".task-meta")[0].get_text() == "Ada"
    assert not row.has_attr("id")
    assert not row.select("[id], [action], a, button:not([disabled])"), "without a number nothing can be done to it"
    assert str(row["data-pos"]) < min(str(other["data-pos"]) for other in page.select("#tasks .task"))


async def test_everybody_is_sent_row_and_totals_as_one_message(ada: Browser, grace: Browser) -> None:
    page, hers = await ada.get("/"), await grace.get("/")
    async with grace.stream(hers) as stream:
        answer = await ada.post("/tasks", GOOD, page=page)
        message = (await stream.event(protocol.OPS)).data
        toast = (await stream.event(protocol.CALL)).data
    assert [operation[:2] for operation in message["ops"]] == [["append", "#tasks"], ["replace", "#summary"]]
    assert message["by"] == page.tab
    for _, _, html in message["ops"]:
        assert html in answer.text  # what the actor got is what everybody got
    assert toast["args"] | {"level": "info"} == {
        "text": "Ada added “Call the printer”",
        "level": "info",
        "others": True,
    }


# Changing


async def test_a_task_opens_beside_the_board(ada: Browser, page: Page | None) -> None:
    answer = await ada.get("/tasks/4", page=page)
    assert answer.status == 200
    assert field(answer, "title") == "Chase the electrician about the window lights"
    assert answer.select("#priority option[selected]")[0]["value"] == "high"
    assert field(answer, "due") == (date.today() - timedelta(days=2)).isoformat()
    assert answer.select("#title[autofocus]")
    assert len(titles(answer)) == (12 if page is None else 0)


async def test_a_saved_task_has_a_new_version_and_its_old_place(
    ada: Browser, grace: Browser, page: Page | None
) -> None:
    due = date.today() + timedelta(days=400)
    form = {"title": "Chase him again", "priority": "low", "due": due.isoformat()}
    async with grace.stream(await grace.get("/")) as stream:
        answer = await ada.post("/tasks/4", form, page=page)
        sent = await stream.fragment("#task-4")
    assert answer.status == (303 if page is None else 200)
    if page is not None:
        assert field(answer, "title") == ""
        assert str(sent) in str(answer.select("#task-4")[0])
    board = await ada.get("/")
    row = board.select("#task-4")[0]
    assert (row["rt-version"], row["data-pos"]) == ("2", sent["data-pos"])
    assert row == board.select("#tasks .task")[0]
    assert row.select("time")[0].get_text() == f"{due:%a} {due.day} {due:%b} {due.year}"
    places = [str(element["data-pos"]) for element in board.select("#tasks .task")]
    assert places == sorted(places)


async def test_ticking_states_what_is_wanted(ada: Browser, grace: Browser, page: Page | None) -> None:
    async with grace.stream(await grace.get("/")) as stream:
        for done in ("true", "true", "false"):
            answer = await ada.post("/tasks/4/done", {"done": done}, page=page)
            assert answer.status == (303 if page is None else 200)
            row = await stream.fragment("#task-4")
            assert row.select_one("[role=checkbox]")["aria-checked"] == done
            assert row.select_one("[name=done]")["value"] == ("false" if done == "true" else "true")
            assert not answer.select("#panel")
    assert (await ada.get("/")).select("#task-4")[0]["rt-version"] == "4"


async def test_changes_at_once_are_all_counted(ada: Browser, grace: Browser) -> None:
    """Whatever order the messages came in, the highest versions among them are the board as it is."""
    page = await ada.get("/")
    async with grace.stream(await grace.get("/")) as stream:
        await asyncio.gather(
            *(
                browser.post("/tasks/4", GOOD | {"title": f"{n}"}, page=page)
                for n in range(8)
                for browser in (ada, grace)
            ),
            *(ada.post("/tasks", GOOD | {"title": f"new {n}"}, page=page) for n in range(4)),
        )
        rows, summaries = {}, {}
        for _ in range(20):
            for operation in (await stream.event(protocol.OPS)).data["ops"]:
                root = BeautifulSoup(operation[2], "html.parser").find()
                seen = rows if operation[1] == "#tasks" else summaries
                key = (root["id"], int(root["rt-version"]))
                assert key not in seen, "one version, two contents"
                seen[key] = operation[2]
    board = await ada.get("/")
    assert board.select("#task-4")[0]["rt-version"] == "17"
    assert rows["task-4", 17] in board.text
    assert summaries[max(summaries)] in board.text
