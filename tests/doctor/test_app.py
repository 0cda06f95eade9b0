"""The doctor at apps, without a server; and what it reads from a page."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from htmx_rt.__main__ import main
from htmx_rt.doctor.page import read_page

from .kit import Said, ask

Write = Callable[..., Said]
numbers = itertools.count()
START = """
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from htmx_rt import Realtime, RealtimeMiddleware
rt = Realtime(secret="a secret of thirty-two bytes or more"{options})
app = Starlette()
"""


@pytest.fixture
def write(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """`write("app.add_middleware(…)")` is what the doctor says of such an app."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)

    def write(*lines: str, options: str = "", target: str = "app") -> Said:
        module = f"app_of_the_doctor_{next(numbers)}"
        (tmp_path / f"{module}.py").write_text(START.format(options=options) + "\n".join(lines))
        return ask(capsys, f"{module}:{target}")

    return write


OURS = "app.add_middleware(RealtimeMiddleware, rt=rt)"
OTHER = "app.add_middleware(GZipMiddleware)"


@pytest.mark.parametrize(
    "lines",
    [
        (OURS,),
        (OTHER, OURS),
        ("app = RealtimeMiddleware(app, rt=rt)",),
        ("app.asgi_app = RealtimeMiddleware(app, rt=rt)",),
    ],
)
def test_a_middleware_around_everything(write: Write, lines: tuple[str, ...]) -> None:
    said = write(*lines)
    assert said.code == 0
    for about in ("middleware", "workers", "store", "build", "start", "server"):
        assert said.level(about) == "ok"


@pytest.mark.parametrize(
    "lines",
    [
        (OURS, OTHER),
        ("app = GZipMiddleware(RealtimeMiddleware(app, rt=rt))",),
        (
            "class Other:",
            "    def __init__(self, inner): self.inner = inner",
            "    async def __call__(self, *args): ...",
            OURS,
            "app = Other(app)",
        ),
    ],
)
def test_a_middleware_within_others(write: Write, lines: tuple[str, ...]) -> None:
    said = write(*lines)
    assert said.level("middleware") == "warning"
    assert "1 lies around it" in said.findings["middleware"][0]["text"]


def test_no_middleware(write: Write) -> None:
    said = write()
    assert said.level("middleware") == "problem"
    said = write("del rt")
    assert said.bad() == {"app": "problem"}


def test_several_workers_of_one_process_each(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    said = write(OURS)
    assert said.bad() == {"workers": "problem"}
    assert "redis://" in said.cure("workers")


def test_a_redis_that_is_away(write: Write) -> None:
    said = write(OURS, options=', bus="redis://127.0.0.1:1"')
    assert said.level("workers") == "ok"
    assert said.level("start") == "problem"


def test_a_store_that_cannot_be_opened(write: Write, tmp_path: Path) -> None:
    said = write(OURS, options=f', store="sqlite:///{tmp_path}/missing/rt.db"')
    assert said.level("start") == "problem"


@pytest.mark.parametrize("target", ["nowhere:app", "json:app"])
def test_no_such_app(capsys: pytest.CaptureFixture[str], target: str) -> None:
    assert ask(capsys, target).bad() == {"app": "problem"}


def test_an_app_that_fails_at_import(write: Write) -> None:
    said = write("1 / 0")
    assert said.bad() == {"app": "problem"}
    assert "ZeroDivisionError" in said.findings["app"][0]["text"]


def test_a_command_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "COMMAND" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    assert "module:app" in capsys.readouterr().out


def test_what_is_read_from_a_page() -> None:
    read = read_page(
        '<head><meta name="htmx-rt" content="{&quot;prefix&quot;:&quot;/x/_rt&quot;}" rt-stream="user:1" rt-grant="g0">'
        '<script defer src="/x/_rt/static/0123/htmx-rt.js"></script><link rel="stylesheet" href="/own/static/site.css">'
        '</head><body><p rt-stream="a b" rt-grant="g1 g2">'
    )
    assert read.config == {"prefix": "/x/_rt"}
    assert read.grants == {"user:1": "g0", "a": "g1", "b": "g2"}
    assert read.files == ["/x/_rt/static/0123/htmx-rt.js"]
    [tab] = json.loads(read.order())["tabs"]
    assert tab["fresh"] == ["g0", "g1", "g2"]
    assert read_page('<meta name="htmx-rt" content="{">').config is None
    assert read_page("").config is None
