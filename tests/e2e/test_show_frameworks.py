"""Three people on three frameworks, one board; and a worker that dies while two of them work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.cluster import ADDRESS, Process, board, free_port, nginx, redis

from .people import Person, sample, samples, states

FRAMEWORKS = {"fastapi": "ada", "quart": "grace", "flask": "jonas"}
BANNER = "() => !document.querySelector('#rt-banner').hidden"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def env(stack: ExitStack, tmp_path: Path) -> dict[str, str]:
    return {"RT_BUS": stack.enter_context(redis(tmp_path)), "BOARD_DB": str(tmp_path / "board.db")}


def address_of(server: Process) -> str:
    """Where it listens, once it has loaded, which it has not when it begins to listen."""
    address = server.line(ADDRESS)[1]
    httpx.get(f"{address}/sign-in", timeout=60, trust_env=False).raise_for_status()
    return address


def add(page: Page, title: str) -> None:
    page.locator("#title").fill(title)
    page.locator("#send").click()
    expect(page.locator("#title")).to_have_value("")


def titles(page: Page) -> list[str]:
    return page.locator(".task-title").all_inner_texts()


def test_what_one_does_all_see(stack: ExitStack, env: dict[str, str], person: Callable[..., Person]) -> None:
    servers = {name: stack.enter_context(board(name, env=env)) for name in FRAMEWORKS}
    pages = {name: person(address_of(server)).sign_in(FRAMEWORKS[name]).open() for name, server in servers.items()}
    for name, page in pages.items():
        add(page, f"From {name}")
        for other in pages.values():
            expect(other.locator(".task-title", has_text=f"From {name}")).to_have_count(1)
    row = pages["quart"].locator(".task", has_text="From flask")
    row.get_by_role("checkbox").click()
    for page in pages.values():
        expect(page.locator(".task.is-done", has_text="From flask")).to_have_count(1)
    lists = [titles(page) for page in pages.values()]
    assert lists[0] == lists[1] == lists[2]
    assert len(lists[0]) == 15


def test_one_document_is_locked_and_merged_across_all(
    stack: ExitStack, env: dict[str, str], person: Callable[..., Person]
) -> None:
    servers = {name: stack.enter_context(board(name, env=env)) for name in FRAMEWORKS}
    people = {
        name: person(address_of(server), expected=(409,)).sign_in(FRAMEWORKS[name]) for name, server in servers.items()
    }
    ada, grace, jonas = pages = [one.open("/documents/1/lock") for one in people.values()]
    jonas.fill("#title", "From Flask")
    for page in (ada, grace):
        expect(page.locator(".rt-lease")).to_contain_text("Jonas is editing")
    jonas.click("#save-and-let-go")
    for page in pages:
        page.wait_for_selector('form[data-lease="free"]')
        expect(page.locator("#title")).to_have_value("From Flask")
    ada, grace, jonas = [one.open("/documents/1/merge") for one in people.values()]
    grace.fill("#price", "52.50")
    grace.click("#save")
    expect(grace.locator(".saved")).to_contain_text("Saved as version 3")
    jonas.fill("#tags", "workshop, spring")
    jonas.click("#save")
    expect(jonas.locator(".rt-toast")).to_contain_text("Saved together with what Grace Lindqvist changed: Price")
    ada.fill("#price", "55")
    ada.click("#save")
    expect(ada.locator(".rt-conflict")).to_contain_text("Price")


def test_a_worker_dies_and_nobody_notices(
    stack: ExitStack, env: dict[str, str], person: Callable[..., Person], tmp_path: Path
) -> None:
    ports = [free_port(), free_port()]

    def start(place: int) -> Process:
        server = stack.enter_context(board(("fastapi", "flask")[place], port=ports[place], env=env))
        address_of(server)
        return server

    workers = [start(0), start(1)]
    address = stack.enter_context(nginx(tmp_path, [f"http://127.0.0.1:{port}" for port in ports]))
    pages = [person(address).sign_in(name).open() for name in ("ada", "grace")]
    for page in pages:
        sample(page, "banner", BANNER)
    for place in (0, 1):  # whichever of them a page is on, it loses its line once
        workers[place].process.send_signal(signal.SIGKILL)
        workers[place].process.wait(5)
        for number, page in enumerate(pages):
            add(page, f"{number} without {place}")
        for page in pages:
            for number in (0, 1):
                expect(page.locator(".task-title", has_text=f"{number} without {place}")).to_have_count(1)
        workers[place] = start(place)
    for page in pages:
        assert samples(page, "banner") == [False]
        assert "refused" not in states(page)
    assert titles(pages[0]) == titles(pages[1])
    assert "disconnected" in states(pages[0]) + states(pages[1])


def test_the_one_stream_of_many_tabs_goes_on_at_another_worker(
    stack: ExitStack, env: dict[str, str], person: Callable[..., Person], tmp_path: Path
) -> None:
    ports = [free_port(), free_port()]

    def start(place: int) -> Process:
        server = stack.enter_context(board("fastapi", port=ports[place], env=env))
        address_of(server)
        return server

    workers = [start(0), start(1)]
    ada = person(stack.enter_context(nginx(tmp_path, [f"http://127.0.0.1:{port}" for port in ports]))).sign_in("ada")
    asked: list[Page] = []
    ada.context.on(
        "request", lambda request: asked.append(request.frame.page) if request.url.endswith("/_rt/stream") else None
    )
    tabs = [ada.open() for _ in range(4)]
    for place in (0, 1, 0, 1):
        workers[place].process.send_signal(signal.SIGKILL)
        workers[place].process.wait(5)
        add(tabs[place], f"While {place} was away, {len(asked)}")
        title = tabs[place].locator(".task-title", has_text=f"While {place} was away").last.inner_text()
        for tab in tabs:
            expect(tab.locator(".task-title", has_text=title)).to_have_count(1)
        workers[place] = start(place)
    for tab in tabs:
        assert "refused" not in states(tab)
        assert titles(tab) == titles(tabs[0])
    assert "disconnected" in states(tabs[0]), "the worker of the stream never went"
    assert len({id(page) for page in asked}) == 1, "one page asked for all"
