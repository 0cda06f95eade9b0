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
