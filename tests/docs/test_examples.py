"""Every example of the documentation, run over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from htmx_rt.testing import Browser, Page, Refusal, Stream, running

from .doc_kit import EXAMPLES, ROOT, Load

pytestmark = pytest.mark.anyio
HELLO = ["hello/app.py", "frameworks/starlette_app.py", "frameworks/flask_app.py", "frameworks/quart_app.py"]


async def operations(stream: Stream, count: int) -> list[list[str]]:
    """The next `count` operations of a stream."""
    found: list[list[str]] = []
    while len(found) < count:
        found += (await stream.event("rt:ops")).data["ops"]
    return found


@pytest.mark.parametrize("path", HELLO)
async def test_a_note_reaches_every_open_page(load: Load, path: str) -> None:
    app = load(path).app
    async with running(app), Browser(app) as ada, Browser(app) as grace:
        hers, theirs = await ada.get("/"), await grace.get("/")
        async with ada.stream(hers) as first, grace.stream(theirs) as second:
            answer = await grace.post("/notes", {"text": "Buy <milk>"}, page=theirs)
            for stream in (first, second):
                assert (await stream.fragment("#note-1")).text == "Buy <milk>"
    assert answer.status == 200
    assert answer.select("form input[name=text]")


@pytest.mark.parametrize("path", HELLO)
async def test_notes_work_without_javascript(load: Load, path: str) -> None:
    app = load(path).app
    async with running(app), Browser(app) as ada:
        answer = await ada.post("/notes", {"text": "Buy <milk>"})
        assert (answer.status, answer.header("location")) == (303, "/")
        (note,) = (await ada.get("/")).select("#notes > li")
    assert (note["id"], note.text) == ("note-1", "Buy <milk>")


async def test_a_page_of_stock_htmx_gets_html_by_ticket(load: Load) -> None:
    example = load("transports/app.py")
    async with running(example.app), Browser(example.app) as ada:
        page = await ada.get("/")
        order = {"v": 1, "cursor": None, "tabs": [{"fresh": list(page.grants.values())}]}
        kind = {"content-type": "application/json"}
        bought = await ada.request("POST", "/_rt/ticket", json.dumps(order).encode(), headers=kind)
        response = await ada._send(
            "GET", f"/_rt/stream?format=html&ticket={json.loads(bought.text)['ticket']}", b"", {}
        )
        await ada.request("POST", "/news", b"Rain")
        text = b""
        while b"Rain" not in text:
            text += await response.chunk() or b""
        assert b'<div hx-swap-oob="beforeend:#news"><li id="news-' in text
        await response.close()


async def test_a_script_of_a_room_is_told_of_the_bell(load: Load) -> None:
    app = load("room/app.py").app
    async with running(app), Browser(app) as ada:
        ada.cookies["person"] = "Ada"
        page = await ada.get("/")
        assert json.loads(page.select('meta[name="htmx-rt"]')[0]["content"])["socket"] is True
        async with ada.stream(page) as stream:
            assert (await ada.post("/bell", page=page)).status == 204
            rung = (await stream.event("rt:call")).data
            assert (rung["t"], rung["name"], rung["args"]) == (
                "room:7",
                "event",
                {"name": "wave", "data": {"hand": "bell"}},
            )


async def test_everything_that_can_be_published_arrives(load: Load) -> None:
    app = load("publish/app.py").app
    async with running(app), Browser(app) as cook:
        page = await cook.get("/")
        async with cook.stream(page) as stream:
            assert (await cook.post("/orders", {"dish": "Soup"}, page=page)).status == 200
            assert (await stream.event("rt:ops")).data["ops"][0][:2] == ["append", "#orders"]

            served = await cook.post("/orders/1/serve", page=page)
            assert (await stream.event("rt:ops")).data["ops"] == [["remove", "#order-1"], ["text", "#waiting", "0"]]
            assert '"text":"Served."' in (served.header("RT-Toast") or "")

            await cook.post("/temperature", {"degrees": 180}, page=page)
            state = (await stream.event("rt:ops")).data
            assert (state["s"], state["ops"]) == ("oven", [["text", "#oven", "180 °C"]])

            await cook.post("/chart", {"degrees": 181}, page=page)
            call = (await stream.event("rt:call")).data
            assert (call["name"], call["args"]["data"]) == ("event", {"degrees": 181})

            await cook.post("/break", page=page)
            assert (await stream.event("rt:call")).data["args"]["text"] == "Ada is on a break."
            assert (await stream.event("rt:call")).data["args"] == {"target": "#mine"}

            await cook.post("/close", page=page)
            assert (await stream.event("rt:call")).data["args"] == {"to": "/closed"}
            assert (await stream.event("rt:signal")).data["data"] == {"in": 10}


async def test_a_late_reader_gets_the_state(load: Load) -> None:
    app = load("publish/app.py").app
    async with running(app), Browser(app) as cook:
        await cook.post("/temperature", {"degrees": 180})
        async with cook.stream(await cook.get("/")) as stream:
            assert await operations(stream, 1) == [["text", "#oven", "180 °C"]]


async def test_each_verb_is_sent_as_it_is_called(load: Load) -> None:
    example, verbs = load("publish/app.py"), load("publish/verbs.py")
    async with running(example.app), Browser(example.app) as cook, cook.stream(await cook.get("/")) as stream:
        verbs.every_verb(example.rt)
        said = await operations(stream, 9)
    assert [verb for verb, *_ in said] == [
        "append", "prepend", "before", "after", "replace", "update", "reset", "text", "remove",
    ]  # fmt: skip


async def test_publishing_waits_for_the_commit(load: Load) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.orm import Session

    example, commit = load("publish/app.py"), load("publish/commit.py")
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    commit.Base.metadata.create_all(engine)
    async with running(example.app), Browser(example.app) as cook, cook.stream(await cook.get("/")) as stream:
        with Session(engine) as db:
            commit.add_later(db, example.rt, "Forgotten")
            db.rollback()
            commit.add(db, example.rt, "Soup")
            commit.add_later(db, example.rt, "Bread")
            db.commit()
            commit.clear(db, example.rt)
        said = await operations(stream, 4)
    engine.dispose()
    assert "Soup" in said[0][2]
    assert "Bread" in said[1][2]
    assert said[2:] == [["remove", "#order-1"], ["remove", "#order-2"]]


async def test_a_person_hears_what_is_said_to_them_until_they_sign_out(load: Load) -> None:
    app = load("people/app.py").app
    async with running(app), Browser(app) as grace, Browser(app) as ada:
        await grace.post("/sign-in", {"person": "grace"})
        page = await grace.get("/")
        assert "user:grace" in page.grants
        async with grace.stream(page) as stream:
            await ada.post("/wave", {"to": "grace"})
            assert (await stream.event("rt:call")).data["args"]["text"] == "Somebody waves at you."
            await grace.post("/sign-out")
            assert (await stream.event("rt:stop")).data == {"why": "signed-out"}


async def test_a_dependency_may_say_who_is_asking(load: Load) -> None:
    app = load("people/dependency.py").app
    async with running(app), Browser(app) as ada:
        ada.cookies["token"] = "t-1"
        page = await ada.get("/")
        assert "user:ada" in page.grants
        async with ada.stream(page) as stream:
            assert "user:ada" in stream.hello["grants"]
        assert (await ada.get("/_rt/whoami")).status == 404


async def test_flask_says_who_is_asking(load: Load) -> None:
    app = load("people/flask_app.py").app
    async with running(app), Browser(app) as ada:
        await ada.post("/sign-in", {"person": "ada"})
        page = await ada.get("/")
        async with ada.stream(page) as stream:
            assert "user:ada" in stream.hello["grants"]
            await ada.post("/sign-out")
            assert (await stream.event("rt:stop")).data == {"why": "signed-out"}


async def test_only_members_read_a_board(load: Load) -> None:
    app = load("teams/app.py").app
    async with running(app), Browser(app) as grace, Browser(app) as mallory:
        await grace.get("/sign-in/grace")
        await mallory.get("/sign-in/mallory")
        assert (await mallory.get("/acme/boards/7")).status == 404
        page = await grace.get("/acme/boards/7")
        with pytest.raises(Refusal):
            async with mallory.stream(page):
                pass
        async with grace.stream(page) as stream:
            await grace.post("/acme/boards/7/remove", {"person": "grace"})
            assert (await stream.event("rt:revoked")).data == {"topics": ["acme:board:7"]}


async def test_regions_carry_what_they_need_to_heal(load: Load) -> None:
    app = load("regions/app.py").app
    async with running(app), Browser(app) as reader:
        page = await reader.get("/")
        (region,) = page.select("#all")
        assert region["rt-src"] == "/races/list"
        assert [row["rt-version"] for row in page.select("#races > li")] == ["1", "1"]
        async with reader.stream(page) as stream:
            await reader.post("/races/1", {"place": 30}, page=page)
            row = await stream.fragment("#race-1")
            assert (row["data-place"], row["rt-version"]) == ("30", "2")
            await reader.post("/log", {"line": "Spring cup moved"}, page=page)
            assert (await stream.fragment("li"))["rt-enter"] == "rt-highlight"
            await reader.post("/tickets", page=page)
            assert (await stream.event("rt:call")).data["args"] == {"target": "#my-tickets"}
        assert [row["id"] for row in (await reader.get("/races/list")).select("li")] == ["race-2", "race-1"]


async def test_what_takes_time_has_an_address_of_its_own(load: Load) -> None:
    app = load("loading/app.py").app
    async with running(app), Browser(app) as reader:
        page = await reader.get("/")
        assert [region["rt-src"] for region in page.select("[rt-src]")] == [
            "/sales",
            "/repairs",
            "/suppliers",
            "/prices",
        ]
        assert len(page.select("#repairs .rt-skeletons li.repair .rt-bone")) == 6
        ask = {"RT-Region": "1", "RT-Tab": "tab-1"}
        first = await reader.get("/repairs", headers=ask)
        assert [row["id"] for row in first.select("li")] == ["repair-1", "repair-2"]
        etag = first.header("etag") or ""
        assert (await reader.get("/repairs", headers={**ask, "If-None-Match": etag})).status == 304
        async with reader.stream(page) as stream:
            await reader.post("/repairs/1/done")
            assert await changes(stream, 1) == ["deleted entity:repair"]
        assert (await reader.get("/repairs", headers={**ask, "If-None-Match": etag})).status == 200
        assert [(await reader.get("/suppliers", headers=ask)).status for _ in range(2)] == [502, 200]


async def test_a_page_under_a_strict_policy(load: Load) -> None:
    example = load("page/app.py")
    async with running(example.app), Browser(example.app) as reader:
        page = await reader.get("/")
        policy = page.header("content-security-policy") or ""
        assert all(f"'nonce-{script['nonce']}'" in policy for script in page.select("script"))
        assert not page.select("style, [style], script:not([src])")
        assert page.select("#rt-banner")[0]["data-back"] == "Wieder verbunden"
        assert example.rt.build.startswith("2026-05-02-")
        for name in ("brand.css", "status.js"):
            assert (await reader.get(f"/static/{name}")).status == 200


async def test_the_example_of_the_test_kit(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app", load("hello/app.py"))
    tests = load("testing/test_notes.py")
    monkeypatch.chdir(EXAMPLES / "hello")
    await tests.test_everybody_sees_a_new_note()
    await tests.test_what_was_missed_comes_after_a_break()


async def changes(stream: Stream, count: int) -> list[str]:
    calls = [(await stream.event("rt:call")).data for _ in range(count)]
    return [f"{call['args']['data']['action']} {call['t']}" for call in calls]


async def test_regions_hear_of_the_records_they_show(load: Load) -> None:
    app = load("entities/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/customers/3")
        assert page.select("#invoices")[0]["rt-on"] == "entity:customer:3:invoice entities:invoice"
        async with ada.stream(page) as stream:
            await ada.post("/customers/3/invoices", {"amount": 80})
            assert await changes(stream, 2) == ["created entity:invoice", "created entity:customer:3:invoice"]
            assert "80 €" in (await ada.get("/customers/3/invoices", page=page)).text
            await ada.post("/invoices/7/paid")
            assert await changes(stream, 2) == ["updated entity:invoice", "updated entity:customer:3:invoice"]
            assert (await ada.get("/open", page=page)).text.strip() == "80 € open"
            await ada.post("/invoices/paid")
            assert await changes(stream, 2) == ["updated entity:invoice", "updated entities:invoice"]
            assert (await ada.get("/open", page=page)).text.strip() == "0 € open"


def readers(page: Page) -> list[str]:
    return [one.get_text() for one in page.select(".rt-avatars .rt-visually-hidden")]


async def test_who_reads_the_document(load: Load) -> None:
    app = load("presence/app.py").app
    async with running(app), Browser(app) as ada, Browser(app) as stranger:
        await ada.post("/sign-in", {"person": "ada"})
        page = await ada.get("/docs/1")
        (html,) = page.select("html")
        assert html["rt-idle-after"] == "120"
        assert page.select("[rt-typing='doc:1'] [rt-private] input")
        assert page.select("[rt-typing-line]")
        async with ada.stream(page):
            assert readers(await stranger.get("/docs/1")) == ["Ada Okafor, active"]
            async with stranger.stream(await stranger.get("/docs/1")):
                assert readers(await ada.get("/docs/1")) == ["Ada Okafor, active", "Visitor, active"]


async def test_seeing_without_being_seen_and_people_without_a_page(load: Load) -> None:
    app = load("presence/app.py").app
    async with running(app), Browser(app) as ada:
        await ada.post("/sign-in", {"person": "ada"})
        async with ada.stream(await ada.get("/docs/1/watch")):
            assert readers(await ada.get("/docs/1")) == []
        assert (await ada.post("/docs/1/check")).status == 200
        assert readers(await ada.get("/docs/1")) == ["Spelling, active"]
        assert "1 person here" in (await ada.get("/docs/1/watch")).select(".rt-count")[0].get_text()
        board = await ada.get("/docs/1/board")
        assert board.select("main[rt-cursors='here:doc:1']")


async def test_a_section_is_declared_once_and_the_site_knows_its_visitors(load: Load) -> None:
    app = load("sections/app.py").app
    async with running(app), Browser(app) as ada, Browser(app) as stranger:
        page = await ada.get("/handbook/till?as=ada")
        async with ada.stream(page), stranger.stream(await stranger.get("/handbook/till")):
            assert readers(await stranger.get("/handbook/till")) == ["ada, active", "Visitor, active"]
            assert readers(await stranger.get("/handbook/bikes")) == []
            assert json.loads((await ada.get("/visitors.json")).text) == {
                "people": 1, "visitors": 1, "pages": {"/handbook/till": 2},
            }  # fmt: skip
            rows = (await ada.get("/visitors")).select(".rt-stats-people tbody tr")
            assert ["ada" in row.get_text() for row in rows] == [True, False]


def test_every_example_is_run_here() -> None:
    here = EXAMPLES.parents[1] / "tests" / "docs"
    source = "".join(file.read_text(encoding="utf-8") for file in here.glob("test_*examples.py"))
    examples = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")}
    assert {name for name in examples if f'"{name}"' not in source} == set()


async def test_an_action_that_comes_twice_is_done_once(load: Load) -> None:
    shop = load("exactly_once/app.py")
    async with running(shop.app), Browser(shop.app) as ada, Browser(shop.app) as grace:
        page, hers = await ada.get("/"), await grace.get("/")
        key = {"idempotency-key": "a1"}
        first, second = [await ada.post("/orders", {"item": "Paper"}, page=page, headers=key) for _ in range(2)]
        assert (first.text, second.text) == ('<li id="order-1">Paper</li>',) * 2
        assert (first.header("Idempotency-Replayed"), second.header("Idempotency-Replayed")) == (None, "true")
        await grace.post("/orders", {"item": "Ink"}, page=hers, headers=key)
        assert shop.orders == ["Paper", "Ink"]
        elsewhere = await ada.post("/address", {"street": "2 High Street"}, page=page, headers=key)
        assert (elsewhere.status, elsewhere.header("RT-Problem")) == (422, "key-mismatch")
        moved = await ada.post("/address", {"street": "2 High Street"}, page=page)
        assert (moved.status, moved.text) == (200, "2 High Street")


async def test_what_was_deleted_can_be_taken_back(load: Load) -> None:
    example = load("undo/app.py")
    async with running(example.app), Browser(example.app) as ada, Browser(example.app) as grace:
        page, hers = await ada.get("/"), await grace.get("/")
        async with grace.stream(hers) as stream:
            deleted = await ada.post("/tasks/1/delete", page=page)
            (toast,) = json.loads(deleted.header("RT-Toast") or "")
            assert (toast["text"], 0 < toast["undo"]["left"] <= 5000) == ("“Call the printer” deleted", True)
            assert (await stream.event("rt:call")).data["args"] == {"target": "#tasks"}
            assert not (await ada.get("/tasks")).select("#task-1")
            (row,) = (await grace.get("/tasks")).select("#task-1")
            assert "is being deleted" in row.text
            (undo,) = (await ada.get("/_rt/undo")).select("form")
            assert (await grace.post(str(undo["action"]))).status == 403
            taken = await ada.post(str(undo["action"]))
            assert (taken.status, taken.header("location")) == (303, "/")
            assert (await stream.event("rt:call")).data["args"] == {"target": "#tasks"}
            assert (await ada.get("/tasks")).select("#task-1 button")


async def test_what_is_not_taken_back_is_done_once(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.orm import Session

    example, rows = load("undo/app.py"), load("undo/transactional.py")
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=sqlalchemy.StaticPool, connect_args={"check_same_thread": False}
    )
    rows.Base.metadata.create_all(engine)
    rows.register(example.rt, engine)
    with Session(engine) as db:
        db.add(rows.Task(id=1, title="Call the printer"))
        db.commit()
    defer = example.rt.undo.defer
    monkeypatch.setattr(example.rt.undo, "defer", lambda _, args, **how: defer("delete-row", args, delay=0.01, **how))
    async with running(example.app), Browser(example.app) as ada:
        page = await ada.get("/")
        async with ada.stream(page) as stream:
            await ada.post("/tasks/1/delete", page=page)
            assert (await stream.event("rt:ops")).data["ops"] == [["remove", "#task-1"]]
    with Session(engine) as db:
        assert db.get(rows.Task, 1) is None
        assert len(db.execute(sqlalchemy.text("SELECT id FROM rt_undo_marks")).all()) == 1
    engine.dispose()


async def test_the_server_knows_nothing_of_optimism(load: Load) -> None:
    app = load("optimistic/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/")
        assert page.select("#tasks")[0]["rt-move"] == "/tasks/{id}/move"
        async with ada.stream(page) as stream:
            assert (await ada.post("/tasks/1/tick", page=page)).status == 204
            assert (await stream.fragment("#task-1"))["class"] == ["done"]
            await ada.post("/tasks/1/like", page=page)
            assert (await stream.fragment("#task-1 output")).text == "1"
            for after, place in ("3", "4.0"), ("2", "2.5"), ("", "1.0"):
                await ada.post("/tasks/1/move", {"after": after}, page=page)
                assert (await stream.fragment("#task-1"))["data-place"] == place
            added = await ada.post("/tasks", {"title": "Water <plants>"}, page=page)
            assert added.select("form#add input:not([value])")
            assert "Water <plants>" in (await stream.fragment("#task-4")).text
            refused = await ada.post("/tasks", {"title": "x" * 41}, page=page)
            assert (refused.status, refused.header("RT-Problem")) == (422, "validation")
            assert (await ada.post("/tasks/1/delete", page=page)).status == 409
            await ada.post("/tasks/2/delete", page=page)
            assert (await stream.event("rt:ops")).data["ops"] == [["remove", "#task-2"]]


async def test_what_waited_is_done_once_and_only_for_who_made_it(load: Load) -> None:
    example = load("offline/app.py")
    async with running(example.app), Browser(example.app) as ada, Browser(example.app) as grace:
        page, hers = await ada.get("/"), await grace.get("/")
        assert [form["rt-queue"] for form in page.select("form")] == ["room:1", "room:2", "room:3"]
        (config,) = page.select("meta[name=htmx-rt]")
        kept = {"idempotency-key": "q1", "rt-queued": json.loads(str(config["content"]))["who"]}
        for _ in range(2):
            saved = await ada.post("/rooms/1", {"reading": 12}, page=page, headers=kept)
            assert saved.select("#room-1[rt-version='2'] output")[0].text == "12"
        refused = await grace.post("/rooms/1", {"reading": 13}, page=hers, headers=kept)
        assert (refused.status, refused.header("RT-Problem")) == (401, "signed-out")
        backwards = await ada.post("/rooms/1", {"reading": 3}, page=page)
        assert (backwards.status, backwards.text) == (422, "A meter does not run backwards.")
    assert example.rooms[1].version == 2


async def test_what_cannot_be_taken_back_is_never_kept_for_later(load: Load) -> None:
    example = load("errors/app.py")
    async with running(example.app), Browser(example.app) as ada:
        page = await ada.get("/")
        config = json.loads(str(page.select("meta[name=htmx-rt]")[0]["content"]))
        assert config["irreversible"] == ["/invoices/{id}/send"]
        late = await ada.post("/invoices/7/send", page=page, headers={"rt-queued": config["who"]})
        assert (late.status, late.header("RT-Problem"), example.invoices[7].sent) == (403, "forbidden", False)
        assert "Sent" in (await ada.post("/invoices/7/send", page=page)).text
        assert (await ada.post("/invoices/7/send", page=page)).status == 409
        empty = await ada.post("/invoices/7", {"customer": " "}, page=page)
        assert (empty.status, empty.select("[role=alert]")[0].text) == (422, "Whose invoice is it?")
        assert (await ada.get("/static/report.js")).status == 200


async def test_feedback_by_distance(load: Load) -> None:
    app = load("latency/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/")
        assert (await ada.post("/like", page=page)).text == "1"
        assert "data-rt-latency" in (await ada.get("/static/page.css")).text
        assert "All is well." in (await ada.get("/report", page=page)).text


async def test_a_bus_may_be_made_by_hand(load: Load) -> None:
    rt = load("redis/over_broadcaster.py").rt
    await rt.bus.start()
    try:
        assert await rt.topic("board:1").text("#x", "hello") == 1
    finally:
        await rt.bus.stop()
    sentinel = load("redis/sentinel.py")
    assert sentinel.rt.bus is sentinel.bus
    client = sentinel.connect()  # nothing is asked before the first call
    await client.aclose()
    for other in client.connection_pool.sentinel_manager.sentinels:
        await other.aclose()


async def test_what_a_page_shows_is_in_its_address(load: Load) -> None:
    app = load("place/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/?status=ordered")
        assert [item.text for item in page.select("#parts li")] == ["Inner tube", "Spoke"]
        assert [option.text for option in page.select("option[selected]")] == ["ordered"]
        page = await ada.get("/?q=a")
        links = {link.text: str(link["href"]) for link in page.select("#parts a")}
        assert links == {"Next": "/?q=a&page=2", "What is ordered": "/?q=a&status=ordered"}
        part = await ada.get("/?q=a&page=2", page=page)
        assert "<html" not in part.text
        assert part.select("#parts a")[0]["href"] == "/?q=a"
        config = json.loads(str(page.select("meta[name=htmx-rt]")[0]["content"]))
        assert config["build"].startswith("2026-05-02-")
        assert str(part.header("RT-Build")).startswith(config["build"])
        assert config["signIn"] == "/sign-in?next={path}"
        assert (await ada.get("/sign-in?next=/x")).header("location") == "/x"
        assert (await ada.post("/sign-out")).header("location") == "/"


async def test_a_draft_is_in_the_next_page_and_gone_after_the_form(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RT_STORE", f"sqlite:///{tmp_path}/rt.db")
    app = load("drafts/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/apply")
        (address,) = re.findall(r'formaction="([^"]+)"', page.text)
        sent = {"name": "Ada", "reason": "Rain", "days": "Tuesday", "bank": "1"}
        assert (await ada.post(address, sent, page=page)).status == 303
        page = await ada.get("/apply")
        assert page.select("input[name=name]")[0]["value"] == "Ada"
        assert page.select("textarea")[0].text == "Rain"
        assert [box["value"] for box in page.select("input[checked]")] == ["Tuesday"]
        assert "application: Ada" in (await ada.get("/drafts")).text
        assert (await ada.post("/apply", {**sent, "name": " "})).status == 422
        assert (await ada.post("/apply", sent)).header("location") == "/thanks"
        assert "1 so far" in (await ada.get("/thanks")).text
        assert (await ada.get("/apply")).select("input[name=name]")[0]["value"] == ""
        assert "application" not in (await ada.get("/drafts")).text
        assert "customs" in (await ada.post("/parcel/rebuild", {"country": "Norway", "note": ""})).text
        assert (await ada.get("/parcel")).select("form[rt-recover]")


async def test_whoever_is_mentioned_is_told_wherever_they_are(load: Load) -> None:
    app = load("notifications/app.py").app
    async with running(app), Browser(app) as ada, Browser(app) as grace:
        for browser, name in ((ada, "ada"), (grace, "grace")):
            assert (await browser.post("/sign-in", {"who": name})).header("location") == "/tasks/7"
        hers = await grace.get("/")
        async with grace.stream(hers) as stream:
            assert (await ada.post("/tasks/7/comments", {"text": "Ask @grace, not @ada"})).status == 303
            assert (await stream.event("rt:call")).data["args"]["text"] == "ada mentioned you"
        await ada.post("/tasks/7/comments", {"text": "Never mind"})
        page = await grace.get("/tasks/7")
        assert [text.text for text in page.select(".rt-bell-text")] == ["2 comments", "ada mentioned you"]
        assert json.loads((await grace.get("/unread")).text) == {"unread": 2}
        assert json.loads((await ada.get("/unread")).text) == {"unread": 0}
        assert (await grace.post("/inbox/clear")).status == 303
        assert json.loads((await grace.get("/unread")).text) == {"unread": 0}


async def test_a_form_is_checked_by_the_route_that_takes_it(load: Load) -> None:
    app = load("validation/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/signup")
        asked = {"rt-validate": "email,name"}
        answer = await ada.post("/signup", {"email": "ada@example.org"}, headers=asked)
        assert json.loads(answer.text)["errors"] == {
            "name": ["Tell us your name."],
            "email": ["Somebody has signed up with this address."],
        }
        refused = await ada.post("/signup", {"name": "Ada", "email": "a@b", "again": "a@b"}, page=page)
        assert (refused.status, json.loads(refused.text)["errors"]) == (422, {"plan": ["Choose a plan."]})
        plain = await ada.post("/signup", {"name": "Ada", "email": "a"})
        assert plain.status == 422
        assert plain.select("#name")[0]["value"] == "Ada"
        assert plain.select("[rt-field-error=email]")[0].text.startswith("This is no address")
        right = {"name": "Ada", "email": "a@b", "again": "a@b", "plan": "gold"}
        assert json.loads((await ada.post("/signup", right, headers={"rt-validate": "plan"})).text) == {"errors": {}}
        assert "Welcome" in (await ada.post("/signup", right, page=page)).text
        other = {**right, "email": "c@d", "again": "c@d"}
        assert (await ada.post("/signup", other)).header("location") == "/welcome"
        assert "Welcome" in (await ada.get("/welcome")).text


async def test_a_typed_form_is_checked_too(load: Load) -> None:
    app = load("validation/typed.py").app
    async with running(app), Browser(app) as ada:
        asked = {"rt-validate": "seats"}
        answer = await ada.post("/seats", {"seats": "9"}, headers=asked)
        assert json.loads(answer.text) == {"errors": {"seats": ["The van has eight seats."]}}
        assert json.loads((await ada.post("/seats", {"seats": "8", "name": "Ada"}, headers=asked)).text) == {
            "errors": {}
        }
        assert (await ada.post("/seats", {"seats": "9"})).status == 422
        assert (await ada.post("/seats", {"seats": "8", "name": "Ada"})).text == "8 seats for Ada"


async def test_flask_checks_while_somebody_types(load: Load) -> None:
    app = load("validation/flask_app.py").app
    async with running(app), Browser(app) as ada:
        answer = await ada.post("/signup", {"email": "a"}, headers={"rt-validate": "email"})
        assert list(json.loads(answer.text)["errors"]) == ["email"]
        assert (await ada.post("/signup", {"email": "a"})).status == 422
        assert (await ada.post("/signup", {"email": "a@b"})).header("location") == "/welcome"


DJANGO = """
import asyncio, json, os
import django_app
from htmx_rt.testing import Browser, running


async def main():
    async with running(django_app.app), Browser(django_app.app) as ada:
        page = await ada.get("/signup")
        token = page.select("[name=csrfmiddlewaretoken]")[0]["value"]
        wrong = {"csrfmiddlewaretoken": token, "name": "Ada", "email": "a"}
        answer = await ada.post("/signup", wrong, headers={"rt-validate": "email"})
        assert json.loads(answer.text) == {"errors": {"email": ["Enter a valid email address."]}}, answer.text
        refused = await ada.post("/signup", wrong, page=page)
        assert (refused.status, list(json.loads(refused.text)["errors"])) == (422, ["email"])
        plain = await ada.post("/signup", wrong)
        assert (plain.status, plain.select("[name=name]")[0]["value"]) == (422, "Ada")
        assert plain.select("[rt-field-error=email]")[0].text == "Enter a valid email address."
        assert (await ada.post("/signup", wrong | {"email": "a@example.org"})).status == 302
        assert (await ada.post("/signup", {"name": "Ada"})).status == 403  # no token

asyncio.run(main())
"""


def test_django_checks_while_somebody_types() -> None:
    """In a process of its own, as Django is set up once in each."""
    pytest.importorskip("django", reason="WITHOUT django ITS EXAMPLE IS NOT RUN.")
    environment = os.environ | {
        "RT_SECRET": "a-secret-of-32-bytes-or-more-for-tests",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    folder = (EXAMPLES / "validation/django_app.py").parent
    run = subprocess.run(
        [sys.executable, "-c", DJANGO],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


async def test_long_lists_come_a_page_at_a_time(load: Load) -> None:
    app = load("lists/app.py").app
    async with running(app), Browser(app) as ada:
        page, found = await ada.get("/"), []
        for _ in range(3):
            found += [item["id"] for item in page.select("#orders > li") or page.select("li")]
            links = page.select("#rt-more-orders a")
            if links:
                page = await ada.get(str(links[0]["href"]), headers={"HX-Request": "true"})
        assert found == [f"order-{n}" for n in range(50, 0, -1)]
        assert not links
        assert len((await ada.get("/?after=broken")).select("#orders > li")) == 20
        room = await ada.get("/room")
        assert [item.text for item in room.select("#messages > li")][::19] == ["Message 41", "Message 60"]
        older = await ada.get(str(room.select("#rt-more-messages-start a")[0]["href"]))
        assert [item.text for item in older.select("#messages > li")][::19] == ["Message 21", "Message 40"]


async def test_counts_are_told_to_whom_they_concern(load: Load) -> None:
    app = load("lists/app.py").app
    async with running(app), Browser(app) as ada, Browser(app) as grace:
        grace.cookies["who"] = "grace"
        hers = await ada.get("/")
        assert hers.select("#rt-badge-orders .rt-visually-hidden")[0].text == "50 open"
        async with ada.stream(hers) as stream:
            assert (await grace.post("/room", {"text": "Hello"})).status == 303
            assert (await stream.event("rt:ops")).data["ops"] == [["text", "#rt-badge-unread", "1"]]
            assert (await grace.post("/orders/50/done")).status == 204
            assert (await stream.event("rt:ops")).data["ops"][0][:2] == ["replace", "#order-50"]
            assert (await stream.event("rt:ops")).data["ops"] == [["text", "#rt-badge-orders", "49"]]
        assert (await ada.get("/")).select("#rt-badge-unread .rt-visually-hidden")[0].text == "1 message"
        assert (await ada.get("/room")).select("#rt-badge-unread")[0].has_attr("hidden")
