"""Starting and stopping with apps that know lifespan, that do not, and that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from servers import Server, threaded
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from visitor import Visitor

from htmx_rt import Realtime, RealtimeMiddleware, protocol
from htmx_rt.buses import MemoryBus
from htmx_rt.exceptions import BusUnavailable
from htmx_rt.testing import Browser, running
from htmx_rt.types import ASGIApp, Limits, Message, Receive, Scope, Send


class Diary(MemoryBus):
    """A bus that writes down when it starts and stops."""

    def __init__(self, lines: list[str], *, broken: bool = False) -> None:
        super().__init__(Limits())
        self.lines = lines
        self.broken = broken

    async def start(self) -> None:
        self.lines.append("bus starts")
        if self.broken:
            raise BusUnavailable("There is nobody at redis://nowhere.")

    async def stop(self) -> None:
        self.lines.append("bus stops")


def realtime(lines: list[str], *, broken: bool = False) -> Realtime:
    return Realtime(secret="a secret of thirty-two bytes or more", name="life", bus=Diary(lines, broken=broken))


def with_lifespan(lines: list[str], rt: Realtime, *, fail: str = "") -> ASGIApp:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        lines.append("app starts")
        if fail == "start":
            raise RuntimeError("no database")
        yield
        lines.append("app stops")
        # What the app says while it stops still reaches the log.
        await rt.topic("board:1").text("#rows", "farewell")
        if fail == "stop":
            raise RuntimeError("no database any more")

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(f"<ul {rt.macros.stream('board:1')}></ul>")

    return RealtimeMiddleware(Starlette(routes=[Route("/", page)], lifespan=lifespan), rt=rt)


def without_lifespan(rt: Realtime, *, how: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            if how == "returns":
                return
            raise NotImplementedError(scope["type"])
        await HTMLResponse(f"<ul {rt.macros.stream('board:1')}></ul>")(scope, receive, send)

    return RealtimeMiddleware(app, rt=rt)


def test_we_start_before_the_app_and_stop_after_it() -> None:
    lines: list[str] = []
    rt = realtime(lines)

    async def main() -> None:
        app = with_lifespan(lines, rt)
        async with running(app), Browser(app) as ada:
            assert (await ada.get("/")).status == 200
        assert rt.bus.log.head == 1

    asyncio.run(main())

    assert lines == ["bus starts", "app starts", "app stops", "bus stops"]


def test_a_failing_start_is_not_swallowed() -> None:
    lines: list[str] = []
    rt = realtime(lines)

    async def main() -> None:
        async with running(with_lifespan(lines, rt, fail="start")):
            raise AssertionError("it started")

    with pytest.raises(RuntimeError, match="no database"):
        asyncio.run(main())
    assert lines == ["bus starts", "app starts", "bus stops"]


def test_a_failing_stop_is_not_swallowed_and_we_stop_too() -> None:
    lines: list[str] = []
    rt = realtime(lines)

    async def main() -> None:
        async with running(with_lifespan(lines, rt, fail="stop")):
            pass

    with pytest.raises(RuntimeError, match="no database any more"):
        asyncio.run(main())
    assert lines == ["bus starts", "app starts", "app stops", "bus stops"]


def test_an_app_that_raises_after_receiving_has_failed() -> None:
    lines: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise LookupError("no settings")

    async def main() -> None:
        async with running(RealtimeMiddleware(app, rt=realtime(lines))):
            raise AssertionError("it started")

    with pytest.raises(LookupError, match="no settings"):
        asyncio.run(main())
    assert lines == ["bus starts", "bus stops"]


@pytest.mark.parametrize("how", ["raises", "returns"])
def test_we_answer_for_an_app_without_lifespan(how: str) -> None:
    lines: list[str] = []
    rt = realtime(lines)

    async def main() -> None:
        app = without_lifespan(rt, how=how)
        async with running(app), Browser(app) as ada, ada.stream(await ada.get("/")) as stream:
            rt.topic("board:1").text("#rows", "hello")
            assert (await stream.event(protocol.OPS)).data["ops"] == [["text", "#rows", "hello"]]

    asyncio.run(main())

    assert lines == ["bus starts", "bus stops"]


def test_a_bus_that_does_not_start_fails_the_start_of_the_app() -> None:
    lines: list[str] = []
    sent: list[Message] = []

    async def main() -> None:
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        inbox.put_nowait({"type": "lifespan.startup"})
        app = with_lifespan(lines, realtime(lines, broken=True))

        async def send(message: Message) -> None:
            sent.append(message)

        with pytest.raises(BusUnavailable):
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, send)

    asyncio.run(main())

    # Said in the protocol too: a server takes a mere exception for an app that has no lifespan.
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "nobody at redis://nowhere" in sent[0]["message"]
    assert "app starts" not in lines


def test_a_server_does_not_start_without_its_bus(spawn: Callable[..., Server]) -> None:
    server = spawn("broken_app:app", "--port", "0")

    assert server.exit(within=10) == 3
    assert "nobody at redis://nowhere" in server.output


def test_the_first_request_starts_what_no_lifespan_has_started(visit: Callable[..., Visitor]) -> None:
    lines: list[str] = []
    rt = realtime(lines)
    with threaded(with_lifespan([], rt), lifespan="off") as address:
        ada = visit(address)
        with ada.stream(ada.get("/")) as stream:
            rt.topic("board:1").text("#rows", "hello").result(timeout=1)
            assert stream.event(protocol.OPS).data["ops"] == [["text", "#rows", "hello"]]
            ada.get("/")
            rt.begin_drain()
            stream.ended()

    assert lines == ["bus starts"]


def test_pages_do_not_depend_on_the_bus(visit: Callable[..., Visitor], caplog: pytest.LogCaptureFixture) -> None:
    rt = realtime([], broken=True)
    with threaded(with_lifespan([], rt), lifespan="off") as address:
        assert visit(address).get("/").status == 200

    assert "pages are served, but not live" in caplog.text
    assert "nobody at redis://nowhere" in caplog.text


def test_a_loop_that_stops_leaves_the_streams_of_others_alone(visit: Callable[..., Visitor]) -> None:
    lines: list[str] = []
    rt = realtime(lines)
    app = with_lifespan([], rt)
    with threaded(app) as address:
        ada = visit(address)
        with ada.stream(ada.get("/")) as stream:
            with threaded(app) as other:
                assert visit(other).get("/").status == 200
            rt.topic("board:1").text("#rows", "still here").result(timeout=1)
            texts = [event.data["ops"][0][2] for event in (stream.event(), stream.event())]
            assert texts == ["farewell", "still here"]
            rt.begin_drain()
            stream.ended()

    assert lines[-1] == "bus stops"
    assert lines.count("bus stops") == 1


def test_loops_that_end_without_a_word_are_forgotten() -> None:
    # As of test clients that are used without `with`: a loop each, and no lifespan.
    lines: list[str] = []
    rt = realtime(lines)
    app = without_lifespan(rt, how="returns")

    async def main() -> None:
        async with Browser(app) as ada:
            assert (await ada.get("/")).status == 200

    for _ in range(20):
        asyncio.run(main())
        rt.topic("board:1").text("#rows", "to nobody")

    assert len(rt._hubs) == 1
    assert len(rt.bus._listeners) <= 1


def test_an_app_can_be_started_again(visit: Callable[..., Visitor]) -> None:
    lines: list[str] = []
    rt = realtime(lines)
    app = with_lifespan([], rt)
    for _ in range(2):
        with threaded(app) as address:
            ada = visit(address)
            with ada.stream(ada.get("/")) as stream:
                rt.begin_drain()
                stream.event(protocol.BYE)
                stream.ended()

    assert lines == ["bus starts", "bus stops"] * 2
