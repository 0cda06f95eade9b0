from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from htmx_rt import sockets


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def test_listeners_are_tuned_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as other:
        before = open_descriptors()
        assert sockets.tune_listeners() >= 1
        assert open_descriptors() == before
        option = sockets.NOTSENT_LOWAT
        assert option is not None
        assert listener.getsockopt(socket.IPPROTO_TCP, option) == sockets.UNSENT
        assert other.getsockopt(socket.IPPROTO_TCP, option) != sockets.UNSENT


def test_connections_that_were_there_before_are_tuned_too() -> None:
    option = sockets.NOTSENT_LOWAT
    assert option is not None
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as accepted,
    ):
        sockets.tune_listeners()
        assert accepted.getsockopt(socket.IPPROTO_TCP, option) == sockets.UNSENT
        assert client.getsockopt(socket.IPPROTO_TCP, option) != sockets.UNSENT


class Server:
    """What holds a connection, as in uvicorn; `send` is its method."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    async def send(self, message: Any) -> None:
        raise NotImplementedError


class Transport:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def get_extra_info(self, name: str) -> socket.socket:
        return self.connection

    def abort(self) -> None:
        self.connection.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            yield client, accepted


Pair = tuple[socket.socket, socket.socket]


def test_a_reader_is_ended_through_the_servers_own_transport(pair: Pair) -> None:
    client, accepted = pair

    def wrapped(send: Any) -> Any:
        async def sending(message: Any) -> None:
            await send(message)

        return sending

    assert sockets.end(wrapped(wrapped(Server(Transport(accepted)).send)), None)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_reader_is_ended_by_its_address_where_nothing_else_is_known(pair: Pair) -> None:
    client, _ = pair
    before = open_descriptors()
    assert sockets.end(print, client.getsockname())
    assert open_descriptors() == before
    client.settimeout(5)
    with contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""


def test_a_connection_that_is_closed_already_is_ended_without_a_word(pair: Pair) -> None:
    class Closed(Transport):
        def get_extra_info(self, name: str) -> socket.socket:
            raise ValueError("negative file descriptor")  # as uvloop does

    _, accepted = pair
    assert sockets.end(Server(Closed(accepted)).send, None)
    assert accepted.fileno() == -1


def test_a_port_may_be_a_text(pair: Pair) -> None:
    client, _ = pair
    host, port = client.getsockname()
    assert not sockets.end(print, (host, f"{port}0"))  # type: ignore[arg-type]
    assert sockets.end(print, (host, str(port)))  # type: ignore[arg-type]


@pytest.mark.parametrize("peer", [None, ("testclient", 50000), ("203.0.113.7", 0)])
def test_an_unknown_peer_is_not_found(peer: Any) -> None:
    assert not sockets.end(print, peer)
