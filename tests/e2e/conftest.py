"""Real browsers over real sockets: every test that asks for `htmx` runs on htmx 4 and on htmx 2."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from .boardserver import Board
from .byhand import Kit
from .desk import Desk, sign_in
from .lab import Gate, Lab
from .people import Person

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / "js" / "node_modules"
# Each window would draw its address bar's suggestions as two pages of the browser's own, and keep one more ready: three
# renderers beside the one under test. The last list of this name counts, so Playwright's own names are in it, too.
NOT_NEEDED = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,SpareRendererForSitePerProcess,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch"
)
CHROMIUM_FLAGS = [
    f"--disable-features={NOT_NEEDED}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Htmx:
    """One version of htmx as the tests load it."""

    major: int
    package: str

    @property
    def source(self) -> str:
        return (NODE_MODULES / self.package / "dist" / "htmx.min.js").read_text(encoding="utf-8")


# What these try depends little on which htmx a page has: `make test` tries them on one version, `make both` on the other.
EITHER = frozenset(
    (
        "bell", "changes", "confirm", "feedback", "list", "pending", "queue", "upload", "validate", "presence", "presence_words", "presence_show", "region", "progress", "lease", "lease_owner", "undo_toast", "queue_panel", "docs",
        "entities", "edit", "move", "place", "list_news", "renew", "tabs", "drafts", "drafts_random", "show_access", "show_actions",
        "show_board", "show_busy", "show_documents", "show_drafts", "show_feedback", "show_life", "show_loading", "show_log", "show_order",
        "show_people", "show_resync", "upload_files", "dashboard_numbers", "transports", "optimistic_insert",
        "optimistic_rules", "failures", "announce", "pace", "latency",
    )
)  # fmt: skip


# Files that take long, though they hold few tests: begun last, they would be waited for alone.
FIRST = (
    "axe", "show_loading", "optimistic", "presence", "show_busy", "region", "show_documents", "drafts", "show_outage", "docs",
    "place", "show_log", "drafts_random", "failures", "optimistic_insert", "beside_frameworks", "show_frameworks",
    "never_backwards", "optimistic_random", "edit", "list", "queue", "show_board", "show_drafts", "optimistic_rules",
    "lease_owner", "validate", "swaps", "seams", "progress", "upload_files", "presence_words", "queue_panel", "show_life",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem.removeprefix("test_"), len(FIRST)))
    for item in items:
        if item.path.stem.removeprefix("test_") in EITHER and "htmx2" in item.name:
            item.add_marker(pytest.mark.both)


VERSIONS = [pytest.param(Htmx(4, "htmx4"), id="htmx4"), pytest.param(Htmx(2, "htmx2"), id="htmx2")]


@pytest.fixture(params=VERSIONS)
def htmx(request: pytest.FixtureRequest) -> Htmx:
    return request.param


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("The browser tests need Chromium on the PATH (apt install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=CHROMIUM_FLAGS,
            # Back/forward cache is part of what users meet; Playwright turns it off by default.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def context(browser: Browser, live: object) -> Iterator[BrowserContext]:
    """A browser profile, closed before any server of the test, which would wait for the open streams."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    try:
        yield context
    finally:
        context.close()


@pytest.fixture
def errors() -> list[str]:
    """What a page threw or logged as an error; a test that expects one removes it from the list."""
    return []


@pytest.fixture
def open_page(context: BrowserContext, errors: list[str]) -> Iterator[Callable[..., Page]]:
    """A factory of pages in one browser profile; an unexpected page error fails the test."""

    def watch(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in str(message.location):
            errors.append(message.text)

    def open_page(url: str | None = None) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", watch)
        if url is not None:
            page.goto(url)
        return page

    yield open_page
    assert errors == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


@contextmanager
def serve(app: Any, **options: Any) -> Iterator[str]:
    """Run an ASGI app with uvicorn in a thread on a free port; yields its base address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    options = {"log_level": "warning", "ws": "none", "timeout_graceful_shutdown": 2, **options}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    started = threading.Event()
    startup = server.startup

    async def report_startup(sockets: list[socket.socket] | None = None) -> None:
        try:
            await startup(sockets)
        finally:
            started.set()

    server.startup = report_startup  # type: ignore[method-assign]
    failure: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(server.serve([listener]))
        except BaseException as error:  # handed to the test's own thread
            failure.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="uvicorn", daemon=True)
    thread.start()
    try:
        assert started.wait(10), "the server did not start within 10 s"
        if failure or not server.started:
            raise RuntimeError("the server did not start") from (failure[0] if failure else None)
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "the server did not stop within 10 s"


@pytest.fixture
def live() -> Iterator[Callable[..., str]]:
    """`live(app)` serves an app for the length of the test and returns its address."""
    with ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(serve(app, **options))
        for gate in list(Gate.made):  # a server waits for the requests it is working on
            gate.open()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Bundles `tests/e2e/pages/<name>.js` with esbuild, once a session."""
    folder = tmp_path_factory.mktemp("bundles")
    built: dict[str, str] = {}

    def build(name: str) -> str:
        if name not in built:
            out = folder / f"{name}.js"
            source = ROOT / "tests" / "e2e" / "pages" / f"{name}.js"
            command = [str(NODE_MODULES / ".bin" / "esbuild"), str(source), "--bundle", f"--outfile={out}"]
            subprocess.run([*command, "--format=iife", "--log-level=warning"], check=True, timeout=60)
            built[name] = out.read_text(encoding="utf-8")
        return built[name]

    return build


@pytest.fixture
def kit(page: Page, htmx: Htmx, bundle: Callable[[str], str]) -> Kit:
    """A page whose server and stream the test plays by hand."""
    return Kit(page, htmx.source, bundle)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """The example, started once for a file of tests."""
    with Board(tmp_path_factory.mktemp("board")) as board:
        yield board


@pytest.fixture
def lab(live: Callable[..., str], htmx: Htmx) -> Callable[..., tuple[Lab, str]]:
    """`lab(limits=…)` starts a small app to be filled with pages, and returns it with its address."""

    def start(**options: Any) -> tuple[Lab, str]:
        lab = Lab(htmx=htmx.major, **options)
        return lab, live(lab.app)

    return start


@pytest.fixture
def desk(live: Callable[..., str], htmx: Htmx) -> Desk:
    """An app whose actions may be kept for later."""
    desk = Desk(htmx=htmx.major)
    desk.address = live(desk.app)
    return desk


@pytest.fixture
def person(browser: Browser, errors: list[str], live: object) -> Iterator[Callable[..., Person]]:
    """`person(address, htmx)` is somebody with a browser profile of their own; an unexpected page error fails the test."""
    with ExitStack() as stack:

        def arrive(
            address: str,
            htmx: Htmx | None = None,
            *,
            version: str = "",
            expected: tuple[int | str, ...] = (),
            **options: Any,
        ) -> Person:
            context = stack.enter_context(closing(browser.new_context(**options)))
            version = version or str(htmx.major if htmx else 4)
            return Person(context, address, errors, version=version, expected=expected)

        yield arrive
    assert errors == []


@pytest.fixture
def ada(person: Callable[..., Person], desk: Desk) -> Person:
    """Somebody signed in at the desk as Ada; what browser and htmx say of requests that fail is expected."""
    refused = (
        401,
        403,
        404,
        409,
        422,
        500,
        503,
        "net::ERR_FAILED",
        "htmx:error: Failed to fetch",
        "htmx:sendError",
        "htmx:afterRequest,",
    )
    ada = person(desk.address, expected=(*refused, "Response Status Error Code"))
    sign_in(ada, "ada")
    return ada
