"""The floor in Python: uvloop, no HTTP library, and one bare write() for each reader of a message.

    python raw.py PORT

/sse/TOPIC and /ws/TOPIC read; POST /pub/TOPIC publishes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import sys
from collections import defaultdict
from contextlib import suppress
from typing import cast

import uvloop

from bench.systems.messages import messages

OPENED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: "
TAKEN = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

readers: defaultdict[bytes, set[Connection]] = defaultdict(set)  # by path


class Connection(asyncio.Protocol):
    __slots__ = ("buffer", "fd", "path", "transport")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer, self.path = cast(asyncio.Transport, transport), b"", b""
        self.fd = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or self.path:
            return
        method, path, _ = head.split(b" ", 2)
        if method == b"POST":
            self.take(path, head, body)
            return
        self.path, self.buffer = path, b""
        readers[path].add(self)
        if path.startswith(b"/ws/"):
            key = header(head, b"sec-websocket-key")
            self.transport.write(UPGRADED + base64.b64encode(hashlib.sha1(key + GUID).digest()) + b"\r\n\r\n")
        else:
            self.transport.write(OPENED)

    def take(self, path: bytes, head: bytes, body: bytes) -> None:
        if len(body) == int(header(head, b"content-length")):
            asked = {name: header(head, name.encode()).decode() for name in ("x-batch", "x-topics")}
            for topic, text in messages(path.removeprefix(b"/pub/").decode(), body, asked):
                publish(topic.encode(), text)
            self.buffer = b""
            self.transport.write(TAKEN)

    def send(self, frame: bytes) -> None:
        written = 0
        if not self.transport.get_write_buffer_size():
            with suppress(BlockingIOError):
                written = os.write(self.fd, frame)
        if written < len(frame):
            self.transport.write(frame[written:])

    def connection_lost(self, _: Exception | None) -> None:
        readers[self.path].discard(self)


def header(head: bytes, name: bytes) -> bytes:
    return next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(name))


def publish(topic: bytes, body: bytes) -> None:
    event = b"data: " + body + b"\n\n"
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    for one in readers[b"/sse/" + topic]:
        one.send(chunk)
    long = (
        b"\x81\x7e" + len(body).to_bytes(2, "big") if len(body) < 65536 else b"\x81\x7f" + len(body).to_bytes(8, "big")
    )
    for one in readers[b"/ws/" + topic]:
        one.send(long + body)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
