"""Frameworks of all kinds behind the middleware, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bs4 import BeautifulSoup
from servers import Server
from visitor import Visitor

from htmx_rt import protocol
from htmx_rt.frames import action_key, parse_cursor

ACTION = "8d7f4f0e-9f0d-4e1a-a3a5-0c4b1f6e2d11"
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module", params=["flask", "quart"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with Server(f"{request.param}_app:app", "--port", "0") as server:
        yield server.address()


@pytest.mark.parametrize("place", ["sync", "async"])
def test_a_view_publishes_to_everybody_who_reads(address: str, visit: Visit, place: str) -> None:
    ada, bob = visit(address), visit(address)
    his = bob.get("/")
    with bob.stream(his) as stream:
        hers = ada.get("/")
        answer = ada.post(f"/{place}", {"text": "<b>1</b>"}, page=hers, action=ACTION)
        frame = stream.event(protocol.OPS).data

    assert answer.status == 200
    verb, target, html = frame["ops"][0]
    assert (verb, target) == ("append", "#rows")
    assert BeautifulSoup(html, "html.parser").select_one(f"li#{place}") is not None
    assert "<b>" not in html
    assert frame["key"] == action_key(ACTION)
    assert frame["by"] == hers.tab


@pytest.mark.parametrize("place", ["sync", "async"])
def test_a_response_says_where_the_log_stood_and_what_it_added(address: str, visit: Visit, place: str) -> None:
    ada = visit(address)
    page = ada.get("/")
    before = parse_cursor(page.select("[rt-at]")[0]["rt-at"])
    answer = ada.post(f"/{place}", {"text": "1"}, page=page)
    after = ada.get("/", page=page)

    assert before is not None
    assert parse_cursor(answer.header("RT-At")) == before
    own = answer.header("RT-Own")
    assert own is not None
    assert int(own, 36) == before.offset + 1
    assert parse_cursor(after.header("RT-At")) == before._replace(offset=before.offset + 1)
    assert after.header("RT-Own") is None


def test_a_request_that_is_not_from_a_page_gets_no_position(address: str, visit: Visit) -> None:
    answer = visit(address).post("/sync", {"text": "1"})

    assert answer.header("RT-At") is None
    assert answer.header("RT-Own") is None


def test_a_person_is_known_by_the_frameworks_own_session(address: str, visit: Visit) -> None:
    ada, stranger = visit(address), visit(address)
    assert "user:ada" not in ada.get("/").grants
    assert ada.post("/sign-in", {"name": "ada"}).status == 303

    page = ada.get("/")
    assert sorted(page.grants) == ["board:1", "user:ada"]
    with ada.stream(page) as stream:
        assert sorted(stream.hello["grants"]) == ["board:1", "user:ada"]
    # A page of hers in somebody else's browser opens nothing of hers.
    stranger.get("/")
    with stranger.stream(stranger.get("/")) as stream:
        assert sorted(stream.hello["grants"]) == ["board:1"]


def test_signing_out_ends_the_streams_of_the_other_tab(address: str, visit: Visit) -> None:
    ada = visit(address)
    ada.post("/sign-in", {"name": "ada"})
    page = ada.get("/")
    with ada.stream(page) as stream:
        ada.post("/sign-in", {"name": ""})
        ada.get("/")  # the first page that is rendered for nobody
        assert stream.event(protocol.STOP, within=2).data["why"] == "signed-out"
        assert stream.ended() == []


def test_macros_can_be_imported_in_an_async_environment(visit: Visit) -> None:
    with Server("quart_app:app", "--port", "0") as server:
        page = visit(server.address()).get("/imported")

    assert list(page.grants) == ["board:1"]
    assert page.select("#rt-banner")
