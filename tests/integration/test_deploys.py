"""Deploys: two versions side by side behind nginx over Redis, and nobody notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from visitor import Visitor

from htmx_rt import protocol
from tests.rolling import Workers, rolling_restart

Visit = Callable[..., Visitor]
STREAMS = 200


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with Workers(tmp_path) as workers:
        yield workers


def test_a_rolling_restart_loses_nothing_and_is_no_stampede(tmp_path: Path) -> None:
    outcome = asyncio.run(rolling_restart(tmp_path, STREAMS))

    assert outcome.lost == 0
    assert outcome.out_of_order == 0
    assert outcome.resyncs == {}
    assert max(outcome.exits) < 1
    assert outcome.busiest <= 0.3 * STREAMS
    assert outcome.outages == 0  # moving, and nothing else
    assert len(outcome.reconnects) >= STREAMS
    assert outcome.published >= 50
    builds = {tab.builds[-1].partition("-")[0] for tab in outcome.tabs}
    assert builds == {"2"}


def test_pages_of_both_versions_hear_each_other(workers: Workers, visit: Visit) -> None:
    workers.replace(1, "2")
    old, new = (visit(address) for address in workers.addresses)
    before, after = old.get("/"), new.get("/")
    assert (before.select("title")[0].text, after.select("title")[0].text) == ("1", "2")
    with old.stream(before) as one, new.stream(after) as other:
        builds = [stream.hello["build"].partition("-")[0] for stream in (one, other)]
        new.post("/publish/1")
        old.post("/publish/2")
        assert [stream.texts(2) for stream in (one, other)] == [['<li id="row-1">1</li>', '<li id="row-2">2</li>']] * 2
    assert builds == ["1", "2"]
    old.http.cookies.jar = new.http.cookies.jar
    with old.stream(after):  # a page of the new version, on a worker of the old one
        pass


def everywhere(visit: Visit, workers: Workers, name: str) -> list[Visitor]:
    """Return one person's browser as each worker sees it."""
    browsers = [visit(address) for address in workers.addresses]
    browsers[1].http.cookies.jar = browsers[0].http.cookies.jar  # cookies know no ports
    browsers[0].post("/sign-in", {"name": name})
    return browsers


def test_signing_out_on_one_worker_ends_the_streams_on_another(workers: Workers, visit: Visit) -> None:
    ada, grace = everywhere(visit, workers, "ada"), everywhere(visit, workers, "grace")
    hers, theirs = ada[0].get("/"), grace[0].get("/")
    with ada[0].stream(hers) as stream, grace[0].stream(theirs) as other:
        began = time.monotonic()
        ada[1].post("/sign-out")
        assert stream.event(protocol.STOP, within=2).data["why"] == "signed-out"
        assert stream.ended() == []
        assert time.monotonic() - began < 2
        ada[1].post("/publish/1")
        assert other.texts(1) == ['<li id="row-1">1</li>']


@pytest.mark.parametrize("whose", ["ada", "everybody"])
def test_a_topic_revoked_on_one_worker_is_gone_on_another(workers: Workers, visit: Visit, whose: str) -> None:
    ada, grace = everywhere(visit, workers, "ada"), everywhere(visit, workers, "grace")
    hers, theirs = ada[0].get("/"), grace[0].get("/")
    with ada[0].stream(hers) as stream, grace[0].stream(theirs) as other:
        began = time.monotonic()
        grace[1].post(f"/revoke/{whose}")
        assert stream.event(protocol.REVOKED, within=2).data["topics"] == ["board:1"]
        if whose == "everybody":
            assert other.event(protocol.REVOKED, within=2).data["topics"] == ["board:1"]
        assert time.monotonic() - began < 2
        if whose == "ada":
            grace[1].post("/publish/1")
            assert other.texts(1) == ['<li id="row-1">1</li>']
    # And a grant written before counts on no worker any more.
    with ada[1].stream(hers) as stream:
        assert stream.hello["refused"] == ["board:1"]
