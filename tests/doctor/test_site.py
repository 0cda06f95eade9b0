"""The doctor at running sites: each with one fault between the app and the visitor, and one with none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.__main__ import main
from htmx_rt.doctor.wire import Client

from ..integration.servers import threaded
from ..kit import SECRET, Site
from .kit import Between, Said, ask

pytestmark = pytest.mark.flaky(reruns=1)  # what is measured depends on how busy the machine is
SOON = {"heartbeat": 1.0}
LISTEN = ("--seconds", "2.5")


class Look(Protocol):
    def __call__(self, *arguments: str, **options: Any) -> Said: ...


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """`look("--quick", buffers=True)` is what the doctor says of a site with a fault."""
    monkeypatch.delenv("RT_SECRET", raising=False)
    with ExitStack() as stack:

        def look(
            *arguments: str,
            path: str = "/?t=board:1&t=board:2",
            limits: dict[str, Any] | None = None,
            ahead: float = 0.0,
            secret: str = SECRET,
            serve: dict[str, Any] | None = None,
            below: str = "",
            afar: bool = False,
            site: dict[str, Any] | None = None,
            **between: Any,
        ) -> Said:
            made = Site(limits=limits, **({"secret": SECRET} | (site or {})))
            made.clock.now = time.time() + ahead
            monkeypatch.setenv("THE_SECRET", secret)
            options = {"ws": "websockets-sansio", "timeout_graceful_shutdown": 5} | (serve or {})
            app = Starlette(routes=[Mount(below, made.app)]) if below else made.app
            address = stack.enter_context(threaded(Between(app, **between), **options))
            if afar:
                monkeypatch.setattr(Client, "local", False)
            return ask(capsys, address + path, "--secret-env", "THE_SECRET", *(arguments or ("--quick",)))

        yield look


def test_a_site_without_a_fault_is_well(look: Look) -> None:
    said = look(*LISTEN, limits=SOON)
    # uvicorn runs in a thread here, and what stands between has its own send.
    assert set(said.bad()) <= {"sending", "ending"}
    assert said.findings["page"][0]["text"].endswith("with 2 topics.")
    for about in (
        "prefix", "files", "cookie", "round trip", "first byte", "packed", "buffering", "clock", "workers", "websocket",
        "server", "http", "sockets", "cut",
    ):  # fmt: skip
        assert said.level(about) == "ok", about
    assert "uvicorn" in said.findings["server"][0]["text"]
    assert "brings the stream" in said.findings["websocket"][0]["text"]


def test_a_stream_that_is_buffered(look: Look) -> None:
    said = look(buffers=True)
    assert said.code == 2
    assert said.level("first byte") == said.level("buffering") == "problem"
    assert "1 lump:" in said.findings["buffering"][0]["text"]
    assert "proxy_buffering off;" in said.cure("buffering")


def test_signs_of_life_that_do_not_come(look: Look) -> None:
    said = look("--seconds", "4", limits={"heartbeat": 60.0})
    assert said.level("cut") == "unknown"


def test_a_stream_that_is_compressed(look: Look) -> None:
    said = look(packs=True)
    assert said.level("packed") == "problem"
    assert len(said.findings["packed"]) == 1
    assert "(gzip)" in said.findings["packed"][0]["text"]
    assert "buffering" not in said.findings  # what cannot be read tells nothing


def test_a_middleware_that_compresses_does_not_reach_streams(look: Look) -> None:
    said = look(site={"middleware": [Middleware(GZipMiddleware, minimum_size=1)]})
    assert said.level("page") == said.level("packed") == "ok"


def test_a_stream_that_is_cut(look: Look) -> None:
    said = look("--seconds", "6", limits=SOON, cuts=3.0)
    assert said.level("cut") == "problem"
    assert "cut after 3." in said.findings["cut"][0]["text"]
    assert "proxy_read_timeout" in said.cure("cut")


def test_a_stream_that_the_server_ends_is_not_cut(look: Look) -> None:
    said = look("--seconds", "6", limits={"heartbeat": 0.5, "stream_life": 1.0})
    assert said.level("cut") == "warning"
    assert "with a word" in said.findings["cut"][0]["text"]


def test_an_answer_that_takes_its_time(look: Look) -> None:
    said = look(delays=1.2)
    assert said.level("first byte") == said.level("round trip") == "warning"
    assert said.level("buffering") == "ok"


def test_addresses_that_do_not_reach_the_app(look: Look) -> None:
    said = look(hides=("/_rt/",))
    assert said.bad() == {"prefix": "problem"}
    assert "--root-path" in said.cure("prefix")


def test_files_that_do_not_reach_the_app(look: Look) -> None:
    said = look(hides=("/_rt/static/",))
    assert said.level("files") == "problem"
    assert "answered 404 text/html" in said.findings["files"][0]["text"]


def test_a_stream_that_somebody_else_answers(look: Look) -> None:
    said = look(hides=("/_rt/stream",), answers=(403, "text/html", b"<h1>Blocked</h1>"))
    assert said.level("stream") == "problem"
    assert "It is not the kit that says so" in said.cure("stream")
    assert said.level("buffering") == "problem"


def test_another_host_than_the_browsers(look: Look) -> None:
    said = look(sends={"host": "app:8000", "sec-fetch-site": ""})
    assert said.level("stream") == "problem"
    assert "proxy_set_header Host $http_host;" in said.cure("stream")
    assert said.level("websocket") == "warning"
    assert "proxy_set_header Host $http_host;" in said.cure("websocket")


def test_cookies_that_are_lost(look: Look) -> None:
    said = look(strips=True)
    assert said.level("cookie") == "problem"


def test_a_cookie_that_browsers_drop(look: Look) -> None:
    said = look(scope={"scheme": "https"})
    assert said.level("cookie") == "problem"
    assert "X-Forwarded-Proto" in said.cure("cookie")


def test_a_websocket_that_does_not_come_through(look: Look) -> None:
    said = look(sockets=False)
    assert said.level("websocket") == "warning"
    said = look(serve={"ws": "none"})
    assert said.level("websocket") == "warning"
    assert "pip install websockets" in said.cure("websocket")


def test_clocks_that_are_apart(look: Look) -> None:
    said = look(ahead=600.0)
    assert said.level("clock") == "warning"
    assert "600." in said.findings["clock"][0]["text"] or "599." in said.findings["clock"][0]["text"]
    assert said.level("sockets") == "ok"  # the word counts by the server's clock


def test_the_server_keeps_to_itself_how_it_is_set_up(look: Look) -> None:
    for secret in ("", "short", "another secret than that of the app, as long"):
        said = look(secret=secret)
        assert said.level("inside") == "unknown"
        assert "sockets" not in said.findings
        assert "MemoryBus" not in said.text


def test_a_server_that_waits_for_slow_requests_for_ever(look: Look) -> None:
    said = look(
        serve={"timeout_graceful_shutdown": None, "timeout_keep_alive": 5}, sends={"x-forwarded-for": "203.0.113.7"}
    )
    assert said.level("keep-alive") == "warning"
    assert "--timeout-keep-alive 75" in said.cure("keep-alive")
    assert said.level("forwarded") == "ok"
    said = look(scope={"scheme": "https"}, sends={"x-forwarded-for": "203.0.113.7"})
    assert said.level("forwarded") == "problem"


def test_a_proxy_that_shows_itself(look: Look) -> None:
    said = look(adds={"server": "nginx/1.26"}, serve={"server_header": False})
    assert "nginx in front of uvicorn" in said.findings["server"][0]["text"]
    said = look(adds={"via": "1.1 varnish"}, secret="")
    assert "varnish" in said.findings["server"][0]["text"]


def test_pages_that_are_none(look: Look) -> None:
    said = look(path="/missing")
    assert said.bad() == {"page": "problem"}
    said = look(path="/plain")
    assert said.level("page") == "problem"
    assert "rt.head()" in said.cure("page")
    assert said.level("buffering") == "ok"  # as far as one can
    assert "cut" not in said.findings


def test_a_page_that_subscribes_to_nothing_until_one_signs_in(look: Look) -> None:
    assert look(path="/empty", site={"templates": {"page.html": "<head>{{ rt.head() }}</head>"}}).code == 2  # 404
    nobody = look(site={"templates": {"page.html": "<head>{{ rt.head() }}</head>"}})
    assert nobody.level("page") == "warning"
    assert "--cookie" in nobody.cure("page")
    ada = look("--quick", "--cookie", "who=ada", site={"templates": {"page.html": "<head>{{ rt.head() }}</head>"}})
    assert ada.level("page") == ada.level("first byte") == "ok"


def test_a_site_below_a_path(look: Look) -> None:
    said = look(path="/boards/?t=board:1", below="/boards")
    for about in ("page", "prefix", "files", "first byte", "buffering", "websocket"):
        assert said.level(about) == "ok", about
    assert "/boards/_rt/health" in said.findings["prefix"][0]["text"]


def test_hosts_that_are_not_this_machine_are_judged_as_such(look: Look) -> None:
    said = look(limits={"streams": 2_000_000}, afar=True)
    assert said.level("http") == said.level("cookie") == said.level("room") == "warning"
    assert "LimitNOFILE=2001000" in said.cure("room")
    assert said.level("first byte") == "ok"  # by Origin alone


def test_many_streams(look: Look) -> None:
    said = look(limits={"streams": 1, "streams_per_user": 5})
    assert said.level("room") == "warning"


def test_a_redirect_is_followed(look: Look) -> None:
    said = look(path="/in/ada")
    assert "after a redirect from /in/ada" in said.findings["page"][0]["text"]
    assert said.level("page") == "ok"


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    said = ask(capsys, "http://127.0.0.1:9/")
    assert said.code == 2
    assert said.bad() == {"page": "problem"}


def test_what_it_prints(look: Look, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rt = Realtime(secret=SECRET)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("not asked")

    with threaded(RealtimeMiddleware(app, rt=rt), lifespan="off") as address:
        code = main(["doctor", address, "--quick"])
    out = capsys.readouterr().out
    assert code == 2
    assert "PROBLEM page       GET / answered 500." in out
    assert "                   → Name the address of a page" in out
    assert out.endswith("1 problem.\n")
