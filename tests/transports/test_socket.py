"""The WebSocket: who may open one, what may be said over it, and what is no way to treat it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from htmx_rt import protocol

from .kit import LEGACY, SOCKETS, Served, Wire, served
from .wire import BINARY, CLOSE, PING, PONG, TEXT, Rejected, SocketStream

pytestmark = [pytest.mark.parametrize("transport", SOCKETS), *LEGACY]
PAGE = """<!doctype html><html><head>{{ rt.head() }}</head><body>{{ rt.presence("doc:1") }}{{ rt.typing("doc:1") }}
<div {{ rt.cursors("doc:1") }}></div></body></html>"""
HERE = "here:doc:1"


@pytest.fixture
def there(transport: str) -> Iterator[Served]:
    with served(transport, templates={"page.html": PAGE}) as there:
        yield there


def alive(there: Served, wire: Wire) -> None:
    """Check that nobody else has noticed, and that nothing is kept of a socket that is gone."""
    wire.close()
    ada, page = there.person("grace")
    with ada.open(page) as stream:
        stream.checkpoint()
        there.say("fine", "user:grace")
        assert stream.texts(1) == ["fine"]
    empty(there)


def empty(there: Served, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while any(hub.readers for hub in there.rt._hubs.values()) or there.rt.opening:
        assert time.monotonic() < deadline, "something is kept of a socket that is gone"
        time.sleep(0.01)  # there is nothing to wait for but the server's own turn


# The upgrade


def test_it_is_accepted_with_its_subprotocol(there: Served) -> None:
    ada, _ = there.person()
    wire = ada.wire()
    assert wire.headers["Sec-WebSocket-Protocol"] == "htmx-rt.1"
    alive(there, wire)


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "{own}.evil.example", "http://evil@{host}", "{own}/path", "{own}?q", "ws://{host}:1",
     "file://", "{own}, http://evil.example", "", "javascript:alert(1)", "http://[", "{host}"],
)  # fmt: skip
def test_a_foreign_origin_is_refused_before_it_is_accepted(there: Served, origin: str | None) -> None:
    ada, _ = there.person()
    host = there.address.removeprefix("http://")
    with pytest.raises(Rejected) as caught:
        ada.wire(Origin=origin and origin.format(own=there.address, host=host))
    assert caught.value.status == 403
    if caught.value.body:
        assert (caught.value.problem, json.loads(caught.value.body)["title"]) == ("forbidden", "forbidden")


def test_an_origin_of_origins_is_accepted(transport: str) -> None:
    with served(transport, origins=["https://app.example"]) as there:
        ada, _ = there.person()
        ada.wire(Origin="https://APP.example").close()


@pytest.mark.parametrize(
    ("path", "headers", "status", "problem"),
    [
        ("/_rt/socket", {"Cookie": None}, 401, "no-cookie"),
        ("/_rt/socket", {"Cookie": "rt-app=forged"}, 401, "no-cookie"),
        ("/_rt/socket", {"Sec_WebSocket_Protocol": None}, 400, "bad-version"),
        ("/_rt/socket", {"Sec_WebSocket_Protocol": "htmx-rt.2"}, 400, "bad-version"),
        ("/_rt/stream", {}, 404, "bad-request"),
        ("/_rt/socket/", {}, 404, "bad-request"),
    ],
)
def test_others_are_refused_before_they_are_accepted(
    there: Served, path: str, headers: dict[str, Any], status: int, problem: str
) -> None:
    ada, _ = there.person()
    with pytest.raises(Rejected) as caught:
        ada.wire(path=path, **headers)
    assert (caught.value.status, caught.value.problem) == (status, problem)


def test_one_that_drains_or_is_full_refuses(transport: str) -> None:
    with served(transport, limits={"streams": 1}) as there:
        ada, page = there.person()
        waiting = ada.wire()  # it has not said yet what it wants, and counts
        with pytest.raises(Rejected) as caught:
            ada.wire()
        assert (caught.value.status, caught.value.problem) == (503, "limited")
        assert caught.value.headers["Retry-After"] == "5"
        waiting.close()
        empty(there)
        with ada.open(page):
            pass
        there.rt.begin_drain()
        with pytest.raises(Rejected) as caught:
            ada.wire()
        assert (caught.value.status, caught.value.problem) == (503, "draining")


def test_a_browser_cannot_leave_sockets_waiting_without_end(transport: str) -> None:
    with served(transport, limits={"streams_per_user": 2}) as there:
        ada, _ = there.person()
        bob, _ = there.person("bob")
        waiting = [ada.wire(), ada.wire()]
        with pytest.raises(Rejected) as caught:
            ada.wire()
        assert (caught.value.status, caught.value.problem) == (429, "limited")
        waiting.append(bob.wire())
        for wire in waiting:
            wire.close()
        empty(there)


def test_an_old_identity_is_asked_for_and_sealed_at_the_upgrade(there: Served) -> None:
    ada, page = there.person()
    there.site.clock.advance(there.rt.limits.identity_age + 1)
    wire = ada.wire()
    assert "rt-app=" in wire.headers["Set-Cookie"]
    wire.send(ada.order(page))
    assert wire.message()["event"] == "rt:hello"
    alive(there, wire)


def test_the_app_is_asked_by_http_and_without_the_upgrade(there: Served) -> None:
    seen: list[Any] = []

    def identify(request: Any) -> str | None:
        seen.append(
            (request.scope["type"], request.url.scheme, [name for name in request.headers if "websocket" in name])
        )
        return str(request.cookies["who"])

    ada, page = there.person()
    there.site.clock.advance(there.rt.limits.identity_age + 1)
    there.rt.identity.identify = identify
    with ada.open(page):
        assert seen == [("http", "http", [])]


def test_somebody_else_by_now_is_refused(there: Served) -> None:
    ada, page = there.person()
    there.site.clock.advance(there.rt.limits.identity_age + 1)
    ada.http.cookies["who"] = "bob"
    wire = ada.wire()
    wire.send(ada.order(page))
    [answer] = wire.closed()
    assert (answer["data"]["status"], answer["data"]["title"], wire.code) == (403, "user-changed", 4504)
    alive(there, wire)


# The first message


def test_one_that_says_nothing_is_closed(transport: str) -> None:
    with served(transport, limits={"first_message": 0.1}) as there:
        ada, _ = there.person()
        wire = ada.wire()
        [answer] = wire.closed()
        assert (answer["event"], answer["data"]["status"], wire.code) == ("rt:answer", 408, 1008)
        wire.close()
        empty(there)


@pytest.mark.parametrize(
    ("body", "code", "title"),
    [
        (b"", 1008, "bad-request"), (b"[]", 1008, "bad-request"), (b"1", 1008, "bad-request"), (b"{", 1008, "bad-request"),
        (b'{"v":2}', 4500, "bad-version"), (b'{"v":1}', 1008, "bad-request"), (b'{"v":1,"tabs":[{}]}', 4503, "forbidden"),
        (b'{"v":1,"tabs":[{"fresh":["x"]}]}', 4503, "forbidden"), (b"[" * 17, 1008, "bad-request"),
        (b'{"v":"' + b"x" * 65536 + b'"}', 1009, "too-large"), ('{"v":"' + "ü" * 40000 + '"}', 1009, "too-large"),
        (b'{"signal":{}}', 4500, "bad-version"),
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_a_first_message_that_is_no_order_is_answered_and_closed(
    there: Served, body: Any, code: int, title: str
) -> None:
    ada, _ = there.person()
    wire = ada.wire()
    wire.frame(TEXT, body.encode() if isinstance(body, str) else body)
    [answer] = wire.closed()
    assert (answer["event"], answer["data"]["title"], wire.code, wire.reason) == ("rt:answer", title, code, title)
    alive(there, wire)


def test_a_fragmented_order_is_put_together(there: Served) -> None:
    ada, page = there.person()
    wire = ada.wire()
    body = json.dumps(ada.order(page)).encode()
    wire.frame(TEXT, body[:10], fin=False)
    wire.frame(PING, b"between")
    for place in range(10, len(body)):
        wire.frame(0, body[place : place + 1], fin=place == len(body) - 1)
    opcode, payload = wire.read()
    assert (opcode, payload) == (PONG, b"between")
    assert wire.message()["event"] == "rt:hello"
    alive(there, wire)


# Bad frames, before the order and after it


@pytest.mark.parametrize("opened", [False, True], ids=["waiting", "open"])
@pytest.mark.parametrize(
    ("frame", "codes"),
    [
        ({"opcode": TEXT, "payload": b"{}", "masked": False}, {1002}),
        ({"opcode": TEXT, "payload": b"\xff\xfe"}, {1007}),
        ({"opcode": TEXT, "payload": b'"\xed\xa0\x80"'}, {1007}),
        ({"opcode": BINARY, "payload": b"{}"}, {1008}),
        ({"opcode": 3, "payload": b"{}"}, {1002}),
        ({"opcode": 11, "payload": b""}, {1002}),
        ({"opcode": TEXT, "payload": b"{}", "rsv": 4}, {1002}),
        ({"opcode": 0, "payload": b"{}"}, {1002}),
        ({"opcode": PING, "payload": b"x" * 126}, {1002}),
        ({"opcode": PING, "payload": b"x", "fin": False}, {1002}),
        ({"opcode": TEXT, "payload": b"nothing"}, {1008}),
        ({"opcode": TEXT, "payload": b"{" * 60_000}, {1008}),
        ({"opcode": TEXT, "payload": b'"' + b"x" * 70_000 + b'"'}, {1009}),
        ({"opcode": TEXT, "payload": b"x" * (17 * 1024 * 1024)}, {1009}),
        ({"opcode": CLOSE, "payload": struct.pack("!H", 1000)}, {1000}),
        ({"opcode": CLOSE, "payload": b""}, {1000, 1005, None}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_frame_ends_its_socket_and_nothing_else(
    there: Served, opened: bool, frame: dict[str, Any], codes: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    ada, page = there.person()
    wire = ada.wire()
    if opened:
        wire.send(ada.order(page))
        SocketStream(wire).checkpoint()
    try:
        wire.frame(**frame)
    except (ConnectionError, TimeoutError):
        assert codes == {1009}  # it did not wait for the end, or reads no more
    else:
        wire.closed()
        # wsproto says 1006 or nothing of what it could not read; a closed connection is what counts.
        assert wire.code in codes | ({None} if codes <= {1002, 1007, 1009} else set()), wire.code
    alive(there, wire)
    assert [record for record in caplog.records if record.name == "htmx_rt"] == []


def test_a_flood_of_pings_is_answered_by_the_server_and_hurts_nobody(there: Served) -> None:
    ada, page = there.person()
    wire = ada.wire()
    wire.send(ada.order(page))
    stream = SocketStream(wire)
    stream.checkpoint()
    for _ in range(2000):
        wire.frame(PING, b"x")
    there.say("still here", "user:ada")
    pongs = 0
    while True:
        opcode, payload = wire.read()
        pongs += opcode == PONG
        if opcode == TEXT and b"still here" in payload:
            break
    assert pongs <= 2000
    alive(there, wire)


def test_what_goes_out_at_once_is_one_message_up_to_64_kib(transport: str) -> None:
    with served(transport) as there:
        ada, page = there.person()
        for word in ("one", "two", "three"):
            there.say(word)
        with ada.open(page) as stream:
            assert stream.texts(3) == ["one", "two", "three"]
            stream.checkpoint()
            assert stream.wire.messages == 1
        page = ada.get("/")
        for word in "abcde":
            there.say(word * 30_000)
        with ada.open(page) as stream:
            assert [text[0] for text in stream.texts(5)] == list("abcde")
            stream.checkpoint()
            assert stream.wire.messages == 3  # two of them fit into one


def test_a_flood_of_messages_is_ended(there: Served) -> None:
    ada, page = there.person()
    wire = ada.wire()
    wire.send(ada.order(page))
    SocketStream(wire).checkpoint()
    try:
        for _ in range(2000):
            wire.send({"signal": {}})
    except ConnectionError:
        pass
    answers = wire.closed()
    most = (there.rt.limits.calls_burst + there.rt.limits.calls_per_second) * 4
    assert len(answers) <= most
    assert wire.code in (1013, None)  # a reset may overtake the word
    alive(there, wire)


def test_one_that_vanishes_leaves_nothing(there: Served) -> None:
    ada, page = there.person()
    for rudely in (False, True):
        for said in (False, True):
            wire = ada.wire()
            if said:
                wire.send(ada.order(page))
                SocketStream(wire).checkpoint()
            if rudely:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()
            empty(there)
            there.say("into the void")


def test_one_that_answers_no_pings_is_as_good_as_gone(transport: str) -> None:
    """A line that is open at our end only: no FIN ever comes, and what is sent to it seems to be taken."""
    with served(transport, server={"ws_ping_interval": 0.2, "ws_ping_timeout": 0.3}) as there:
        ada, page = there.person()
        wire = ada.wire()
        wire.send(ada.order(page))
        SocketStream(wire).checkpoint()
        empty(there, within=25)  # the oldest way waits another ten seconds for a goodbye
        wire.close()


def test_one_that_takes_nothing_is_ended_and_delays_nobody(transport: str) -> None:
    with served(transport, limits={"send_timeout": 0.5, "heartbeat": 0.2}) as there:
        ada, page = there.person()
        bob, his = there.person("bob")
        stuck = bob.wire(small=True)
        stuck.send(bob.order(his))
        with ada.open(page) as stream:
            stream.checkpoint()
            for number in range(60):
                there.say(f"{number}:" + "x" * 128 * 1024)
                assert stream.texts(1)[0].startswith(f"{number}:")
            deadline = time.monotonic() + 10
            while sum(len(hub.readers) for hub in there.rt._hubs.values()) > 1:
                assert time.monotonic() < deadline, "still there"
                time.sleep(0.01)
            there.say("after")
            assert stream.texts(1) == ["after"]
        stuck.close()


def test_one_that_was_slow_catches_up_in_order(transport: str) -> None:
    with served(transport, limits={"send_timeout": 30.0}) as there:
        ada, page = there.person()
        wire = ada.wire(small=True)
        wire.send(ada.order(page))
        stream = SocketStream(wire)
        stream.checkpoint()
        (hub,) = there.rt._hubs.values()
        for number in range(200):
            there.say(f"{number}:" + "x" * 64 * 1024)
            while hub.place.offset <= number:  # what comes in one tick is sent as one, however much it is
                there.on_the_loop(lambda: None)
        seen: list[int] = []
        while True:
            event = stream.event()
            if event.name == protocol.RESYNC:
                assert (event.data["topics"], event.data["why"]) == (["board:1"], "limit")
                break
            seen.append(event.data["o"])
        assert 0 < len(seen) < 200
        assert seen == list(range(1, len(seen) + 1))
        there.say("news")
        assert stream.texts(1) == ["news"]
        wire.close()


# What a page says


def opened(there: Served, who: str = "ada") -> tuple[Any, Any, SocketStream]:
    person, page = there.person(who)
    wire = person.wire()
    wire.send(person.order(page))
    stream = SocketStream(wire)
    stream.checkpoint()
    return person, page, stream


def test_a_signal_is_passed_on_as_by_post(there: Served) -> None:
    _, page, stream = opened(there)
    _, _, other = opened(there, "bob")
    word = {"tab": page.tab, "grant": page.grants[HERE], "topic": HERE, "name": "typing", "data": {"on": True}}
    stream.wire.send({"signal": word, "n": 7})
    heard = other.event("rt:signal").data
    assert (heard["t"], heard["name"], heard["from"]["n"]) == (HERE, "typing", "ada")
    assert stream.event("rt:answer").data == {"n": 7, "status": 204}
    for one in (stream, other):
        one.wire.close()


@pytest.mark.parametrize(
    ("change", "status", "title"),
    [
        ({"grant": "forged"}, 403, "forbidden"), ({"grant": None}, 403, "forbidden"), ({"tab": "x"}, 403, "forbidden"),
        ({"name": "rt:ops"}, 400, "bad-request"), ({"data": "x" * 2000}, 400, "bad-request"),
    ],
)  # fmt: skip
def test_a_signal_that_may_not_be_is_answered_and_the_stream_goes_on(
    there: Served, change: dict[str, Any], status: int, title: str
) -> None:
    _, page, stream = opened(there)
    word = {"tab": page.tab, "grant": page.grants[HERE], "name": "typing", "data": {}} | change
    stream.wire.send({"signal": word, "n": 1})
    answer = stream.event("rt:answer").data
    assert (answer["n"], answer["status"], answer["title"]) == (1, status, title)
    stream.wire.send({"signal": word})
    assert "n" not in stream.event("rt:answer").data
    there.say("on", "user:ada")
    assert stream.texts(1) == ["on"]
    stream.wire.close()


def test_a_grant_of_somebody_else_says_nothing(there: Served) -> None:
    _, hers, ada = opened(there)
    _, page, bob = opened(there, "bob")
    bob.wire.send({"signal": {"tab": page.tab, "grant": hers.grants[HERE], "name": "wave", "data": 1}, "n": 1})
    assert bob.event("rt:answer").data["status"] == 403
    for one in (ada, bob):
        one.wire.close()


def test_words_have_the_rate_of_those_by_post(transport: str) -> None:
    limits = {"calls_per_second": 1, "calls_burst": 3}
    with served(transport, templates={"page.html": PAGE}, limits=limits) as there:
        _, page, stream = opened(there)
        for number in range(6):
            word = {"tab": page.tab, "grant": page.grants[HERE], "name": "wave", "data": number}
            stream.wire.send({"signal": word, "n": number})
        found = [stream.event("rt:answer").data["status"] for _ in range(6)]
        assert found[:3] == [204] * 3
        assert found[-1] == 429
        stream.wire.close()


def test_a_beat_is_taken_as_by_post(there: Served) -> None:
    _, page, stream = opened(there)
    stream.wire.send({"beat": {"tabs": [{"id": page.tab, "gen": 1, "vis": False, "here": True}]}, "n": 2})
    assert stream.event("rt:answer").data == {"n": 2, "status": 200, "lost": []}
    stream.wire.send({"beat": {"tabs": []}, "n": 3})
    assert stream.event("rt:answer").data["status"] == 400
    stream.wire.close()


def test_an_unknown_word_is_answered_and_the_stream_goes_on(there: Served) -> None:
    _, _, stream = opened(there)
    for word in ({}, {"hum": 1}, {"signal": 1}, {"beat": []}, {"n": "x"}):
        stream.wire.send(word)
        assert stream.event("rt:answer").data["status"] == 400
    there.say("on", "user:ada")
    assert stream.texts(1) == ["on"]
    stream.wire.close()


# Wrappers around us


def test_a_send_that_is_wrapped_in_something_unknown_is_not_stepped(transport: str) -> None:
    steps: list[bool] = []

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            async def timing(message: Any) -> None:
                async with asyncio.timeout(5):  # which is an error outside of a task
                    await asyncio.sleep(0)
                    await send(message)
                    steps.append(True)

            await app(scope, receive, timing)

        return wrapped

    with served(transport, wrap=wrap) as there:
        ada, page = there.person()
        with ada.open(page) as stream:
            stream.checkpoint()
            for number in range(5):
                there.say(str(number))
                assert stream.texts(1) == [str(number)]
            there.rt.begin_drain()
            stream.ended()
            assert stream.wire.code == 1012
    assert steps


def test_the_headers_of_an_upgrade_are_not_kept(there: Served, transport: str) -> None:
    if transport not in ("sansio", "direct"):
        pytest.skip("keeps none, or in a place of its own")
    ada, page = there.person()
    wire = ada.wire()
    wire.send(ada.order(page))
    SocketStream(wire).checkpoint()
    (hub,) = there.rt._hubs.values()
    (reader,) = hub.readers
    server: Any = reader.line.__self__  # type: ignore[union-attr]
    assert (len(server.request.headers), len(server.response.headers), server.scope["headers"]) == (0, 0, [])
    alive(there, wire)
