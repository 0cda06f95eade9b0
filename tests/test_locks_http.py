"""Locks as pages use them: by HTTP, over real streams, with what must not get through."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from htmx_rt.merge import flag, members, whole
from htmx_rt.testing import Page, Stream
from htmx_rt.types import User

from .desk import Shaky
from .edit_kit import Doc, Papers, Person
from .kit import problem, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site() -> AsyncIterator[Papers]:
    papers = Papers("owner", guard={"fence": "fence"})
    async with running(papers.app):
        yield papers


class Tab:
    """A page with the form of a document, as its script behaves."""

    def __init__(self, person: Person, resource: str) -> None:
        self.person = person
        self.resource = resource
        self.browser = person.browser
        self.grants = person.page.grants
        self.tab = person.page.tab
        person.tab = self.tab
        self.gen = 0
        self.fence = 0

    def opening(self) -> Any:
        """A further connection; use it with `async with`."""
        self.gen += 1
        tab = {"id": self.tab, "gen": self.gen, "vis": True, "fresh": list(self.grants.values())}
        return self.browser.open({"v": 1, "cursor": None, "tabs": [tab]})

    async def call(self, path: str, body: object, *, method: str = "POST", **headers: str) -> Page:
        own = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.browser.request(method, f"/_rt/{path}", raw, headers=own)

    def body(self, **more: Any) -> dict[str, Any]:
        return {"tab": self.tab, "gen": self.gen, "grant": self.grants.get(f"edit:{self.resource}")} | more

    async def act(self, act: Any, **more: Any) -> dict[str, Any]:
        """Do something with the lease and return the answer."""
        page = await self.call(f"locks/{self.resource}", self.body(act=act, **more))
        assert page.status == 200, page.text
        answer: dict[str, Any] = json.loads(page.text)
        if answer["mine"]:
            self.fence = answer["fence"]
        return answer

    async def work(self, **more: Any) -> Page:
        return await self.call(
            f"work/{self.resource}", self.body(**({"fence": self.fence, "v": 1, "fields": {"title": "x"}} | more))
        )

    async def save(self, *, fence: int | str | None = None, **values: Any) -> Page:
        extra = [("rt-fence", str(fence))] if fence is not None else []
        return await self.person.save(extra, **values)


async def tab(site: Papers, who: str | None = "ada", id: int = 7) -> Tab:
    return Tab(await site.person(who, id), f"doc:{id}")


async def told(stream: Stream, name: str) -> dict[str, Any]:
    """Return the arguments of the next call of that name."""
    while True:
        data = (await stream.event("rt:call")).data
        if data["name"] == name:
            args: dict[str, Any] = data["args"]
            return args


# Calls


async def test_the_answer_says_how_it_stands(site: Papers) -> None:
    ada, bob = await tab(site, "ada"), await tab(site, "bob")
    first = await ada.act("take")
    assert {key: first[key] for key in ("mine", "kind", "ttl", "beat", "ask")} == {
        "mine": True, "kind": "owner", "ttl": 12.0, "beat": 4.0, "ask": None,
    }  # fmt: skip
    assert first["holder"]["tab"] == first["you"]
    assert first["holder"]["n"] == "ada"
    second = await bob.act("take")
    assert (second["mine"], second["holder"], second["fence"]) == (False, first["holder"], first["fence"])
    assert ada.tab not in json.dumps(second)
    hidden = await ada.act("take", hidden=True)
    assert (hidden["ttl"], hidden["beat"]) == (300.0, 60.0)
    asked = await bob.act("ask")
    assert (asked["ask"]["n"], asked["mine"]) == ("bob", False)
    given = await ada.act("give")
    assert (given["mine"], given["holder"]["n"]) == (False, "bob")
    assert (await bob.act("take"))["mine"]
    page = await bob.call("locks/doc:7", bob.body(), method="DELETE")
    assert json.loads(page.text)["holder"] is None


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"grant": None}, (403, "forbidden")),
        ({"grant": "x"}, (403, "forbidden")),
        ({"grant": 7}, (403, "forbidden")),
        ({"grant": "forged"}, (403, "forbidden")),
        ({"grant": "here"}, (403, "forbidden")),
        ({"grant": "other"}, (403, "forbidden")),
        ({"grant": "somebody"}, (403, "forbidden")),
        ({"grant": "elsewhere"}, (403, "forbidden")),
        ({"grant": "reading"}, (403, "forbidden")),
        ({"tab": None}, (400, "bad-request")),
        ({"tab": "x"}, (400, "bad-request")),
        ({"tab": "A" * 32}, (400, "bad-request")),
        ({"act": None}, (400, "bad-request")),
        ({"act": "steal"}, (400, "bad-request")),
        ({"act": ["take"]}, (400, "bad-request")),
        ({"act": {}}, (400, "bad-request")),
    ],
    ids=str,
)
async def test_what_is_not_let_through(change: dict[str, Any], answer: tuple[int, str]) -> None:
    async def read(_: Request) -> Response:
        return site.html("read.html", doc=site.doc)

    page = "<html>{{ rt.head() }}{{ rt.guard('doc', doc, form=False) }}</html>"
    site = Papers("owner", templates={"read.html": page}, routes=[Route("/read", read)])
    site.rows[8] = Doc(id=8)
    async with running(site.app):
        ada, bob, other = await tab(site), await tab(site, "bob"), await tab(site, id=8)
        other.browser.cookies.update(ada.browser.cookies)
        grant = ada.grants["edit:doc:7"]
        grants = {
            "forged": grant[:-3] + ("AAA" if grant[-3:] != "AAA" else "BBB"),
            "here": ada.grants["here:edit:doc:7"],
            "other": other.grants["edit:doc:8"],
            "somebody": bob.grants["edit:doc:7"],
            "elsewhere": (await tab(site)).grants["edit:doc:7"],  # of the same person's other browser
            "reading": (await ada.browser.get("/read")).grants["edit:doc:7"],
        }
        if isinstance(change.get("grant"), str):
            change = {"grant": grants.get(change["grant"], change["grant"])}
        assert problem(await ada.call("locks/doc:7", ada.body(act="take") | change)) == answer
        if "act" not in change:
            work = {"fence": 1, "v": 1, "fields": {"title": "x"}}
            assert problem(await ada.call("work/doc:7", ada.body(**work) | change)) == answer
        assert await site.rt.locks.find("doc:7") is None


@pytest.mark.parametrize("resource", ["doc:8", "doc:7:title", "x" * 119, "x" * 128, "-x", "%20", "doc:7%2F", "ä"])
async def test_a_grant_is_for_one_record(site: Papers, resource: str) -> None:
    ada = await tab(site)
    page = await ada.call(f"locks/{resource}", ada.body(act="take"))
    assert page.status in (403, 404)


async def test_bodies_and_origins_are_checked_like_those_of_all_calls(site: Papers) -> None:
    ada = await tab(site)
    for raw, status in (
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"[" * 1000, 400),
        (b'{"a":"' + b"x" * 70_000 + b'"}', 413),
    ):
        assert (await ada.call("locks/doc:7", raw)).status == status
    assert problem(await ada.call("locks/doc:7", ada.body(act="take"), sec_fetch_site="cross-site")) == (
        403,
        "forbidden",
    )
    assert problem(await ada.call("locks/doc:7", ada.body(act="take"), content_type="text/plain")) == (
        400,
        "bad-request",
    )
    ada.browser.cookies = {name: value for name, value in ada.browser.cookies.items() if not name.startswith("rt-")}
    assert problem(await ada.call("locks/doc:7", ada.body(act="take"))) == (401, "no-cookie")


async def test_a_grant_that_has_expired_or_was_revoked_takes_nothing(site: Papers) -> None:
    ada, bob = await tab(site), await tab(site, "bob")
    assert (await ada.act("take"))["mine"]
    site.rt.revoke("doc:7", "ada")
    site.clock.advance(0.001)
    assert problem(await ada.call("locks/doc:7", ada.body(act="take"))) == (403, "forbidden")
    await bob.act("take")
    site.clock.advance(16 * 60)
    assert problem(await bob.call("locks/doc:7", bob.body(act="take"))) == (403, "forbidden")


async def test_too_many_calls_are_refused() -> None:
    site = Papers("owner", limits={"calls_per_second": 0.01, "calls_burst": 5})
    async with running(site.app):
        ada, bob = await tab(site), await tab(site, "bob")
        answers = [await ada.call("locks/doc:7", ada.body(act="take")) for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 5 + [429]
        assert problem(answers[-1]) == (429, "limited")
        assert answers[-1].header("Retry-After")
        assert (await bob.act("take"))["mine"] is False


async def test_without_the_store_calls_are_told_so_and_saves_go_by_version() -> None:
    store = Shaky()
    site = Papers("owner", store=store, receipts=False, guard={"fence": "fence"})
    async with running(site.app):
        ada, bob = await tab(site), await tab(site, "bob")
        await ada.act("take")
        store.away = True
        for act in ("take", "release", "ask", "give", "keep", "here"):
            page = await ada.call("locks/doc:7", ada.body(act=act))
            assert page.status == 503
            assert page.header("Retry-After")
        assert (await ada.work()).status == 503
        assert (await bob.save(title="Bob's")).status == 200  # nobody is kept from working
        answer = await ada.save(fence=ada.fence, title="Ada's")
        assert problem(answer) == (409, "stale")
        store.away = False
        assert (await ada.act("take"))["mine"]


async def test_what_the_row_knows_of_who_came_later_counts_without_the_store() -> None:
    store = Shaky()
    site = Papers("lock", store=store, receipts=False, guard={"fence": "fence"})
    async with running(site.app):
        ada = await tab(site)
        await ada.act("take")
        site.rows[7].fence = ada.fence + 1
        store.away = True
        assert problem(await ada.save(fence=ada.fence, title="Ada's")) == (409, "fenced")
        assert (await ada.save(fence=ada.fence + 1, title="Ada's")).status == 200


# Work


async def test_unsaved_work_reaches_those_who_look(site: Papers) -> None:
    ada, bob = await tab(site), await tab(site, "bob")
    await ada.act("take")
    async with bob.opening() as stream:
        assert (await ada.work(fields={"title": "Nëw", "teams": ["red"], "tags": None})).status == 204
        found = [await told(stream, "work") for _ in range(3)]
    assert [(one["field"], one["value"], one["who"]["n"]) for one in found] == [
        ("title", "Nëw", "ada"), ("teams", ["red"], "ada"), ("tags", None, "ada"),
    ]  # fmt: skip
    eve = await tab(site, "eve")
    async with eve.opening() as stream:  # who comes later sees the form as it stands
        assert (await told(stream, "work"))["value"] == "Nëw"


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"fence": 0}, (409, "fenced")),
        ({"fence": 2**52}, (409, "fenced")),
        ({"fence": -1}, (400, "bad-request")),
        ({"fence": "1"}, (400, "bad-request")),
        ({"fence": True}, (400, "bad-request")),
        ({"fence": None}, (400, "bad-request")),
        ({"v": None}, (400, "bad-request")),
        ({"v": 2**60}, (400, "bad-request")),
        ({"fields": None}, (400, "bad-request")),
        ({"fields": {}}, (400, "bad-request")),
        ({"fields": []}, (400, "bad-request")),
        ({"fields": {f"f{n}": "x" for n in range(49)}}, (400, "bad-request")),
        ({"fields": {"": "x"}}, (400, "bad-request")),
        ({"fields": {"a b": "x"}}, (400, "bad-request")),
        ({"fields": {"x" * 100: "x"}}, (400, "bad-request")),
        ({"fields": {"title\n": "x"}}, (400, "bad-request")),
        ({"fields": {"csrf": "x"}}, (400, "bad-request")),  # that nobody guards
        ({"fields": {"title": 7}}, (400, "bad-request")),
        ({"fields": {"title": ["x", 7]}}, (400, "bad-request")),
        ({"fields": {"title": {"a": 1}}}, (400, "bad-request")),
        ({"fields": {"title": "x" * 200_000}}, (413, "too-large")),
        ({"fields": {"title": "x" * 300_000}}, (413, "too-large")),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_work_that_is_not_shown(site: Papers, change: dict[str, Any], answer: tuple[int, str]) -> None:
    ada = await tab(site)
    await ada.act("take")
    assert problem(await ada.work(**change)) == answer


async def test_work_of_lone_halves_of_characters_breaks_nothing(site: Papers) -> None:
    ada = await tab(site)
    await ada.act("take")
    raw = json.dumps(ada.body(fence=ada.fence, v=1, fields={"title": "\ud800"})).encode()
    assert (await ada.call("work/doc:7", raw)).status in (204, 400)
    assert (await ada.work()).status == 204


async def test_work_comes_at_most_so_often(site: Papers) -> None:
    ada = await tab(site)
    await ada.act("take")
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 500:
        statuses.append((await ada.work()).status)
    assert statuses[:15] == [204] * 15
    assert statuses[-1] == 429
    assert (await ada.act("take"))["mine"]  # which does not cost it the lease


# Saves


async def test_who_looks_on_is_refused_with_the_holders_name_and_what_they_typed(site: Papers) -> None:
    ada, bob = await tab(site), await tab(site, "bob")
    await ada.act("take")
    answer = await bob.save(title="Bob's", body="A\nB")
    assert problem(answer) == (423, "locked")
    assert "ada" in answer.text
    assert "Bob&#39;s" in answer.text or "Bob's" in answer.text
    assert site.doc.title == "Plan"
    bob.person.take(answer)
    await ada.act("release")
    assert (await bob.person.send(bob.person.form)).status == 200
    assert (site.doc.title, site.doc.body) == ("Bob's", "A\nB")


@dataclass
class Secret(Doc):
    """With a field whose name looks like that of a password."""

    pin: str = "1"


async def test_what_is_tried_again_after_a_lock_is_all_of_it() -> None:
    fields = {"title": whole, "pin": whole, "public": flag, "teams": members}
    page = """<html>{{ rt.head() }}<form>{{ rt.guard("doc", doc) }}<input name="title" value="{{ doc.title }}">
        <input name="pin" value="1"></form></html>"""
    site = Papers("lock", guard={"fields": fields}, page=page)
    site.rows[7] = Secret()
    async with running(site.app):
        ada, bob = await tab(site), await tab(site, "bob")
        await ada.act("take")
        many = [(f"n{n}", "x") for n in range(300)]
        answer = await bob.person.send([*many, *bob.person.typed(title="Bob's", pin="4711")])
        assert problem(answer) == (423, "locked")
        bob.person.take(answer)
        form = dict(bob.person.form)
        assert (form["title"], form["pin"], form["lock_version"], bool(form["rt-base"])) == ("Bob's", "4711", "1", True)


@pytest.mark.parametrize("fence", ["", "x", "-1", "1.5", "9" * 30])
async def test_malformed_fences(site: Papers, fence: str) -> None:
    ada = await tab(site)
    await ada.act("take")
    answer = await ada.save(fence=fence, title="New")
    assert problem(answer) == ((423, "locked") if not fence else (400, "bad-version"))


async def test_forged_fences_save_nothing(site: Papers) -> None:
    ada, bob = await tab(site), await tab(site, "bob")
    await ada.act("take")
    for person, fence in (
        (bob, ada.fence),
        (bob, ada.fence + 1000),
        (ada, ada.fence + 1),
        (ada, ada.fence - 1),
        (ada, 0),
    ):
        assert problem(await person.save(fence=fence, title="Evil")) == (409, "fenced")
    lock = await site.rt.locks.find("doc:7")
    assert lock is not None
    assert lock.fence == ada.fence
    assert site.doc.title == "Plan"
    assert (await ada.save(fence=ada.fence, title="Ada's")).status == 200
    assert (site.doc.title, site.doc.fence) == ("Ada's", ada.fence)


async def test_a_late_save_of_a_former_owner_is_merged(site: Papers) -> None:
    ada, bob = await tab(site), await tab(site, "bob")
    await ada.act("take")
    old = ada.fence
    await ada.act("release")
    await bob.act("take")
    assert (await bob.save(fence=bob.fence, price="12")).status == 200
    assert (await ada.save(fence=old, title="Ada's")).status == 200
    assert (site.doc.title, site.doc.price, site.doc.fence) == ("Ada's", "12", bob.fence)
    assert problem(await ada.save(fence=old, price="13", title="Third")) == (409, "stale")


async def test_a_late_save_of_a_former_lock_holder_is_asked_about() -> None:
    site = Papers("lock", guard={"fence": "fence"})
    async with running(site.app):
        ada, bob = await tab(site), await tab(site, "bob")
        await ada.act("take")
        old = ada.fence
        await ada.act("release")
        await bob.act("take")
        answer = await ada.save(fence=old, title="Ada's")
        assert problem(answer) == (409, "fenced")
        ada.person.take(answer)
        assert problem(await ada.person.send(ada.person.form)) == (423, "locked")
        await bob.act("release")
        assert (await ada.person.send(ada.person.form)).status == 200
        assert site.doc.title == "Ada's"


async def test_of_two_owners_that_a_partition_made_the_fence_in_the_row_decides(site: Papers) -> None:
    ada = await tab(site)
    await ada.act("take")
    site.rows[7].fence = ada.fence + 5  # saved by the owner whom another store knows
    answer = await ada.save(fence=ada.fence, title="Ada's")
    assert problem(answer) == (409, "fenced")
    site.rows[7].fence = ada.fence
    assert (await ada.save(fence=ada.fence, title="Ada's")).status == 200


async def test_where_it_is_advice_nobody_is_refused() -> None:
    site = Papers("lock", guard={"enforce": False})
    async with running(site.app):
        ada, bob = await tab(site), await tab(site, "bob")
        await ada.act("take")
        assert (await bob.save(title="Bob's")).status == 200
        assert problem(await ada.save(fence=ada.fence, title="Ada's")) == (409, "stale")


# Bounds, with streams and clocks as they are


@pytest.fixture
async def real() -> AsyncIterator[Papers]:
    papers = Papers("owner")
    papers.clock.__class__ = type(
        "Real", (), {"__call__": lambda self: time.time(), "advance": lambda self, seconds: None}
    )
    async with running(papers.app):
        yield papers


async def promotion(stream: Stream, to: str, within: float) -> float:
    """Wait until `to` is told to hold it; return how long that took."""
    began = time.monotonic()
    holder = None
    while holder != to and time.monotonic() < began + within + 5:
        with contextlib.suppress(TimeoutError):  # a stream waits for less
            holder = ((await told(stream, "lease"))["holder"] or {}).get("n")
    took = time.monotonic() - began
    assert took <= within
    return took


async def test_done_hands_it_on_within_a_second(real: Papers) -> None:
    ada, bob = await tab(real), await tab(real, "bob")
    async with ada.opening(), bob.opening() as stream:
        await ada.act("take")
        await bob.act("take")
        await ada.act("release")
        await promotion(stream, "bob", 1.0)


async def test_signing_out_hands_it_on_within_a_second(real: Papers) -> None:
    ada, bob = await tab(real), await tab(real, "bob")
    async with ada.opening(), bob.opening() as stream:
        await ada.act("take")
        assert (await ada.browser.get("/out")).status == 303
        await promotion(stream, "bob", 1.0)
        assert (await ada.call("locks/doc:7", ada.body(act="take"))).status in (401, 403)


async def test_revoking_hands_it_on_at_once(real: Papers) -> None:
    ada, bob = await tab(real), await tab(real, "bob")
    async with ada.opening(), bob.opening() as stream:
        await ada.act("take")
        real.rt.revoke("doc:7", "ada")
        await promotion(stream, "bob", 1.0)


async def test_revoking_a_record_revokes_its_parts() -> None:
    page = """<html><head>{{ rt.head() }}</head><form>{{ rt.guard("doc", doc, fields=("price",), part="price") }}</form></html>"""
    site = Papers("owner", page=page)
    asked: list[str] = []

    @site.rt.authorize("doc:{id}")
    def may(user: User | None, id: str) -> bool:
        asked.append(id)
        return True

    async with running(site.app):
        ada, bob = Tab(await site.person("ada"), "doc:7:price"), Tab(await site.person("bob"), "doc:7:price")
        async with ada.opening() as hers, bob.opening() as stream:
            assert set(asked) == {"7"}
            assert (await ada.act("take"))["mine"]
            site.rt.revoke("doc:7", "ada")
            await promotion(stream, "bob", 1.0)
            revoked: set[str] = set()
            while not {"edit:doc:7", "edit:doc:7:price"} <= revoked:
                revoked |= set((await hers.event("rt:revoked")).data["topics"])
        assert problem(await ada.call("locks/doc:7:price", ada.body(act="take"))) == (403, "forbidden")
        assert (await bob.act("take"))["mine"]


async def test_a_closed_line_hands_it_on_within_five_seconds(real: Papers) -> None:
    ada, bob = await tab(real), await tab(real, "bob")
    async with bob.opening() as stream:
        async with ada.opening():
            await ada.act("take")
            await promotion(stream, "ada", 1.0)
        print(await promotion(stream, "bob", 5.0))


@pytest.mark.soak
async def test_a_half_open_line_hands_it_on_within_fifteen_seconds(real: Papers) -> None:
    ada, bob = await tab(real), await tab(real, "bob")
    async with ada.opening(), bob.opening() as stream:
        await ada.act("take")
        print(await promotion(stream, "bob", 15.0))


# What lies in the store


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"x",
        b"7",
        b'"x"',
        b"null",
        b"[]",
        b"{}",
        b"[" * 5000,
        b'{"terms":null,"holder":null,"asking":null,"former":[]}',
        b'{"terms":{"kind":"owner","grace":4,"auto":20},"fence":"x","holder":null,"until":0,"asking":null,"former":[]}',
        b'{"terms":{"kind":"none","grace":4,"auto":20},"fence":1,"holder":null,"until":0,"asking":null,"former":[]}',
        b'{"terms":{"kind":"owner","grace":"x","auto":20},"fence":1,"holder":null,"until":0,"asking":null,"former":[]}',
        b'{"terms":{"kind":"owner","grace":4,"auto":20},"fence":1,"holder":{"owner":"a","tab":"b","name":"c"},"until":"x","asking":null,"former":[]}',
        b'{"terms":{"kind":"owner","grace":4,"auto":20},"fence":1,"holder":{"owner":7,"tab":8,"name":9},"until":0,"asking":null,"former":[]}',
        b'{"terms":{"kind":"owner","grace":4,"auto":20},"fence":1,"holder":null,"until":0,"asking":null,"former":[7]}',
        b'[{"version":2,"name":7,"at":"x"}]',
        b'[{"version":2,"name":"x","at":1e999}]',
        b"[7]",
    ],
    ids=lambda kept: kept.decode()[:60],
)
async def test_what_nobody_understands_in_the_store_is_as_if_nothing_was_there(site: Papers, kept: bytes) -> None:
    ada, bob = await tab(site), await tab(site, "bob")
    for key in ("lease:doc:7", "saved:doc:7"):
        await site.rt.store.put(key, kept, ttl=60)
    assert (await ada.save(price="11")).status == 200
    await site.rt.store.put("saved:doc:7", kept, ttl=60)
    site.change(title="Theirs")
    assert problem(await bob.save(title="Mine")) == (409, "stale")
    assert (await ada.act("take"))["mine"]
    assert (await ada.work()).status == 204
