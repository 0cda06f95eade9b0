"""What the task board does with bad input."""

import json

import pytest
from board_page import GOOD, field, titles, totals

from htmx_rt import protocol
from htmx_rt.testing import Browser, Page

pytestmark = pytest.mark.anyio
MARKUP = "<img src=x onerror=alert(1)> & “bunting”"


@pytest.mark.parametrize(
    ("form", "bad"),
    [
        ({}, ["title", "priority"]),
        ({"title": ""}, ["title"]),
        ({"title": " \t\n\x00 "}, ["title"]),
        ({"title": "x" * 101}, ["title"]),
        ({"priority": "urgent"}, ["priority"]),
        ({"priority": ""}, ["priority"]),
        ({"due": "soon"}, ["due"]),
        ({"due": "2026-02-30"}, ["due"]),
        ({"due": "20260501"}, ["due"]),
        ({"due": "0026-05-01"}, ["due"]),
        ({"due": "２０２６-05-01"}, ["due"]),
        ({"title": MARKUP + "x" * 101, "priority": "<b>", "due": '"><b>'}, ["title", "priority", "due"]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("path", ["/tasks", "/tasks/4"], ids=["add", "save"])
async def test_refused_input_comes_back_with_its_reasons(
    ada: Browser, page: Page | None, path: str, form: dict[str, str], bad: list[str]
) -> None:
    sent = GOOD | form if form else {}
    before = await ada.get("/")
    answer = await ada.post(path, sent, page=page)
    assert answer.status == 422
    assert answer.header(protocol.PROBLEM) == "validation"
    assert bool(answer.select("html")) is (page is None)
    form_element = answer.select("#panel form")[0]
    assert form_element["action"] == path
    assert [element["name"] for element in form_element.select("[aria-invalid=true]")] == bad
    for name in bad:
        assert form_element.select(f"#{name}[aria-describedby={name}-error]")
        assert form_element.select(f"#{name}-error")[0].get_text(strip=True)
    assert [element["name"] for element in answer.select("[autofocus]")] == bad[:1]
    assert field(answer, "title") == sent.get("title", "").replace("\x00", " ").strip()
    assert field(answer, "due") == sent.get("due", "")
    assert not answer.select("img:not([alt]), b")
    after = await ada.get("/")
    assert (titles(after), totals(after)) == (titles(before), totals(before))


async def test_refused_input_is_sent_to_nobody(ada: Browser, grace: Browser) -> None:
    async with grace.stream(await grace.get("/")) as stream:
        await ada.post("/tasks", GOOD | {"title": ""})
        await ada.post("/tasks/4", GOOD | {"title": ""})
        await ada.post("/tasks/999", GOOD)
        await ada.post("/tasks/999/done", {"done": "true"})
        await ada.post("/tasks/999/delete")
        await ada.post("/tasks", GOOD)
        assert (await stream.event()).data["ops"][0][:2] == ["append", "#tasks"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Call the printer\n", "Call the printer"),
        ("x" * 100, "x" * 100),
        ("\N{BICYCLE}" * 100, "\N{BICYCLE}" * 100),
        (" " * 50 + "x" * 100 + " " * 50, "x" * 100),
        ("two\r\nlines\x00", "two lines"),
        (MARKUP, MARKUP),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
    ],
    ids=["trimmed", "100", "100 beyond the first plane", "100 after trimming", "control", "markup", "template"],
)
async def test_titles_are_kept_as_text(ada: Browser, grace: Browser, typed: str, kept: str) -> None:
    async with grace.stream(await grace.get("/")) as stream:
        answer = await ada.post("/tasks", GOOD | {"title": typed}, page=await ada.get("/"))
        row = await stream.fragment(".task")
        toast = (await stream.event(protocol.CALL)).data["args"]["text"]
    assert row.select_one(".task-title").get_text() == kept
    assert row.select_one(".tick")["aria-label"] == f"Done: {kept}"
    assert toast == f"Ada added “{kept}”"
    assert titles(answer) == [kept]
    assert kept in titles(await ada.get("/"))
    assert not row.select("img")


@pytest.mark.parametrize("id", ["0", "999", "-1", "abc", "4.5", "99999999999999999999", "%00", "4%2F"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/done"), ("POST", "/delete")])
async def test_unknown_tasks_are_not_found(ada: Browser, page: Page | None, method: str, path: str, id: str) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await ada.request(method, f"/tasks/{id}{path}", b"done=true", page=page, headers=kind)
    assert answer.status == 404
    if page is None:
        assert answer.select("h1")[0].get_text() == "There is nothing here"
        assert answer.select("a[href='/']")
    else:
        assert (answer.header("hx-reswap"), answer.text) == ("none", "")
        assert json.loads(str(answer.header(protocol.TOAST)))[0]["level"] == "warning"


@pytest.mark.parametrize("form", [{}, {"done": ""}, {"done": "perhaps"}])
async def test_a_tick_that_says_nothing_is_not_understood(ada: Browser, form: dict[str, str]) -> None:
    assert (await ada.post("/tasks/4/done", form)).status == 400
    assert not (await ada.get("/")).select("#task-4.is-done")


async def test_a_file_is_no_title(ada: Browser) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="title"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'
    answer = await ada.request("POST", "/tasks", body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status == 400
    assert answer.select("h1")


async def test_pages_that_are_not_there(ada: Browser) -> None:
    for path in ("/nowhere", "/tasks/4/nowhere", "/static/nowhere.css", "/static/../app.py"):
        answer = await ada.get(path)
        assert answer.status == 404
        assert answer.select("h1")
    wrong = await ada.get("/tasks/4/delete")
    assert (wrong.status, wrong.header("allow")) == (405, "POST")
