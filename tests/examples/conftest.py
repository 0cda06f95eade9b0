"""The task board of examples/fastapi, started for each test, and two people who look at it."""

import importlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from htmx_rt.testing import Browser, Page, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi"
MODULES = ("app", "demo", "forms", "models", "people")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The example's module, with a database of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARD_DB", str(tmp_path_factory.mktemp("board") / "board.db"))
        patch.setenv("BOARD_SECRET", "a secret of thirty-two bytes or more")
        patch.syspath_prepend(str(EXAMPLE))
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield importlib.import_module("app")
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture
async def app(example: ModuleType) -> AsyncIterator[Any]:
    """The app as it starts for the first time."""
    for file in sys.modules["models"].PATH.parent.iterdir():
        file.unlink()
    async with running(example.app):
        yield example.app


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
