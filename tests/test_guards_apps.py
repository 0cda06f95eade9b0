"""Guards in apps as they are: forms and rows of other frameworks, threads, loops, receipts, two objects at once."""

from __future__ import annotations

import asyncio
import inspect
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Form, Request
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from werkzeug.datastructures import ImmutableMultiDict as WerkzeugDict

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import ConfigurationError, Conflict
from htmx_rt.merge import members, whole
from htmx_rt.testing import Browser, running

from .edit_kit import Doc, Papers, asked, of
from .kit import SECRET, problem

pytestmark = pytest.mark.anyio


class QueryDict(dict[str, list[str]]):
    """As Django has it: a dict of lists that shows the last value."""

    def __getitem__(self, key: str) -> str:  # type: ignore[override]
        return super().__getitem__(key)[-1]

    def lists(self) -> Any:
        return super().items()

    def getlist(self, key: str) -> list[str]:
        return super().get(key, [])


FORM = {"lock_version": ["1"], "title": ["New"], "teams": ["red", "blue"]}
FORMS: dict[str, Callable[[], Any]] = {
    "a dict": lambda: {"lock_version": 1, "title": "New", "teams": ["red", "blue"]},
    "a dict with a tuple": lambda: {"lock_version": "1", "title": "New", "teams": ("red", "blue")},
    "an ordered dict": lambda: OrderedDict(FORM),
    "Starlette": lambda: of(**FORM),
    "Werkzeug": lambda: WerkzeugDict([(name, value) for name, values in FORM.items() for value in values]),
    "Django": lambda: QueryDict(FORM),
}
ROWS: dict[str, Callable[[], Any]] = {
    "an object": Doc,
    "a dict": lambda: asdict(Doc()),
    "a namespace": lambda: SimpleNamespace(**asdict(Doc())),
}


def ask(site: Papers, endpoint: Any, **headers: str) -> tuple[Any, Browser]:
    """Return what calls `endpoint` as the whole app, within a request."""
    app = RealtimeMiddleware(Starlette(routes=[Route("/x", endpoint, methods=["POST"])]), rt=site.rt)
    browser = Browser(app)
    return lambda: browser.request("POST", "/x", headers={"hx-request": "true"} | headers), browser


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", ROWS)
async def test_forms_and_rows_of_every_kind(form: str, row: str) -> None:
    site = Papers()
    record = ROWS[row]()

    async def save(_: Request) -> Response:
        saving = await site.docs.check(record, FORMS[form]())
        saving.apply(record)
        return PlainTextResponse("saved")

    async with running(site.app):
        call, _ = ask(site, save)
        assert (await call()).text == "saved"
    found = record if isinstance(record, dict) else vars(record)
    assert (found["title"], found["teams"], found["body"]) == ("New", ["red", "blue"], Doc().body)


@pytest.mark.parametrize("where", ["thread", "another loop", "task", "nested thread"])
async def test_from_threads_and_other_loops(where: str) -> None:
    site = Papers()
    stale, fresh = {"lock_version": "1", "title": "Mine"}, {"lock_version": "2", "title": "Mine"}
    row = Doc(lock_version=2, title="Theirs")

    def in_thread() -> Response:
        assert site.docs.check(row, fresh).result(5)["title"] == "Mine"
        with pytest.raises(Conflict) as conflict:
            site.docs.check(row, stale).result(5)
        site.docs.saved(row)
        response: Response = conflict.value.response()
        return response

    async def on_a_loop() -> Response:
        assert (await site.docs.check(row, fresh))["title"] == "Mine"
        with pytest.raises(Conflict) as conflict:
            await site.docs.check(row, stale)
        site.docs.saved(row)
        response: Response = conflict.value.response()
        return response

    async def endpoint(_: Request) -> Response:
        if where == "thread":
            return await run_in_threadpool(in_thread)
        if where == "another loop":
            return await run_in_threadpool(lambda: asyncio.run(on_a_loop()))
        if where == "nested thread":
            return await run_in_threadpool(lambda: asyncio.run(run_in_threadpool(in_thread)))
        return await asyncio.create_task(on_a_loop())

    async with running(site.app):
        call, _ = ask(site, endpoint)
        assert problem(await call()) == (409, "stale")


async def test_many_threads_at_once() -> None:
    site = Papers()
    found: list[str] = []

    def save(n: int) -> None:
        found.append(str(site.docs.check(Doc(), {"lock_version": "1", "title": f"t{n}"}).result(10)["title"]))

    async def endpoint(_: Request) -> Response:
        await asyncio.gather(*(run_in_threadpool(save, n) for n in range(60)))
        return PlainTextResponse("done")

    async with running(site.app):
        call, _ = ask(site, endpoint)
        assert (await call()).text == "done"
    assert sorted(found) == sorted(f"t{n}" for n in range(60))


async def test_answers_keeps_what_frameworks_look_at() -> None:
    site = Papers()
    api = FastAPI()

    @api.post("/async/{id}")
    @site.docs.answers
    async def save(
        id: int, title: Annotated[str, Form()], request: Request, version: Annotated[int, Form(alias="lock_version")]
    ) -> dict[str, Any]:
        """Save it."""
        saving = await site.docs.check(Doc(id=id, lock_version=2), {"title": title, "lock_version": version})
        return {"title": saving["title"], "id": id}

    @api.post("/sync/{id}")
    @site.docs.answers
    def save_in_thread(
        id: int, title: Annotated[str, Form()], version: Annotated[int, Form(alias="lock_version")]
    ) -> dict[str, Any]:
        saving = site.docs.check(Doc(id=id, lock_version=2), {"title": title, "lock_version": version}).result(5)
        return {"title": saving["title"], "id": id}

    assert list(inspect.signature(save).parameters) == ["id", "title", "request", "version"]
    assert (save.__name__, save.__doc__) == ("save", "Save it.")
    browser = Browser(RealtimeMiddleware(api, rt=site.rt))
    async with running(site.app):
        for kind in ("async", "sync"):
            good = await browser.post(f"/{kind}/7", {"title": "New", "lock_version": "2"})
            assert (good.status, good.text.replace(" ", "")) == (200, '{"title":"New","id":7}')
            assert problem(await browser.post(f"/{kind}/7", {"title": "New", "lock_version": "1"})) == (409, "stale")
            assert (await browser.post(f"/{kind}/x", {"title": "New"})).status == 422


async def test_answers_on_objects_and_methods() -> None:
    site = Papers()

    class Endpoint:
        async def __call__(self, request: Request) -> Response:
            await site.docs.check(Doc(lock_version=2), {"lock_version": "1", "title": "Mine"})
            raise AssertionError

        async def method(self, request: Request) -> Response:
            return await self(request)

    async with running(site.app):
        for endpoint in (Endpoint(), Endpoint().method):
            answering = site.docs.answers(endpoint)

            async def call_it(request: Request, answering: Any = answering) -> Response:
                response: Response = await answering(request)
                return response

            call, _ = ask(site, call_it)
            assert problem(await call()) == (409, "stale")


async def test_outside_of_a_request_it_says_what_is_missing() -> None:
    site = Papers()
    async with running(site.app):
        with pytest.raises(ConfigurationError, match="outside a request"):
            site.docs.check(Doc(), {})
    site.docs.saved(Doc())  # a script may still tell of what it did
    site.docs.gone("doc:7")


async def test_two_objects_do_not_meet() -> None:
    one, two = Papers(), Papers()
    other = Realtime(secret=SECRET, name="other")
    guard = other.guard("doc:{id}", {"title": whole, "teams": members})

    async def endpoint(_: Request) -> Response:
        with pytest.raises(ConfigurationError, match="outside a request"):
            guard.check(Doc(), {"lock_version": "1"})
        with pytest.raises(ConfigurationError, match="outside a request"):
            two.docs.check(Doc(), {"lock_version": "1"})
        saving = await one.docs.check(Doc(), {"lock_version": "1", "title": "New"})
        saving.done(Doc(lock_version=2))
        return PlainTextResponse("saved")

    async with running(one.app), running(two.app):
        call, _ = ask(one, endpoint, **{"rt-tab": "a" * 32})
        assert (await call()).header("RT-Lock-Version") == "2"
        ada, bob = await one.person(), await two.person("bob")
        # What one has signed says nothing to the other.
        two.change(title="Theirs")
        answer = await bob.save(title="Mine", **{"rt-base": ada.value("rt-base")})
        assert asked(answer)[0] == "title"


async def test_nested_objects_answer_with_one_version() -> None:
    inner, outer = Papers(), Papers()
    app = RealtimeMiddleware(inner.app, rt=outer.rt)
    async with running(app):
        browser = Browser(app)
        answer = await browser.post("/docs/7", {"lock_version": "1", "title": "New"}, headers={"rt-tab": "a" * 32})
        assert [value for name, value in answer.headers if name == "rt-lock-version"] == ["2"]


# Receipts


async def test_an_action_that_met_a_conflict_may_come_again_and_then_once() -> None:
    site = Papers()
    async with running(site.app):
        ada = await site.person()
        await site.person()  # so that the browser has its cookie
        site.change(title="Theirs")
        key = {"idempotency-key": secrets.token_hex(16)}
        assert problem(await ada.save(title="Mine", headers=key)) == (409, "stale")
        answer = await ada.save(title="Mine", headers=key)
        assert problem(answer) == (409, "stale")
        ada.take(answer)
        assert (await ada.save(headers=key)).status == 200
        assert (site.doc.title, len(site.accepted)) == ("Mine", 1)
        again = await ada.save(headers=key)
        assert (again.status, again.header("Idempotency-Replayed")) == (200, "true")
        assert len(site.accepted) == 1


async def test_a_save_that_waited_on_a_device_is_compared_when_it_comes() -> None:
    site = Papers()
    async with running(site.app):
        ada = await site.person()
        form = ada.typed(title="Kept for later", price="12")
        site.change(price="11", body="changed\n")
        who = re.search(r"who&#34;: ?&#34;([0-9a-f]+)|\"who\": ?\"([0-9a-f]+)", ada.page.text)
        assert who is not None
        queued = {"rt-queued": who[1] or who[2], "idempotency-key": secrets.token_hex(16)}
        answer = await ada.send(form, headers=queued)
        assert (answer.status, site.doc.title, site.doc.price, site.doc.body) == (
            200,
            "Kept for later",
            "13",
            "changed\n",
        )
        assert (await ada.send(form, headers=queued)).header("Idempotency-Replayed") == "true"
        assert len(site.accepted) == 1
        later = await ada.send(form, headers=queued | {"idempotency-key": secrets.token_hex(16)})
        assert later.status in (200, 409)  # it is another save, from the same old form
        assert site.doc.title == "Kept for later"


async def test_two_who_send_the_same_save_at_once_save_once() -> None:
    site = Papers()
    async with running(site.app):
        ada = await site.person()
        key = {"idempotency-key": secrets.token_hex(16)}
        first, second = await asyncio.gather(*(ada.save(title="Mine", headers=key) for _ in range(2)))
        assert {first.status, second.status} == {200}
        assert len(site.accepted) == 1
