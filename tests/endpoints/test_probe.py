"""A trial stream: ticks for everybody, and how the worker is set up for who knows its secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from htmx_rt.endpoints.probe import _AT_ONCE, _backpressure
from htmx_rt.testing import Browser, Page

from ..kit import SECRET, Site

pytestmark = pytest.mark.anyio
SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.rt.start()
    yield site
    await site.rt.stop()


async def ticks(site: Site, query: str) -> list[dict[str, Any]]:
    page = await asked(site, query)
    assert page.status == 200, page.text
    return [json.loads(block.removeprefix("data: ")) for block in page.text.split("\n\n") if block]


async def asked(site: Site, query: str, headers: dict[str, str] | None = None) -> Page:
    return await Browser(site.app).get(f"/_rt/stream?{query}", headers=SAME if headers is None else headers)


async def test_it_ticks_at_the_times_that_it_tells(site: Site) -> None:
    told = await ticks(site, "probe=3")
    assert [tick["n"] for tick in told] == [0, 1, 2]
    assert told[0]["ms"] < 50
    assert told[2]["ms"] >= 200
    assert told[0]["now"] == site.clock.now
    assert told[0]["epoch"] == site.rt.bus.log.epoch
    assert not site.rt.opening


async def test_it_has_the_head_of_a_stream(site: Site) -> None:
    page = await asked(site, "probe=1")
    assert page.header("content-type") == "text/event-stream; charset=utf-8"
    assert page.header("cache-control") == "private, no-store, no-transform"
    assert page.header("x-accel-buffering") == "no"
    assert page.header("set-cookie") is None


@pytest.mark.parametrize("count", ["0", "21", "-1", "1e3", "x", "٣"])
async def test_other_numbers_are_refused(site: Site, count: str) -> None:
    page = await asked(site, f"probe={count}")
    assert (page.status, page.header("rt-problem")) == (400, "bad-request")


async def test_other_sites_may_not_ask(site: Site) -> None:
    page = await asked(site, "probe=1", {"sec-fetch-site": "cross-site"})
    assert page.status == 403


async def test_too_many_at_once_are_refused_and_forgotten(site: Site) -> None:
    many = await asyncio.gather(*[asked(site, "probe=2") for _ in range(_AT_ONCE + 6)])
    assert sorted(page.status for page in many) == [200] * _AT_ONCE + [503] * 6
    assert (await asked(site, "probe=1")).status == 200


async def test_it_ends_with_the_worker(site: Site) -> None:
    running = asyncio.create_task(asked(site, "probe=20"))
    while not site.rt.opening:
        await asyncio.sleep(0)
    site.rt.begin_drain()
    page = await running
    assert page.text.count("data:") < 5
    assert (await asked(site, "probe=1")).status == 503


async def test_how_it_is_set_up_is_for_who_can_sign(site: Site) -> None:
    signer, now = site.rt.signer, site.clock.now
    [told] = await ticks(site, f"probe=1&look={signer.dumps('doctor', now)}")
    look = told["look"]
    assert look["bus"] == "MemoryBus"
    assert look["shared"] is False
    assert look["streams"] == 0
    assert look["limit"] == site.rt.limits.streams
    assert SECRET not in json.dumps(look)
    for word in (
        "",
        "x",
        signer.dumps("doctor", now)[:-2],
        signer.dumps("ticket", now),  # for another purpose
        signer.dumps("doctor", "now"),
        signer.dumps("doctor", now - 61),
        signer.dumps("doctor", now + 61),
        Site().rt.signer.dumps("doctor", now),
    ):
        [told] = await ticks(site, f"probe=1&look={word}")
        assert "look" not in told, word


@pytest.mark.parametrize(
    ("arguments", "environment", "taken"),
    [
        ("granian app:app", {}, 1024),
        ("granian --backpressure 11000 app:app", {}, 11000),
        ("granian --workers 4 app:app", {}, 256),
        ("granian --backlog=2048 --workers 2 app:app", {}, 1024),
        ("granian app:app", {"GRANIAN_BACKPRESSURE": "7"}, 7),
        ("granian --backpressure many app:app", {}, 1024),
        ("run.py", {"GRANIAN_BACKLOG": "x"}, 1024),
    ],
)
def test_how_many_connections_granian_takes(arguments: str, environment: dict[str, str], taken: int) -> None:
    assert _backpressure(arguments.split(), environment) == taken
