from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from htmx_rt.testing import Browser, Refusal

from ..kit import Site, nothing_left, problem

pytestmark = pytest.mark.anyio
JSON = {"content-type": "application/json"}


@pytest.fixture
def site() -> Site:
    return Site()


async def call(browser: Browser, body: bytes, **headers: str) -> tuple[int, str | None]:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return problem(await browser.request("POST", "/_rt/stream", body, headers=sent))


def nested(depth: int) -> bytes:
    return b'{"v":1,"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"1", b"[]", b'"x"', b"{", b'{"v":1', b"\xff\xfe", b"{'v':1}", b'{"v":1}{"v":1}', b"\0", nested(17),
        b"[" * 60_000, b'{"a":' * 10_000, b'{"v":' + b"9" * 5000 + b"}", b'{"v":NaN,"tabs":[]}', "ö".encode("utf-16"),
    ],
    ids=lambda body: repr(body[:16]),
)  # fmt: skip
async def test_a_body_that_is_no_json_object_is_refused(site: Site, body: bytes) -> None:
    assert (await call(site.browser(), body))[0] == 400


@pytest.mark.parametrize("depth", [16, 17])
async def test_json_may_be_sixteen_levels_deep(site: Site, depth: int) -> None:
    page = await site.browser().request("POST", "/_rt/stream", nested(depth), headers=JSON)
    assert ("levels deep" in page.text) == (depth == 17)


async def test_brackets_in_strings_are_no_depth(site: Site) -> None:
    page = await site.browser().request("POST", "/_rt/stream", b'{"v":1,"x":"' + b'[\\"' * 1000 + b'"}', headers=JSON)
    assert "levels deep" not in page.text


@pytest.mark.parametrize(
    "body",
    [b'"' + b'\\"' * 32_000, b'"' * 60_000, b'"' + b"\\" * 60_001, b'\\"' * 30_000, b'{"a":"' + b"x" * 60_000],
    ids=lambda body: repr(body[:8]),
)
async def test_no_body_within_the_limit_holds_the_worker_up(site: Site, body: bytes) -> None:
    began = time.perf_counter()
    assert (await call(site.browser(), body))[0] == 400
    assert time.perf_counter() - began < 0.5  # thirteen seconds, where every quote is tried as a beginning


async def test_a_body_over_the_limit_is_refused_before_it_is_read(site: Site) -> None:
    assert await call(site.browser(), b"x" * 65_537) == (413, "too-large")
    assert (await call(site.browser(), b"x" * 65_536))[0] == 400


async def test_a_body_without_a_length_is_counted_as_it_comes(site: Site) -> None:
    assert await call(site.browser(), b"x" * 65_537, content_length="0") == (413, "too-large")


@pytest.mark.parametrize("length", ["²", "-1", "1e3", "9" * 5000, "0x10", ""], ids=lambda value: value[:8])
async def test_a_strange_content_length_is_no_error_of_ours(site: Site, length: str) -> None:
    status, _ = await call(site.browser(), b"{}", content_length=length)
    assert status in (400, 413)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
)
async def test_a_wrong_content_type_is_refused(site: Site, kind: str) -> None:
    assert await call(site.browser(), b"{}", content_type=kind) == (400, "bad-request")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_may_name_its_charset(site: Site, kind: str) -> None:
    assert await call(site.browser(), b"{}", content_type=kind) == (400, "bad-version")


async def test_a_body_that_never_comes_is_given_up_and_a_client_that_leaves_leaves_nothing() -> None:
    site = Site(limits={"body_timeout": 0.01})

    async def never(scope: dict[str, Any]) -> list[Any]:
        sent: list[Any] = []
        receiving = asyncio.Event()

        async def receive() -> Any:
            await receiving.wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await site.app(scope, receive, send)
        return sent

    headers = [(b"content-type", b"application/json"), (b"sec-fetch-site", b"same-origin")]
    scope = {"type": "http", "method": "POST", "path": "/_rt/stream", "headers": headers, "scheme": "http"}
    async with nothing_left():
        [start, _] = await never(scope)
    assert start["status"] == 408


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing() -> None:
    site = Site()
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"sec-fetch-site", b"same-origin")]
    async with nothing_left():
        scope = {"type": "http", "method": "POST", "path": "/_rt/stream", "headers": headers, "scheme": "http"}
        await site.app(scope, receive, send)
    assert sent[0]["status"] == 400


OWN, OTHER = "http://testserver", "http://evil.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 400),
        ({"sec-fetch-site": "same-origin", "origin": OTHER}, 400),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": ""}, 403),
        ({"sec-fetch-site": "cross-site", "origin": OWN}, 403),
        ({}, 403),
        ({"origin": OWN}, 400),
        ({"origin": "https://testserver"}, 400),
        ({"origin": "http://TESTSERVER"}, 400),
        ({"origin": "http://testserver:80"}, 400),
        ({"origin": "https://testserver:443"}, 400),
        ({"origin": "http://testserver:8080"}, 403),
        ({"origin": "https://testserver:80"}, 403),
        ({"origin": OTHER}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://testserver.evil.example"}, 403),
        ({"origin": "http://eviltestserver"}, 403),
        ({"origin": "http://testserver@evil.example"}, 403),
        ({"origin": "http://evil.example@testserver"}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "ftp://testserver"}, 403),
        ({"origin": "testserver"}, 403),
        ({"origin": OTHER, "referer": OWN + "/page"}, 403),
        ({"referer": OWN + "/page?x=1"}, 400),
        ({"referer": OTHER + "/testserver"}, 403),
        ({"origin": "https://app.example"}, 400),
        ({"origin": "http://app.example"}, 403),
        ({"origin": OWN, "host": ""}, 403),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else str(value),
)
async def test_only_pages_of_this_site_may_call(headers: dict[str, str], status: int) -> None:
    site = Site(origins=["https://app.example/"])
    sent = [(name.encode(), value.encode()) for name, value in (JSON | {"host": "testserver"} | headers).items()]
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await site.app(
        {"type": "http", "method": "POST", "path": "/_rt/stream", "headers": sent, "scheme": "http"}, receive, send
    )
    assert messages[0]["status"] == status


async def test_a_refusal_is_a_problem_document_and_never_html(site: Site) -> None:
    with pytest.raises(Refusal) as caught:
        async with site.browser().open({"v": 1, "cursor": None, "tabs": [{"id": "<script>"}]}):
            pass
    page = caught.value.page
    assert page.header("content-type") == "application/problem+json"
    assert page.header("cache-control") == "no-store"
    assert page.header("x-content-type-options") == "nosniff"
    document = json.loads(page.text)
    assert document["title"] == page.header("rt-problem")
    assert document["status"] == page.status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/_rt/stream", 400), ("HEAD", "/_rt/stream", 405), ("PUT", "/_rt/stream", 405), ("GET", "/_rt/nothing", 404), ("GET", "/_rt/", 404),
     ("GET", "/_rt/whoami", 404), ("POST", "/_rt/health", 405), ("HEAD", "/_rt/health", 200), ("GET", "/_rt/stream/", 404)],
)  # fmt: skip
async def test_what_there_is_below_the_prefix(site: Site, method: str, path: str, status: int) -> None:
    page = await site.browser().request(method, path)
    assert page.status == status


@pytest.mark.parametrize("path", ["/_rt", "/_rtx/stream", "/x/_rt/stream"])
async def test_what_is_not_below_the_prefix_is_the_apps(site: Site, path: str) -> None:
    assert (await site.browser().get(path)).text == "Not Found"


async def test_health_tells_of_a_worker_about_to_stop(site: Site) -> None:
    page = await site.browser().get("/_rt/health")
    assert (page.status, json.loads(page.text)["status"]) == (200, "ok")
    await site.rt.drain()
    page = await site.browser().get("/_rt/health")
    assert (page.status, json.loads(page.text)["status"]) == (503, "draining")
