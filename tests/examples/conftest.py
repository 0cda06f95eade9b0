"""The task board on one framework, started for each test, and two people who look at it."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from boards import imported, open_board

from htmx_rt.testing import Browser, Page, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The board's module; tests of another framework have one of their own."""
    with imported("app", tmp_path_factory.mktemp("board")) as module:
        yield module


@pytest.fixture
async def app(example: ModuleType) -> AsyncIterator[Any]:
    """The app as it starts for the first time."""
    for file in sys.modules["models"].PATH.parent.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    app = getattr(example, "asgi", None) or example.app
    if example.__name__ == "flask_app":  # has no lifespan, and opened the board when it was imported
        example.engine.dispose()
        open_board()
    async with running(app):
        yield app


@pytest.fixture
async def ada(app: Any) -> AsyncIterator[Browser]:
    async with Browser(app) as browser:
        await browser.post("/sign-in", {"person": "ada"})
        yield browser


@pytest.fixture
async def grace(app: Any) -> AsyncIterator[Browser]:
    async with Browser(app) as browser:
        await browser.post("/sign-in", {"person": "grace"})
        yield browser


@pytest.fixture(params=["plain", "htmx"])
async def page(request: pytest.FixtureRequest, ada: Browser) -> Page | None:
    """The page a request is made from with htmx, or None for a plain one."""
    return await ada.get("/") if request.param == "htmx" else None


@pytest.fixture
def later(app: Any, example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`later(6)`: so many seconds have gone by for what is deferred."""
    store, ahead = example.rt.store, 0.0
    clock = store.clock

    def turn(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds
        example.rt.undo.wake(0.0)

    monkeypatch.setattr(store, "clock", lambda: clock() + ahead)
    return turn
