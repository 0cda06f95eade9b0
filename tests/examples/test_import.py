"""Importing parts over HTTP: a file is looked at, imported in a thread, cancelled, interrupted, and begun again."""

import asyncio
import re
import sqlite3
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from with_files import send

from htmx_rt.testing import Browser, Page, running

pytestmark = pytest.mark.anyio
HEAD = b"sku,name,brand,price,stock\n"
GOOD = HEAD + b"KC-1007,Brake pads,Hagen,11.80,48\nW-1,Inner tube 28,Volta,6.90,120\n"


@pytest.fixture(autouse=True)
def at_once(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["imports"], "PAUSE", 0.0)


async def look_at(browser: Browser, content: bytes, name: str = "parts.csv") -> Page:
    """Upload a file; return the answer."""
    return await send(browser, await browser.get("/import"), "/import", "file", {name: content})


async def uploaded(browser: Browser, content: bytes = GOOD) -> str:
    answer = await look_at(browser, content)
    assert answer.status == 303, answer.text
    return str(answer.header("location"))


async def ended(browser: Browser, path: str) -> Page:
    """Wait until an import goes on no more."""
    async with asyncio.timeout(30):
        while "Under way" in (page := await browser.get(path)).text:
            await asyncio.sleep(0.02)
    return page


def part(sku: str) -> tuple[Any, ...] | None:
    with sqlite3.connect(sys.modules["models"].PATH) as db:
        found = db.execute("SELECT name, brand, cents, stock, reorder_at FROM part WHERE sku = ?", (sku,)).fetchone()
    db.close()
    return None if found is None else tuple(found)


async def test_a_file_is_looked_at_before_anything_changes(ada: Browser) -> None:
    path = await uploaded(ada)
    page = await ada.get(path)
    assert [cell.get_text() for cell in page.select(".preview tbody tr:first-child td")] == [
        "KC-1007",
        "Brake pads",
        "Hagen",
        "11.80",
        "48",
    ]
    assert "Import 2 rows" in page.text
    assert part("W-1") is None


async def test_rows_are_added_and_those_that_are_there_are_changed(ada: Browser, grace: Browser) -> None:
    path = await uploaded(ada)
    hers = await grace.get("/import")
    async with grace.stream(hers) as stream:
        assert (await ada.post(f"{path}/start")).header("location") == path
        said = await stream.event("rt:call")
        while said.data["name"] != "progress":
            said = await stream.event("rt:call")
        assert said.data["args"]["title"] == "Importing parts.csv"
    page = await ended(ada, path)
    assert [number.get_text() for number in page.select(".import-totals dd")] == ["1", "1", "0"]
    assert part("W-1") == ("Inner tube 28", "Volta", 690, 120, 0)
    assert part("KC-1007") == ("Brake pads", "Hagen", 1180, 48, 12)
    assert "Brake pads" not in (await ada.get("/dashboard/stock", page=hers)).text


@pytest.mark.parametrize(
    ("record", "said"),
    [("running", "running"), ("done", "running"), ("cancelled", "running"), ("interrupted", "interrupted")],
)
async def test_only_what_nobody_works_on_is_interrupted(ada: Browser, record: str, said: str) -> None:
    """The row is read before the record: work that ends between the two has not been interrupted."""
    await ada.get("/import")
    one = SimpleNamespace(state="running", task="t1", begun=None)
    state = sys.modules["imports"].state
    assert state(one, [SimpleNamespace(id="t1", state=record)]) == said
    assert state(one, []) == "interrupted"


async def test_what_is_wrong_with_a_row_is_said_and_the_others_go_in(ada: Browser) -> None:
    rows = (
        b"KC-9,Good one,Hagen,1.00,1\n,No number,Hagen,1.00,1\nKC-9,Twice,Hagen,1.00,1\nKC-10,,Hagen,1.00,1\n"
        b"KC-11,Dear,Hagen,on request,1\nKC-12,Many,Hagen,1.00,plenty\nKC-13,Minus,Hagen,-1,1\nKC-14,Short\n"
        b'KC-15,"Semi, quoted",Hagen,"2,50",7\nKC-16,Nothing,Hagen,NaN,1\nx,Bad number,Hagen,1,1\n'
    )
    path = await uploaded(ada, HEAD + rows)
    await ada.post(f"{path}/start")
    page = await ended(ada, path)
    mistakes = {
        int(row.select("td")[0].get_text()): row.select("td")[2].get_text() for row in page.select(".preview tbody tr")
    }
    assert mistakes == {
        3: "The part number is missing.", 4: "KC-9 stands further up already.", 5: "The name is missing.",
        6: "“on request” is no price.", 7: "“plenty” is no number of pieces.", 8: "“-1” is no price.",
        9: "The price is missing.", 11: "“NaN” is no price.", 12: "“X” is no part number.",
    }  # fmt: skip
    assert part("KC-15") == ("Semi, quoted", "Hagen", 250, 7, 0)
    report = await ada.get(f"{path}/mistakes.csv")
    assert report.header("content-disposition") == 'attachment; filename="mistakes-1.csv"'
    assert report.text.splitlines()[0] == "line,sku,why"
    assert len(report.text.splitlines()) == 10


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"name,price\na,1\n", "Missing: sku, stock."),
        (HEAD, "There is no row below the names of the columns."),
        (b"", "Missing: sku, name, price, stock."),
        (HEAD + b"KC-9,\xff\xfe,Hagen,1,1\n", "This is not a CSV file in UTF-8."),
    ],
)
async def test_what_is_no_list_of_parts_is_refused_and_forgotten(ada: Browser, content: bytes, why: str) -> None:
    answer = await look_at(ada, content)
    assert answer.status == 422
    assert why in answer.select("[role=alert]")[0].get_text()
    assert not (await ada.get("/import")).select(".list-row")
    assert list((sys.modules["models"].PATH.parent / "imports").iterdir()) == []


async def test_another_kind_of_file_and_none_are_refused(ada: Browser) -> None:
    answer = await look_at(ada, b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "picture.png")
    assert answer.status == 422
    assert answer.select("[role=alert]")
    assert "Choose a file first." in (await ada.post("/import")).text


async def test_too_many_rows_are_refused(ada: Browser, example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["part_file"], "MOST", 1)
    assert "1 rows fit." in (await look_at(ada, GOOD)).text


async def test_semicolons_a_mark_in_front_and_other_columns_are_fine(ada: Browser) -> None:
    path = await uploaded(ada, "\ufeffStock;Name;Colour;SKU;Price\n4;Chain “fast”;red;kc-77;9,9\n".encode())
    await ada.post(f"{path}/start")
    await ended(ada, path)
    assert part("KC-77") == ("Chain “fast”", "", 990, 4, 0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, at_once: None) -> None:
    """A chunk is a row, and takes long."""
    monkeypatch.setattr(sys.modules["imports"], "CHUNK", 1)
    monkeypatch.setattr(sys.modules["imports"], "PAUSE", 0.1)


MANY = HEAD + b"".join(b"W-%d,Spoke,Solin,0.40,10\n" % number for number in range(100, 400))


async def begun(browser: Browser, path: str, seen: str = ".rt-task[id] form:not([hidden])") -> Page:
    """Start an import, and wait until it goes on; `seen` is what its owner sees, unless told otherwise."""
    await browser.post(f"{path}/start")
    async with asyncio.timeout(20):
        while not (page := await browser.get(path)).select(seen) or not part("W-101"):
            await asyncio.sleep(0.02)
    return page


async def test_an_import_is_cancelled_and_begun_again(
    ada: Browser, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await uploaded(ada, MANY)
    page = await begun(ada, path)
    form = page.select(".rt-task[id] form")[0]
    values = {str(field["name"]): str(field["value"]) for field in form.select("input, button")}
    assert (await ada.post(str(form["action"]), values)).status in (200, 204, 303)
    page = await ended(ada, path)
    assert re.match(r"Cancelled \d+ of 300 rows are in", page.select(".import-note p")[0].get_text())
    assert "Start again" in page.text
    monkeypatch.setattr(sys.modules["imports"], "CHUNK", 1000)
    await ada.post(f"{path}/start")
    page = await ended(ada, path)
    added, changed, refused = (int(number.get_text()) for number in page.select(".import-totals dd"))
    assert (added + changed, refused) == (300, 0)
    assert changed > 0


@pytest.mark.parametrize("first", ["ada", "grace"])
async def test_only_one_of_two_presses_starts_it_and_what_runs_is_not_discarded(
    ada: Browser, grace: Browser, slow: None, first: str
) -> None:
    path = await uploaded(ada, MANY)
    both = (ada, grace) if first == "ada" else (grace, ada)
    await asyncio.gather(*(who.post(f"{path}/start") for who in both))
    await begun(ada, path, '.rt-task[data-state="running"]')  # whoever was first may cancel it; both see it
    assert len((await ada.get("/import")).select('.rt-task[data-state="running"]')) == 1
    await ada.post(f"{path}/discard")
    assert (await ada.get(path)).status == 200


async def test_what_runs_when_the_server_stops_is_interrupted_and_may_be_begun_again(
    example: ModuleType, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(example.app), Browser(example.app) as ada:
        await ada.post("/sign-in", {"person": "ada"})
        path = await uploaded(ada, MANY)
        await begun(ada, path)
    monkeypatch.setattr(sys.modules["imports"], "CHUNK", 1000)
    async with running(example.app), Browser(example.app) as ada:
        await ada.post("/sign-in", {"person": "ada"})
        page = await ada.get(path)
        assert "Interrupted" in page.select("#import")[0].get_text()
        assert page.select('.rt-task[data-state="interrupted"]')
        assert "Interrupted" in (await ada.get("/import")).select(".list-row")[0].get_text()
        await ada.post(f"{path}/start")
        assert sum(int(number.get_text()) for number in (await ended(ada, path)).select(".import-totals dd")) == 300


async def test_a_discarded_file_is_gone(ada: Browser) -> None:
    path = await uploaded(ada)
    assert (await ada.post(f"{path}/discard")).header("location") == "/import"
    assert (await ada.get(path)).status == 404
    assert list((sys.modules["models"].PATH.parent / "imports").iterdir()) == []


async def test_the_sample_has_100_000_rows_a_few_of_them_wrong(ada: Browser) -> None:
    answer = await ada.post("/import/sample")
    path = str(answer.header("location"))
    assert "Import 100,000 rows" in (await ada.get(path)).text
    await ada.post(f"{path}/start")
    async with asyncio.timeout(120):
        while "Under way" in (page := await ada.get(path)).text:
            await asyncio.sleep(0.1)
    added, changed, refused = (int(number.get_text().replace(",", "")) for number in page.select(".import-totals dd"))
    assert (added + changed + refused, changed) == (100_000, 3)
    assert 20 < refused < 100
    assert "Download all" in page.text


async def test_only_so_many_files_are_kept(ada: Browser, example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["imports"], "KEPT", 3)
    for _ in range(5):
        await uploaded(ada)
    assert len(list((sys.modules["models"].PATH.parent / "imports").iterdir())) == 3
    assert len((await ada.get("/import")).select(".list-row")) == 3


async def test_no_cell_of_the_report_is_a_formula(ada: Browser) -> None:
    path = await uploaded(ada, HEAD + b'"=cmd|\'/c calc\'!A0",Bell,Solin,4.90,12\n"@SUM(1)",Bell,Solin,4.90,12\n')
    await ada.post(f"{path}/start")
    await ended(ada, path)
    rows = (await ada.get(f"{path}/mistakes.csv")).text.splitlines()
    assert [row.split(",")[1][:2] for row in rows[1:]] == ["'=", "'@"]


async def test_only_so_many_run_at_once_and_each_of_them_once(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ninth one would have no place among those that are shown, and could be started, or discarded, while it runs."""
    imports = sys.modules["imports"]
    held = threading.Event()
    read = imports.part_file.read

    def slow(file: Any) -> Any:
        held.wait(30)
        return read(file)

    monkeypatch.setattr(imports.part_file, "read", slow)
    try:
        paths = [await uploaded(ada) for _ in range(imports.AT_ONCE + 1)]
        for path in paths[:-1]:
            assert (await ada.post(f"{path}/start")).status == 303
        refused = await ada.post(f"{paths[-1]}/start")
        assert refused.status == 422
        assert "being imported already" in refused.text
        assert "Under way" not in (await ada.get(paths[-1])).text
    finally:
        held.set()
    for path in paths[:-1]:
        await ended(ada, path)
    assert (await ada.post(f"{paths[-1]}/start")).status == 303
    await ended(ada, paths[-1])
