"""What the task board shows before the server answers, and does once: rename, vote, move, delete with undo, invoices."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from board_page import GOOD, add, field, order, titles, totals
from bs4 import Tag

from htmx_rt import protocol
from htmx_rt.testing import Browser, Page

pytestmark = pytest.mark.anyio

FOURTH = "Chase the electrician about the window lights"
Later = Callable[[float], None]


async def row(browser: Browser, id: int | str) -> Tag:
    (found,) = (await browser.get("/")).select(f"#tasks > #task-{id}")
    return found


# Renaming in the row


async def test_a_task_is_renamed_in_its_row(ada: Browser, grace: Browser, page: Page | None) -> None:
    async with grace.stream(await grace.get("/")) as stream:
        answer = await ada.post("/tasks/4/title", {"title": " Ring the electrician "}, page=page)
        sent = await stream.fragment("#task-4")
    assert answer.status == (303 if page is None else 200)
    assert sent.select_one(".task-title").get_text() == "Ring the electrician"
    assert sent.select_one("#title-4")["value"] == "Ring the electrician"
    after = await row(ada, 4)
    assert after == sent
    assert "High" in after.get_text(), "only the title was sent, only the title has changed"
    assert after.select_one("time")["datetime"] < date.today().isoformat()


@pytest.mark.parametrize("title", ["", " \n", "x" * 101])
async def test_a_name_that_is_refused_opens_with_its_reason(ada: Browser, page: Page | None, title: str) -> None:
    answer = await ada.post("/tasks/4/title", {"title": title}, page=page)
    assert (answer.status, answer.header(protocol.PROBLEM)) == (422, "validation")
    assert bool(answer.select("html")) is (page is None)
    assert answer.select("#panel form.fields")[0]["action"] == "/tasks/4"
    assert field(answer, "title") == title.strip()
    assert answer.select("#title[autofocus][aria-invalid=true]")
    if page is not None:
        assert (answer.header("hx-retarget"), answer.header("hx-reswap")) == ("#panel", "outerHTML")
    assert titles(await ada.get("/"))[0] == FOURTH


# Counting


async def test_votes_at_once_are_all_counted(ada: Browser, grace: Browser) -> None:
    page = await ada.get("/")
    await asyncio.gather(*(browser.post("/tasks/4/vote", page=page) for _ in range(5) for browser in (ada, grace)))
    assert (await row(ada, 4)).select_one(".votes").get_text() == "13"


async def test_a_vote_without_a_script(ada: Browser) -> None:
    assert (await ada.post("/tasks/5/vote")).header("location") == "/"
    assert (await row(ada, 5)).select_one(".votes:not(.is-none)").get_text() == "1"


# Moving


async def test_a_task_goes_behind_the_one_that_is_named(ada: Browser, grace: Browser, page: Page | None) -> None:
    assert order(await ada.get("/")) == [4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3]
    async with grace.stream(await grace.get("/")) as stream:
        answer = await ada.post("/tasks/4/move", {"after": "6"}, page=page)
        sent = await stream.fragment("#task-4")
    assert answer.status == (303 if page is None else 200)
    assert order(await ada.get("/")) == [5, 6, 4, 7, 8, 9, 10, 11, 12, 1, 2, 3]
    assert sent == await row(ada, 4)
    await ada.post("/tasks/9/move", {"after": ""}, page=page)
    assert order(await ada.get("/")) == [9, 5, 6, 4, 7, 8, 10, 11, 12, 1, 2, 3]
    await ada.post("/tasks/9/move", {"after": "9"}, page=page)  # where it is
    await ada.post("/tasks/9/move", {"after": ""}, page=page)
    assert order(await ada.get("/")) == [9, 5, 6, 4, 7, 8, 10, 11, 12, 1, 2, 3]


async def test_open_tasks_stay_above_done_ones(ada: Browser) -> None:
    await ada.post("/tasks/4/move", {"after": "2"})
    assert order(await ada.get("/")) == [5, 6, 7, 8, 9, 10, 11, 12, 4, 1, 2, 3]
    await ada.post("/tasks/3/move", {"after": "6"})
    assert order(await ada.get("/")) == [5, 6, 7, 8, 9, 10, 11, 12, 4, 3, 1, 2]
    await ada.post("/tasks/3/done", {"done": "false"})
    assert set(order(await ada.get("/"))[:10]) == {3, 4, 5, 6, 7, 8, 9, 10, 11, 12}


async def test_one_step_up_or_down(ada: Browser, page: Page | None) -> None:
    for by, expected in (("1", [5, 4, 6]), ("1", [5, 6, 4]), ("-1", [5, 4, 6]), ("-1", [4, 5, 6]), ("-1", [4, 5, 6])):
        await ada.post("/tasks/4/move", {"by": by}, page=page)
        assert order(await ada.get("/"))[:3] == expected
    await ada.post("/tasks/12/move", {"by": "1"}, page=page)  # done ones follow
    await ada.post("/tasks/3/move", {"by": "1"}, page=page)  # nothing follows
    assert order(await ada.get("/")) == [4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3]


async def test_moves_at_once_all_land_where_they_were_meant(ada: Browser, grace: Browser) -> None:
    page, hers = await ada.get("/"), await grace.get("/")
    answers = await asyncio.gather(
        ada.post("/tasks/12/move", {"after": "4"}, page=page),
        grace.post("/tasks/11/move", {"after": "4"}, page=hers),
        ada.post("/tasks/5/move", {"after": "9"}, page=page),
        grace.post("/tasks/10/move", {"after": "8"}, page=hers),
        ada.post("/tasks", GOOD, page=page),
    )
    assert {answer.status for answer in answers} == {200}
    after = order(await ada.get("/"))
    assert after[0] == 13
    assert after[1] == 4
    assert set(after[2:4]) == {11, 12}
    assert after[4:9] == [6, 7, 8, 10, 9]
    assert after[9:] == [5, 1, 2, 3]


async def test_any_order_of_moves_ends_where_the_list_says(ada: Browser, grace: Browser) -> None:
    """What everybody is sent, put in the order of its keys, is the list as it is."""
    page = await ada.get("/")
    async with grace.stream(await grace.get("/")) as stream:
        moves = [(4, "12"), (5, ""), (6, "5"), (7, "4"), (4, "6"), (12, "7"), (8, "8"), (9, ""), (1, "3"), (3, "4")]
        await asyncio.gather(*(ada.post(f"/tasks/{id}/move", {"after": after}, page=page) for id, after in moves))
        places: dict[str, tuple[int, str]] = {}
        for _ in moves:
            sent = await stream.fragment(".task")
            places[sent["id"]] = max(places.get(sent["id"], (0, "")), (int(sent["rt-version"]), sent["data-pos"]))
    board = (await ada.get("/")).select("#tasks .task")
    for task in board:
        assert places.get(str(task["id"]), (0, task["data-pos"]))[1] == task["data-pos"]
    assert len({task["data-pos"] for task in board}) == len(board)


@pytest.mark.parametrize(
    "form", [{}, {"after": "first"}, {"after": "-1"}, {"after": "4.0"}, {"after": "9" * 30}, {"by": "2"}, {"by": ""}]
)
async def test_a_place_that_is_none(ada: Browser, page: Page | None, form: dict[str, str]) -> None:
    before = order(await ada.get("/"))
    assert (await ada.post("/tasks/7/move", form, page=page)).status == 400
    assert order(await ada.get("/")) == before


async def test_behind_a_task_that_is_gone(ada: Browser, page: Page | None) -> None:
    before = order(await ada.get("/"))
    assert (await ada.post("/tasks/7/move", {"after": "999"}, page=page)).status == 404
    assert order(await ada.get("/")) == before


# Deleting, with undo


def undo_of(answer: Page) -> dict[str, Any]:
    (toast,) = json.loads(str(answer.header(protocol.TOAST)))
    return dict(toast["undo"])


async def take_back(browser: Browser, id: str) -> Page:
    headers = {"accept": "application/json", "sec-fetch-site": "same-origin"}
    return await browser.post(f"/_rt/undo/{id}", headers=headers)


async def test_a_deleted_task_leaves_my_list_and_is_marked_for_the_others(
    ada: Browser, grace: Browser, page: Page | None
) -> None:
    mine = await ada.get("/")
    async with grace.stream(await grace.get("/")) as stream, ada.stream(mine) as own:
        answer = await ada.post("/tasks/4/delete", page=page)
        message = (await stream.event(protocol.OPS)).data
        toast = (await stream.event(protocol.CALL)).data["args"]["text"]
        shown, hidden = (await own.event(protocol.OPS)).data, (await own.event(protocol.OPS)).data
    assert answer.status == (303 if page is None else 200)
    assert message["ops"][0][:2] == ["append", "#tasks"]
    assert "Ada is deleting this" in message["ops"][0][2]
    assert toast == f"Ada is deleting “{FOURTH}”"
    assert (shown["ops"], hidden["t"], hidden["ops"]) == (message["ops"], "user:ada", [["remove", "#task-4"]])
    theirs, ours = await grace.get("/"), await ada.get("/")
    assert 4 not in order(ours)
    assert theirs.select("#task-4.is-leaving")[0].select_one(".task-meta").get_text() == "Ada is deleting this"
    assert not theirs.select("#task-4 a, #task-4 .task-tools, #task-4 button:not([disabled])")
    assert totals(ours) == totals(theirs) == [8, 5, 0, 3]


async def test_the_panel_closes_over_what_was_deleted_in_it(ada: Browser) -> None:
    page = await ada.get("/")
    answer = await ada.post("/tasks/4/delete", {"opened": "true"}, page=page)
    assert answer.select("[hx-swap-oob^='delete:#task-4,']")
    (note,) = answer.select("#panel [autofocus]")  # the button that had the focus is gone
    assert note.get_text() == f"“{FOURTH}” is deleted."
    from_the_row = await ada.post("/tasks/5/delete", page=page)
    assert not from_the_row.select("#panel, .task"), "somebody may be writing in the panel"
    assert totals(from_the_row) == [7, 4, 0, 3]


async def test_after_five_seconds_it_is_deleted(ada: Browser, grace: Browser, later: Later) -> None:
    await ada.post("/tasks/4/delete", page=await ada.get("/"))
    async with grace.stream(await grace.get("/")) as stream:
        later(7)
        message = (await stream.event(protocol.OPS)).data
    assert message["ops"][0] == ["remove", "#task-4"]
    assert message["ops"][1][:2] == ["replace", "#summary"]
    theirs = await grace.get("/")
    assert not theirs.select("#task-4")
    assert totals(theirs) == [8, 5, 0, 3]
    assert (await ada.post("/tasks/4/delete")).status == 404


async def test_what_is_undone_is_as_it_was(ada: Browser, grace: Browser, later: Later) -> None:
    before = await ada.get("/")
    undo = undo_of(await ada.post("/tasks/4/delete", page=before))
    assert 0 < undo["left"] <= 5_000
    async with grace.stream(await grace.get("/")) as stream:
        answer = await take_back(ada, undo["id"])
        sent = await stream.fragment("#task-4")
    assert (answer.status, json.loads(answer.text)) == (200, {"state": "undone"})
    assert "is-leaving" not in sent["class"]
    later(60)
    after = await ada.get("/")
    assert order(after) == order(before)
    assert totals(after) == totals(before)
    assert (await take_back(ada, undo["id"])).status == 200, "a second press changes nothing"


async def test_only_who_deleted_it_may_bring_it_back(ada: Browser, grace: Browser) -> None:
    undo = undo_of(await ada.post("/tasks/4/delete", page=await ada.get("/")))
    await grace.get("/")
    answer = await take_back(grace, undo["id"])
    assert (answer.status, answer.header(protocol.PROBLEM)) == (403, "forbidden")
    assert 4 not in order(await ada.get("/"))


async def test_too_late_to_bring_it_back(ada: Browser, grace: Browser, later: Later) -> None:
    undo = undo_of(await ada.post("/tasks/4/delete", page=await ada.get("/")))
    async with grace.stream(await grace.get("/")) as stream:
        later(7)
        while (await stream.event(protocol.OPS)).data["ops"][0] != ["remove", "#task-4"]:
            pass
    answer = await take_back(ada, undo["id"])
    assert (answer.status, answer.header(protocol.PROBLEM)) == (409, "already-done")
    assert (await take_back(ada, "0" * 36)).status == 404


async def test_undo_without_a_script(ada: Browser) -> None:
    await ada.post("/tasks/4/delete")
    board = await ada.get("/")
    (link,) = board.select(".board-head a")
    page = await ada.get(str(link["href"]))
    (form,) = [form for form in page.select("form") if "/undo/" in str(form["action"])]
    assert "is deleted." in page.text
    answer = await ada.post(str(form["action"]), headers={"sec-fetch-site": "same-origin"})
    assert answer.status == 303
    assert 4 in order(await ada.get("/"))


async def test_changes_while_it_is_on_its_way_out(ada: Browser, grace: Browser, later: Later) -> None:
    """Somebody votes for it: the others see that, and it does not come back onto the list of who deletes it."""
    mine = await ada.get("/")
    undo = undo_of(await ada.post("/tasks/4/delete", page=mine))
    async with ada.stream(await ada.get("/")) as own:
        await grace.post("/tasks/4/vote", page=await grace.get("/"))
        assert "Ada is deleting this" in (await own.event(protocol.OPS)).data["ops"][0][2]
        assert (await own.event(protocol.OPS)).data["ops"] == [["remove", "#task-4"]]
    await take_back(ada, undo["id"])
    assert (await row(ada, 4)).select_one(".votes").get_text() == "4"


async def test_many_at_once(ada: Browser, grace: Browser, later: Later) -> None:
    page = await ada.get("/")
    answers = await asyncio.gather(*(ada.post(f"/tasks/{id}/delete", page=page) for id in (4, 5, 6, 7)))
    await take_back(ada, undo_of(answers[1])["id"])
    async with grace.stream(await grace.get("/")) as stream:
        later(7)
        removed = {(await stream.event(protocol.OPS)).data["ops"][0][1] for _ in range(3)}
    assert removed == {"#task-4", "#task-6", "#task-7"}
    assert order(await grace.get("/")) == [5, 8, 9, 10, 11, 12, 1, 2, 3]


async def test_two_people_delete_the_same(ada: Browser, grace: Browser) -> None:
    await ada.post("/tasks/4/delete", page=await ada.get("/"))
    await grace.post("/tasks/4/delete", page=await grace.get("/"))
    assert (await row(grace, 4)).select_one(".task-meta").get_text() == "Ada is deleting this"


async def test_an_id_is_never_given_again(ada: Browser, grace: Browser, later: Later) -> None:
    first = await add(ada)
    async with grace.stream(await grace.get("/")) as stream:
        await ada.post(f"/tasks/{first}/delete")
        later(7)
        while (await stream.event(protocol.OPS)).data["ops"][0][0] != "remove":
            pass
    assert int(await add(ada)) > int(first)


async def test_saving_a_task_that_was_deleted_keeps_what_was_typed(
    ada: Browser, grace: Browser, page: Page | None, later: Later
) -> None:
    async with ada.stream(await ada.get("/")) as stream:
        await grace.post("/tasks/4/delete")
        later(7)
        while (await stream.event(protocol.OPS)).data["ops"][0][0] != "remove":
            pass
    answer = await ada.post("/tasks/4", GOOD | {"title": "My long text"}, page=page)
    assert (answer.status, answer.header(protocol.PROBLEM)) == (410, "gone")
    assert answer.select("#panel form")[0]["action"] == "/tasks"
    assert field(answer, "title") == "My long text"
    assert "deleted" in answer.select("#panel [role=alert]")[0].get_text()


# Invoices


async def test_an_invoice_is_sent_once(ada: Browser, grace: Browser, page: Page | None) -> None:
    async with grace.stream(await grace.get("/")) as stream:
        answer = await ada.post("/invoices/2/send", page=page)
        sent = await stream.fragment("#invoice-2")
        toast = (await stream.event(protocol.CALL)).data["args"]["text"]
    assert answer.status == (303 if page is None else 200)
    assert toast == "Ada sent invoice 2042"
    assert "Sent by Ada, Today" in sent.get_text()
    assert not sent.select("form")
    if page is not None:
        assert answer.select("#invoice-2")[0] == sent
    again = await grace.post("/invoices/2/send", page=page)
    assert again.status == 409
    if page is not None:
        assert again.header(protocol.PROBLEM) == "already-done"
    assert "Sent by Ada" in (await grace.get("/")).select("#invoice-2")[0].get_text()


@pytest.mark.parametrize("id", ["0", "999", "-1", "abc"])
async def test_unknown_invoices_are_not_found(ada: Browser, page: Page | None, id: str) -> None:
    assert (await ada.post(f"/invoices/{id}/send", page=page)).status == 404


async def test_an_invoice_is_never_shown_early_or_kept_for_later(ada: Browser) -> None:
    page = await ada.get("/")
    forms = page.select(".invoice form")
    assert [str(form["action"]) for form in forms] == ["/invoices/2/send", "/invoices/3/send"]
    for form in forms:
        assert form.has_attr("rt-confirm-first")
        assert not form.has_attr("rt-optimistic")
        assert not form.has_attr("rt-queue")
    (config,) = page.select("meta[name='htmx-rt']")
    settings = json.loads(str(config["content"]))
    assert settings["irreversible"] == ["/invoices/{id}/send"]
    kept = await ada.post("/invoices/2/send", page=page, headers={protocol.QUEUED: settings["who"]})
    assert (kept.status, kept.header(protocol.PROBLEM)) == (403, "forbidden")
    assert (await ada.get("/")).select("#invoice-2 form")


# Once


@pytest.mark.parametrize(
    ("path", "form"),
    [("/tasks", GOOD), ("/tasks/4/vote", {}), ("/tasks/4/delete", {}), ("/invoices/2/send", {})],
    ids=["add", "vote", "delete", "invoice"],
)
async def test_one_action_sent_twice_is_done_once(
    ada: Browser, grace: Browser, path: str, form: dict[str, str]
) -> None:
    page = await ada.get("/")
    key = {"idempotency-key": "5a1c0e2f"}
    async with grace.stream(await grace.get("/")) as stream:
        twins = await asyncio.gather(*(ada.post(path, form, page=page, headers=key) for _ in range(3)))
        third = await ada.post(path, form, page=page, headers=key)
        await ada.post("/tasks", GOOD | {"title": "The end"}, page=page)
        sent = 0
        while "The end" not in json.dumps((await stream.event(protocol.OPS)).data):
            sent += 1
    assert {answer.status for answer in (*twins, third)} == {200}
    assert len({answer.text for answer in (*twins, third)}) == 1
    assert third.header(protocol.REPLAYED) == "true"
    assert sent == 1


async def test_another_persons_queue_is_not_sent(app: Any, ada: Browser) -> None:
    page = await ada.get("/")
    who = json.loads(str(page.select("meta[name='htmx-rt']")[0]["content"]))["who"]
    await ada.post("/sign-in", {"person": "grace"})
    await ada.get("/")
    kept = await ada.post("/tasks", GOOD, page=page, headers={protocol.QUEUED: who})
    assert (kept.status, kept.header(protocol.PROBLEM)) == (401, "user-changed")
    await ada.post("/sign-out")
    kept = await ada.post("/tasks", GOOD, page=page, headers={protocol.QUEUED: who})
    assert (kept.status, kept.header(protocol.PROBLEM)) == (401, "signed-out")
    await ada.post("/sign-in", {"person": "ada"})
    assert "Call the printer" not in titles(await ada.get("/"))
    assert (await ada.post("/tasks", GOOD, page=page, headers={protocol.QUEUED: who})).status == 200
