"""Who may see, cancel and dismiss what takes long, with scripts and without."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from htmx_rt.macros.progress import grouped
from htmx_rt.stores import Store
from htmx_rt.testing import Browser, Page

from .desk import Shaky
from .desk import store as store
from .kit import opened, problem, running
from .progress_kit import Depot, cancel, ended, fields, tasks, told, until

pytestmark = pytest.mark.anyio
HERE = re.compile(r'http-equiv="refresh" content="2; url=([^"]+)"')


def grant_of(page: Page) -> str:
    grant: str = page.select("[rt-progress]")[0]["rt-grant"]
    return grant


def link(page: Page) -> str:
    """Return the address of the page of the first one, which is there for who runs no script."""
    found = re.search(r'<noscript><a href="([^"]+)"', page.text)
    assert found is not None
    return unescape(found[1])


async def form(browser: Browser, path: str, **values: str) -> Page:
    headers = {"referer": f"http://{browser.host}/import?page=2"}
    return await browser.request("POST", path, "&".join(f"{k}={v}" for k, v in values.items()).encode(), headers={
        "content-type": "application/x-www-form-urlencoded", **headers,
    })  # fmt: skip


async def test_its_owner_cancels_without_a_grant_and_others_not_even_with_one(store: Store) -> None:
    depot = Depot(store)
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        grace, hers = await opened(depot, "/import", who="grace")
        async with depot.begin(user="ada") as p:
            assert problem(await cancel(grace, p.id, grant=grant_of(hers))) == (403, "forbidden")
            assert not p.cancelling
            assert (await cancel(ada, p.id)).status == 202
            assert p.cancelling
            assert (await cancel(ada, p.id)).status == 202  # again
            p.check()
        assert problem(await cancel(ada, p.id)) == (409, "already-done")
        assert page.status == 200


async def test_where_nobody_may_nobody_does() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, _ = await opened(depot, "/import")
        async with depot.begin(user="ada", cancel=None) as p:
            assert problem(await cancel(ada, p.id)) == (403, "forbidden")
            page = await ada.get("/import")
            assert tasks(page)[0].select("form[hidden]")
        assert p.state == "done"


async def test_somebody_without_a_name_cancels_in_their_own_browser_only() -> None:
    depot = Depot()
    go = asyncio.Event()
    depot.work = lambda p: go.wait()
    async with running(depot.app):
        nobody, page = await opened(depot, "/import", who=None)
        other, theirs = await opened(depot, "/import", who=None)
        task = asyncio.create_task(nobody.post("/import", page=page))
        async with nobody.stream(page) as stream:
            id = (await told(stream, lambda args: True))[0]["id"]
        assert problem(await cancel(other, id, grant=grant_of(theirs))) == (403, "forbidden")
        assert (await cancel(nobody, id)).status == 202
        go.set()
        assert (await task).text == "done"


async def test_who_may_not_read_the_topic_learns_nothing() -> None:
    depot = Depot()
    depot.rt.authorize("import:{id}")(lambda user, id: user is not None and user.id != "eve")
    async with running(depot.app):
        eve, page = await opened(depot, "/import", who="eve")
        grace, hers = await opened(depot, "/import", who="grace")
        async with depot.begin(user="ada", cancel="all") as p:
            for id in (p.id, "0" * 24):
                assert problem(await cancel(eve, id, grant=grant_of(page))) == (403, "forbidden")
                assert problem(await eve.get(f"/_rt/progress/{id}?topic=import:7&grant={grant_of(page)}")) == (
                    403,
                    "forbidden",
                )
            assert problem(await cancel(grace, "0" * 24)) == (404, "gone")  # authorize() has let her in
            assert (await cancel(grace, p.id)).status == 202
        assert hers.status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"topic": None}, 400), ({"topic": "no topic"}, 400), ({"topic": ["import:7"]}, 400), ({"topic": "import:8"}, 403),
        ({"act": "destroy"}, 400), ({"act": 7}, 400), ({"grant": {"a": 1}}, 202), ({"grant": "x" * 5000}, 202),
    ],
)  # fmt: skip
async def test_bad_calls(body: dict[str, Any], status: int) -> None:
    depot = Depot()
    async with running(depot.app):
        ada, _ = await opened(depot, "/import")
        async with depot.begin(user="ada") as p:
            assert (await cancel(ada, p.id, **body)).status == status


async def test_calls_from_elsewhere_and_too_many() -> None:
    depot = Depot(limits={"calls_per_second": 1.0, "calls_burst": 5.0})
    async with running(depot.app):
        ada, _ = await opened(depot, "/import")
        async with depot.begin(user="ada") as p:
            headers = {"content-type": "application/json", "sec-fetch-site": "cross-site"}
            answer = await ada.request("POST", f"/_rt/progress/{p.id}", b'{"topic":"import:7"}', headers=headers)
            assert problem(answer) == (403, "forbidden")
            assert problem(await cancel(Browser(depot.app), p.id)) == (401, "no-cookie")
            answers = [await cancel(ada, "0" * 24) for _ in range(40)]
            assert problem(answers[-1]) == (429, "limited")
            assert not p.cancelling
            assert (await ada.request("PUT", f"/_rt/progress/{p.id}")).status == 405
            assert (await ada.get("/_rt/progress/nothing")).status == 404


async def test_where_the_store_is_away_that_is_said() -> None:
    store = Shaky()
    depot = Depot(store)
    async with running(depot.app):
        ada, _ = await opened(depot, "/import")
        async with depot.begin(user="ada") as p:
            depot.rt.progresses._mine.clear()  # it runs elsewhere
            store.away = True
            answer = await cancel(ada, p.id)
            assert problem(answer) == (503, "limited")
            assert answer.header("retry-after")
            store.away = False


async def test_without_scripts_there_is_a_page_that_follows_it_and_a_form(store: Store) -> None:
    depot = Depot(store)
    async with running(depot.app):
        grace, _ = await opened(depot, "/import", who="grace")
        async with depot.begin(user="ada", cancel="all") as p:
            p.update(done=25, step="<b>Rows</b>")
            await until(lambda: not p.pending)
            page = await grace.get("/import")
            path = link(page)
            shown = await grace.get(path)
            assert (shown.status, shown.header("cache-control")) == (200, "private, no-store")
            assert shown.header("referrer-policy") == "same-origin"
            assert tasks(page)[0].select("progress")[0]["value"] == "25"
            assert "&lt;b&gt;Rows&lt;/b&gt;" in shown.text
            assert "<b>Rows" not in shown.text
            again = await grace.get(unescape(HERE.findall(shown.text)[0]))
            assert HERE.search(again.text)
            answer = await form(grace, f"/_rt/progress/{p.id}", **fields(page), act="cancel")
            assert answer.status == 303
            there = await grace.get(str(answer.header("location")))
            assert "Cancelling…" in there.text
            assert 'href="/import?page=2"' in there.text
            p.check()
        there = await grace.get(str(answer.header("location")))
        assert "Cancelled" in there.text
        assert not HERE.search(there.text)


async def test_the_page_is_of_whoever_may_read_the_topic() -> None:
    depot = Depot()
    async with running(depot.app):
        grace, hers = await opened(depot, "/import", who="grace")
        async with depot.begin(user="ada") as p:
            path = link(await grace.get("/import"))
            eve, _ = await opened(depot, "/", who="eve")
            assert problem(await eve.get(path)) == (403, "forbidden")
            assert problem(await Browser(depot.app).get(path)) == (403, "forbidden")
            assert (await grace.get(path.replace("import%3A7", "import%3A8"))).status == 403
            answer = await grace.request("GET", path, headers={"accept": "application/json"})
            assert json.loads(answer.text)["id"] == p.id
            assert "owner" not in json.loads(answer.text)
        assert hers.status == 200


async def test_a_page_follows_for_a_day_however_often_its_grant_was_renewed() -> None:
    depot = Depot()
    async with running(depot.app):
        grace, _ = await opened(depot, "/import", who="grace")
        async with depot.begin(user="ada"):
            path, hours = link(await grace.get("/import")), 0.0
            while (shown := await grace.get(path)).status == 200 and hours < 26:
                path = unescape(HERE.findall(shown.text)[0])
                depot.clock.advance(850)
                hours += 850 / 3600
                await depot.rt.progresses.keep()
            assert problem(shown) == (403, "forbidden")
            assert 23.7 < hours < 24.3


async def test_a_page_of_something_long_gone_says_so() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        shown = await ada.get(f"/_rt/progress/{'0' * 24}?topic=import:7&grant={grant_of(page)}")
        assert shown.status == 404
        assert "This ended a while ago." in shown.text
        for back in ("//evil.example", "https://evil.example", "javascript:alert(1)", "/\\evil.example"):
            shown = await ada.get(f"/_rt/progress/{'0' * 24}?topic=import:7&grant={grant_of(page)}&back={back}")
            assert "evil" not in shown.text
            assert "javascript" not in shown.text


async def test_what_has_ended_is_dismissed_for_oneself_alone(store: Store) -> None:
    depot = Depot(store)
    async with running(depot.app):
        ada, _ = await opened(depot, "/import")
        grace, hers = await opened(depot, "/import", who="grace")
        async with depot.begin(user="ada") as p:
            assert problem(await cancel(ada, p.id, "dismiss")) == (409, "running")
        assert (await cancel(grace, p.id, "dismiss", grant=grant_of(hers))).text == '{"state": "dismissed"}'
        assert len(tasks(await ada.get("/import"))) == 1
        assert tasks(await grace.get("/import")) == []
        assert len(await depot.rt.progresses.running("import:7")) == 1


async def test_what_a_page_is_told_tells_nothing_that_is_not_its_business() -> None:
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        async with ada.stream(page) as stream:
            async with depot.begin(user="ada") as p:
                p.update(done=3)
            args = (await told(stream, ended))[-1]
        shown = await ada.get("/import")
    record = p.record
    assert set(args) <= {
        "id", "n", "title", "by", "who", "total", "done", "percent", "state", "cancel", "started", "ended",
    }  # fmt: skip
    assert record.owner not in json.dumps(args)
    assert record.owner not in shown.text


async def test_an_answer_that_took_long_is_not_held_for_the_echo_of_its_progress() -> None:
    """Else a page would wait for it, where it does not read that topic."""
    depot = Depot()
    async with running(depot.app):
        ada, page = await opened(depot, "/")
        answer = await ada.post("/import", page=page)
        assert (answer.text, answer.header("RT-Own")) == ("done", None)


async def test_a_page_below_a_root_path_knows_its_addresses() -> None:
    depot = Depot()
    async with running(depot.app), depot.begin(user="ada") as p:
        ada, _ = await opened(depot, "/import")
        page = await ada.get("/import")
        action = tasks(page)[0].select("form")[0]["action"]
        assert action == f"/_rt/progress/{p.id}"
        parts = urlsplit(link(page))
        assert parts.path == action
        assert parse_qs(parts.query)["topic"] == ["import:7"]


@pytest.mark.parametrize(
    ("number", "lang", "text"),
    [
        (999, "en", "999"), (1234, "en", "1,234"), (1234, "de", "1.234"), (1234, "es", "1234"), (12345, "es", "12.345"),
        (1234567, "de-AT", "1.234.567"), (1234, "fr", "1\u202f234"),
    ],
)  # fmt: skip
def test_numbers_as_browsers_write_them(number: int, lang: str, text: str) -> None:
    assert grouped(number, lang) == text
