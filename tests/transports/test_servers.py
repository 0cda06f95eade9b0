"""The same over real servers, as processes, and over two workers of one Redis."""

from __future__ import annotations

import json
import re
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from htmx_rt.testing import Page

from ..integration.servers import Server
from ..redis_kit import RedisServer
from .kit import Person, Refused
from .wire import Rejected, SocketStream

pytestmark = pytest.mark.flaky(reruns=1)  # real servers depend on how busy the machine is
LISTENS = re.compile(r"[Ll]istening at: (http://[\d.]+:\d+)")
SERVERS = ("uvicorn", "uvicorn asyncio h11", "hypercorn", "granian")


class Host:
    """Servers of one test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.servers: list[Server] = []

    def start(self, kind: str, app: str = "board_app:app", env: dict[str, str] | None = None) -> str:
        """Run a server; return its address."""
        env = {"RT_NAME": f"t{secrets.token_hex(4)}"} | (env or {})
        name, *more = kind.split()
        arguments = [app, "--port", "0", *(["--loop", "asyncio", "--http", "h11"] if more else [])]
        if name == "hypercorn":
            arguments = [app, "--bind", "127.0.0.1:0", "--workers", "0"]
        elif name == "granian":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            arguments = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), app]
        server = self._stack.enter_context(Server(*arguments, module=name, env=env))
        self.servers.append(server)
        if name == "granian":
            server.line(re.compile("Started worker"))
            return server.line(LISTENS)[1]
        return server.address()

    def person(self, address: str, transport: str, who: str | None = None) -> tuple[Person, Page]:
        """Return a new browser and its page."""
        person = self._stack.enter_context(Person(address, transport, who))
        return person, person.get("/")


@pytest.fixture
def host() -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(stack)


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("transport", ["sse", "ticket", "sansio"])
def test_a_board_works_and_goes_on_where_it_was_left(host: Host, kind: str, transport: str) -> None:
    address = host.start(kind)
    ada, page = host.person(address, transport)
    with ada.open(page) as stream:
        stream.checkpoint()
        ada.post("/publish", {"count": 20})
        seen = [stream.event("rt:ops").data["o"] for _ in range(20)]
        assert seen == list(range(1, 21))
        cursor, grants = stream.cursor, stream.hello["grants"]
    ada.post("/publish", {"text": "missed", "size": 150_000})
    with ada.open(page, cursor=cursor, grants=grants) as stream:
        assert "missed" in stream.texts(1)[0]
        ada.post("/publish", {"text": "live"})
        assert "live" in stream.texts(1)[0]


@pytest.mark.parametrize("kind", SERVERS)
def test_upgrades_are_refused_with_a_problem(host: Host, kind: str) -> None:
    address = host.start(kind)
    ada, page = host.person(address, "sansio")
    for origin in (None, "null", "http://evil.example"):
        with pytest.raises(Rejected) as caught:
            ada.wire(Origin=origin)
        assert (caught.value.status, caught.value.problem) == (403, "forbidden")
    with ada.open(page) as stream:
        assert stream.hello["refused"] == []


@pytest.mark.parametrize("kind", SERVERS)
def test_a_socket_that_leaves_or_misbehaves_is_forgotten(host: Host, kind: str) -> None:
    address = host.start(kind)
    ada, page = host.person(address, "sansio")
    for how in ("leave", "binary", "large"):
        wire = ada.wire()
        wire.send(ada.order(page))
        SocketStream(wire).checkpoint()
        if how == "binary":
            wire.frame(2, b"x")
            wire.closed()
            assert wire.code == 1008
        elif how == "large":
            wire.send("x" * 70_000)
            wire.closed()
            assert wire.code == 1009
        wire.close()
    for _ in range(200):
        if ada.http.get("/inside").json()["readers"] == 0:
            break
    else:
        raise AssertionError("somebody is still there")
    assert "Traceback" not in host.servers[0].output


@pytest.mark.parametrize("kind", [kind for kind in SERVERS if kind != "granian"])  # which cuts sockets at the signal
def test_a_drain_closes_sockets_with_the_word_when_to_come_back(host: Host, kind: str) -> None:
    address = host.start(kind)
    ada, page = host.person(address, "sansio")
    with ada.open(page) as stream:
        stream.checkpoint()
        host.servers[0].signal(signal.SIGTERM)
        [bye] = [event for event in stream.ended() if event.name == "rt:bye"]
        assert bye.data["in"] >= 4000
        assert stream.wire.code == 1012
    host.servers[0].exit(within=10)
    assert "Traceback" not in host.servers[0].output


@pytest.mark.parametrize("transport", ["ticket", "sansio"])
def test_a_second_worker_goes_on_with_what_the_first_gave(
    host: Host, redis_server: RedisServer, transport: str
) -> None:
    env = {"RT_BUS": redis_server.url, "RT_NAME": f"t{secrets.token_hex(4)}"}
    one, two = [host.start("uvicorn", "redis_app:app", env) for _ in range(2)]
    ada, page = host.person(one, transport, "ada")
    with ada.open(page) as stream:
        stream.checkpoint()
        ada.http.post("/publish", content="one")
        assert "one" in stream.texts(1)[0]
        cursor, grants = stream.cursor, stream.hello["grants"]
    ada.http.post("/publish", content="two")
    order = ada.order(page, cursor=cursor, grants=grants)
    there, _ = host.person(two, transport, "ada")
    there.http.cookies.clear()
    there.http.cookies.update(dict(ada.http.cookies))
    if transport == "ticket":
        word = ada.ticket(order).json()["ticket"]
        with there.get_stream(f"ticket={word}") as response:
            lines = response.iter_lines()
            assert any("two" in line for line in lines)
        ada.http.post("/revoke", content="")
        ada.http.post("/out")
        del there.http.cookies["who"]  # as the app would have done
        assert any(refused(there, word) for _ in range(200)), "the word of it has not come over Redis"
        return
    with there.send(order) as stream:
        assert "two" in stream.texts(1)[0]
        ada.http.post("/out")
        assert [event.data for event in stream.ended() if event.name == "rt:stop"] == [{"why": "signed-out"}]


def refused(person: Person, ticket: str) -> bool:
    try:
        with person.get_stream(f"ticket={ticket}"):
            return False
    except Refused:
        return True


def test_sockets_and_streams_hear_the_same(host: Host) -> None:
    """Both kinds at once, so that what is made for the one does not reach the other."""
    address = host.start("uvicorn", env={"RT_LIMITS": json.dumps({"streams_per_user": 1000})})
    with ExitStack() as stack:
        streams = []
        for number in range(60):
            person, page = host.person(address, ["sse", "sansio", "ticket"][number % 3])
            streams.append(stack.enter_context(person.open(page)))
        person.post("/publish", {"count": 10})
        for stream in streams:
            assert [stream.event("rt:ops").data["o"] for _ in range(10)] == list(range(1, 11))
