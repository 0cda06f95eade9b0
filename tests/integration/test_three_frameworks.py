"""One board on three frameworks, each a server of its own, over one Redis and one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from visitor import Visitor

from htmx_rt import protocol
from htmx_rt.testing import Page
from tests.cluster import ADDRESS, board, redis

Visit = Callable[..., Visitor]
FRAMEWORKS = ("fastapi", "quart", "flask")
TASK = {"title": "Call the printer", "priority": "normal", "due": ""}


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder: Path = tmp_path_factory.mktemp("board")
    with ExitStack() as stack:
        env = {"RT_BUS": stack.enter_context(redis(folder)), "BOARD_DB": str(folder / "board.db")}
        # At the same time, on a file that none of them has made yet.
        servers = {name: stack.enter_context(board(name, env=env)) for name in FRAMEWORKS}
        yield {name: server.line(ADDRESS)[1] for name, server in servers.items()}


def same_browser(visit: Visit, addresses: dict[str, str]) -> dict[str, Visitor]:
    """Return one person's browser, as each of three servers behind one host name would see it."""
    visitors = {name: visit(address) for name, address in addresses.items()}
    first = next(iter(visitors.values()))
    for visitor in visitors.values():
        visitor.http.cookies.jar = first.http.cookies.jar  # cookies know no ports
    return visitors


def titles(page: Page) -> list[str]:
    return [element.get_text() for element in page.select(".task-title")]


@pytest.mark.parametrize("actor", FRAMEWORKS)
def test_what_one_adds_all_see(addresses: dict[str, str], visit: Visit, actor: str) -> None:
    readers = {name: visit(address) for name, address in addresses.items()}
    for name, person in zip(FRAMEWORKS, ("ada", "grace", "jonas"), strict=True):
        readers[name].post("/sign-in", {"person": person})
    pages = {name: reader.get("/") for name, reader in readers.items()}
    with ExitStack() as stack:
        streams = {name: stack.enter_context(readers[name].stream(pages[name])) for name in FRAMEWORKS}
        answer = readers[actor].post("/tasks", TASK | {"title": f"From {actor}"}, page=pages[actor])
        assert answer.status == 200
        messages = [stream.event(protocol.OPS).data for stream in streams.values()]
    assert messages[0] == messages[1] == messages[2]
    row = answer.select(".task")[0]
    assert messages[0]["ops"][0][:2] == ["append", "#tasks"]
    assert str(row["id"]) in messages[0]["ops"][0][2]
    boards = [titles(reader.get("/")) for reader in readers.values()]
    assert f"From {actor}" in boards[0]
    assert boards[0] == boards[1] == boards[2]


def test_one_sign_in_and_one_grant_count_everywhere(addresses: dict[str, str], visit: Visit) -> None:
    browser = same_browser(visit, addresses)
    browser["flask"].post("/sign-in", {"person": "ada"})
    page = browser["quart"].get("/")
    assert "Ada Okafor" in page.text
    with ExitStack() as stack:
        streams = [stack.enter_context(visitor.stream(page)) for visitor in browser.values()]
        assert all(sorted(stream.hello["grants"]) == ["board:1", "here:board:1", "user:ada"] for stream in streams)
        browser["fastapi"].post("/tasks/4/done", {"done": "true"})
        assert [stream.event(protocol.OPS).data["t"] for stream in streams] == ["board:1"] * 3
        browser["quart"].post("/sign-out")
        assert [stream.event(protocol.STOP, within=2).data["why"] for stream in streams] == ["signed-out"] * 3


def test_a_page_of_one_resumes_on_another(addresses: dict[str, str], visit: Visit) -> None:
    browser = same_browser(visit, addresses)
    browser["fastapi"].post("/sign-in", {"person": "ada"})
    page = browser["fastapi"].get("/")
    with browser["fastapi"].stream(page) as stream:
        cursor = stream.checkpoint()
    browser["flask"].post("/tasks", TASK | {"title": "Meanwhile"})
    with browser["quart"].stream(page, cursor=cursor) as stream:
        assert "Meanwhile" in stream.event(protocol.OPS).data["ops"][0][2]
