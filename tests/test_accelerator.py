"""What may be written past `send()`, and when it is left alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from htmx_rt import accelerator
from htmx_rt.accelerator import Accelerator

uvicorn = pytest.importorskip("uvicorn.protocols.http.httptools_impl")
TEXT = {"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}


class Transport:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data


class Flow:
    write_paused = False


def cycle(**changes: Any) -> Any:
    """uvicorn's own, in the middle of a stream."""
    one = uvicorn.RequestResponseCycle.__new__(uvicorn.RequestResponseCycle)
    given: dict[str, Any] = {
        "scope": {"method": "POST"}, "transport": Transport(), "flow": Flow(), "disconnected": False,
        "response_started": True, "response_complete": False, "chunked_encoding": True, "expected_content_length": 0,
    }  # fmt: skip
    for name, value in (given | changes).items():
        setattr(one, name, value)
    return one


def test_it_writes_what_uvicorn_writes() -> None:
    one = cycle()
    direct = Accelerator().of(one.send)
    assert direct is not None
    before, one.transport.written = one.transport.written, b""
    assert before == accelerator.chunked(b": accelerated\n\n")  # the check reaches the reader as a comment
    assert direct.write(dict(TEXT))
    with pytest.raises(StopIteration):
        one.send(TEXT).send(None)
    assert one.transport.written == 2 * accelerator.chunked(TEXT["body"])  # type: ignore[arg-type]


def test_all_readers_of_a_message_get_the_same_bytes() -> None:
    ours, message = Accelerator(), dict(TEXT)
    directs = [ours.of(cycle().send) for _ in range(2)]
    assert all(direct is not None and direct.write(message) for direct in directs)
    assert message["htmx_rt.chunk"] == b"9\r\ndata: 1\n\n\r\n"


def test_a_connection_that_takes_no_more_or_is_gone_is_left_to_send() -> None:
    one = cycle()
    direct = Accelerator().of(one.send)
    assert direct is not None
    one.flow.write_paused = True
    assert not direct.write(dict(TEXT))
    one.flow.write_paused, one.disconnected = False, True
    assert not direct.write(dict(TEXT))


@pytest.mark.parametrize(
    "changes", [{"chunked_encoding": False}, {"response_complete": True}], ids=["a known length", "at its end"]
)
def test_other_responses_are_left_alone(changes: dict[str, Any]) -> None:
    assert Accelerator().of(cycle(**changes).send) is None


def test_other_servers_are_left_alone() -> None:
    async def send(message: Any) -> None: ...

    assert Accelerator().of(send) is None


def test_a_uvicorn_that_writes_otherwise_is_noticed_and_the_reader_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def send(self: Any, message: Any) -> None:
        self.transport.write(b"<" + message["body"] + b">")

    monkeypatch.setattr(uvicorn.RequestResponseCycle, "send", send)
    ours, one = Accelerator(), cycle()
    with caplog.at_level(logging.WARNING, "htmx_rt"):
        assert ours.of(one.send) is None
        assert ours.of(cycle().send) is None
    assert one.transport.written == b"<: accelerated\n\n>"
    assert len(caplog.records) == 1


def test_a_line_that_waits_just_then_is_no_answer() -> None:
    class Waiting(Flow):
        write_paused = True

        async def drain(self) -> None:
            class Turn:
                def __await__(self) -> Any:
                    yield

            await Turn()

    ours = Accelerator()
    assert ours.of(cycle(flow=Waiting()).send) is None
    assert ours.of(cycle().send) is not None  # the next one may tell


# WebSockets


class Writable:
    def __init__(self) -> None:
        self.now = True

    def is_set(self) -> bool:
        return self.now

    async def wait(self) -> None:
        assert self.now, "waited for"


def socket(**changes: Any) -> Any:
    """uvicorn's own, in the middle of a stream."""
    sansio = pytest.importorskip("uvicorn.protocols.websockets.websockets_sansio_impl")
    conn = sansio.ServerProtocol(extensions=[])
    conn.state = type(conn.state).OPEN
    conn.extensions = []
    one = sansio.WebSocketsSansIOProtocol.__new__(sansio.WebSocketsSansIOProtocol)
    given: dict[str, Any] = {
        "transport": Transport(), "writable": Writable(), "conn": conn, "disconnected": False, "close_sent": False,
        "handshake_complete": True, "initial_response": None,
    }  # fmt: skip
    for name, value in (given | changes).items():
        setattr(one, name, value)
    return one


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_frames_are_those_that_uvicorn_sends(size: int) -> None:
    ours, message = Accelerator(), {"type": "websocket.send", "text": "ä" * (size // 2) + "x" * (size % 2)}
    one, other = socket(), socket()
    for protocol in (one, other):  # the first is checked, the second only written
        direct = ours.of(protocol.send)
        assert direct is not None
        assert direct.write(message)
    plain = socket()
    with pytest.raises(StopIteration):
        plain.send(dict(message)).send(None)
    assert one.transport.written == other.transport.written == plain.transport.written
    assert ours.frames


def test_a_socket_that_takes_no_more_closes_or_is_gone_is_left_to_send() -> None:
    ours, one, message = Accelerator(), socket(), {"type": "websocket.send", "text": "{}"}
    direct = ours.of(one.send)
    assert direct is not None
    assert direct.write(dict(message))  # which is the check
    one.transport.written = b""
    for name in ("close_sent", "disconnected"):
        setattr(one, name, True)
        assert not direct.write(dict(message))
        setattr(one, name, False)
    one.writable.now = False
    assert not direct.write(dict(message))
    one.writable.now = True
    assert not direct.write({"type": "websocket.close", "code": 1000})
    one.conn.state = type(one.conn.state).CLOSING
    assert not direct.write(dict(message))
    assert one.transport.written == b""


def test_sockets_that_compress_or_are_not_open_yet_are_left_alone() -> None:
    compressing = socket()
    compressing.conn.extensions = [object()]
    assert Accelerator().of(compressing.send) is None
    assert Accelerator().of(socket(handshake_complete=False).send) is None


def test_a_uvicorn_that_frames_otherwise_is_noticed_and_the_reader_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ours, one, other = Accelerator(), socket(), socket()

    async def send(self: Any, message: Any) -> None:
        self.transport.write(b"<" + message["text"].encode() + b">")

    monkeypatch.setattr(type(one), "send", send)
    message = {"type": "websocket.send", "text": "{}"}
    directs = [ours.of(one.send), ours.of(other.send)]
    with caplog.at_level(logging.WARNING, "htmx_rt"):
        assert [direct is not None and direct.write(message) for direct in directs] == [True, False]
    assert (one.transport.written, other.transport.written) == (b"<{}>", b"")
    assert ours.of(one.send) is None
    assert len(caplog.records) == 1


def test_a_socket_that_breaks_at_the_check_says_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, one, message = Accelerator(), socket(), {"type": "websocket.send", "text": "{}"}

    async def send(self: Any, message: Any) -> None:
        raise RuntimeError("gone")

    direct = ours.of(one.send)
    assert direct is not None
    with monkeypatch.context() as patched:
        patched.setattr(type(one), "send", send)
        assert not direct.write(message)
    other = ours.of(socket().send)
    assert other is not None
    assert other.write(message)
