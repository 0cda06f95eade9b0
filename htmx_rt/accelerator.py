"""Past `send()`: the same bytes written to all transports of uvicorn, which saves framing them for each reader.

It needs what uvicorn does not promise, so it is off unless `Realtime(accelerate=True)`, looks at what it finds, and
checks once, on the first stream and on the first message to a WebSocket, that it would write byte for byte what `send()`
writes. Otherwise the hub goes on as without it. It knows uvicorn's httptools and websockets-sansio, the latter where
nothing is compressed, which is done for each socket apart.
"""

from __future__ import annotations

import logging
import struct
from typing import Any, Final, Protocol

from .types import Message, Send

log = logging.getLogger("htmx_rt")

_CYCLE: Final = ("uvicorn.protocols.http.httptools_impl", "RequestResponseCycle")
_SOCKET: Final = ("uvicorn.protocols.websockets.websockets_sansio_impl", "WebSocketsSansIOProtocol")
_NEEDED: Final = ("transport", "flow", "disconnected", "response_complete", "chunked_encoding")
_NEEDED_OF_SOCKET: Final = ("transport", "writable", "conn", "disconnected", "close_sent", "handshake_complete")
_CHUNK: Final = "htmx_rt.chunk"  # beside the body of a message, for all whom it goes to
_PROBE: Final = b": accelerated\n\n"


def chunked(body: bytes) -> bytes:
    """Return `body` as HTTP/1.1 sends it where the length of the whole is not known."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def framed(text: str) -> bytes:
    """Return `text` as RFC 6455 has a server send it: one frame, not masked."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + data
    return (struct.pack("!BBH", 0x81, 126, size) if size < 65536 else struct.pack("!BBQ", 0x81, 127, size)) + data


class Direct(Protocol):
    """The transport of one stream."""

    def write(self, message: Message) -> bool:
        """Write `message` now; False where that is for `send()`, because the connection takes no more or is gone."""


class Chunks:
    """The transport of one response."""

    __slots__ = ("_cycle", "_flow", "_transport")

    def __init__(self, cycle: Any) -> None:
        self._cycle = cycle
        self._flow = cycle.flow
        self._transport = cycle.transport

    def write(self, message: Message) -> bool:
        """Write `message` as a chunk."""
        if self._flow.write_paused or self._cycle.disconnected:
            return False
        chunk = message.get(_CHUNK)
        if chunk is None:
            chunk = message[_CHUNK] = chunked(message["body"])
        self._transport.write(chunk)
        return True


class Frames:
    """The transport of one WebSocket."""

    __slots__ = ("_conn", "_open", "_owner", "_protocol", "_transport")

    def __init__(self, owner: Accelerator, protocol: Any) -> None:
        self._owner = owner
        self._protocol = protocol
        self._conn = protocol.conn
        self._open = protocol.conn.state
        self._transport = protocol.transport

    def write(self, message: Message) -> bool:
        """Write `message` as a frame."""
        protocol, owner = self._protocol, self._owner
        if message["type"] != "websocket.send" or not owner.frames or not protocol.writable.is_set():
            return False
        if protocol.close_sent or protocol.disconnected or self._conn.state is not self._open:
            return False
        frame = message.get(_CHUNK)
        if frame is None:
            frame = message[_CHUNK] = framed(message["text"])
        if owner.frames_checked:
            self._transport.write(frame)
            return True
        written = _written(protocol, protocol.send, message)
        if written is None:  # it says itself what is the matter; the next one may tell
            return False
        owner.frames_checked = True
        if written != frame:
            owner.refuse("frames")
        self._transport.write(written)
        return True


class Accelerator:
    """Finds the transports of streams, once it is known that it may use them."""

    def __init__(self) -> None:
        self._works: bool | None = None
        self.frames = True  # may be written
        self.frames_checked = False

    def refuse(self, what: str) -> None:
        """Go on without."""
        self.frames = self.frames and what != "frames"
        log.warning(
            "Realtime(accelerate=True): this uvicorn writes %s otherwise than expected; going on without.", what
        )

    def of(self, send: Send) -> Direct | None:
        """Return the transport behind the server's own `send`, or None where that is not safe."""
        cycle: Any = getattr(send, "__self__", None)
        kind = type(cycle)
        if (kind.__module__, kind.__qualname__) == _SOCKET:
            return self._of_socket(cycle)
        if self._works is False or (kind.__module__, kind.__qualname__) != _CYCLE:
            return None
        if not all(hasattr(cycle, name) for name in _NEEDED) or not hasattr(cycle.flow, "write_paused"):
            return None
        if not cycle.chunked_encoding or cycle.response_complete:
            return None
        if self._works is None and not cycle.flow.write_paused:
            self._works = _agrees(cycle, send)
            if not self._works:
                self.refuse("chunks")
        return Chunks(cycle) if self._works else None

    def _of_socket(self, protocol: Any) -> Direct | None:
        if not self.frames or not all(hasattr(protocol, name) for name in _NEEDED_OF_SOCKET):
            return None
        conn = protocol.conn
        ready = protocol.handshake_complete and getattr(getattr(conn, "state", None), "name", "") == "OPEN"
        if (
            not ready
            or getattr(conn, "extensions", None) != []
            or not callable(getattr(protocol.writable, "is_set", 0))
        ):
            return None
        return Frames(self, protocol)


class _Recorder:
    """Stands in for a transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))


def _agrees(cycle: Any, send: Send) -> bool:
    """Tell whether `send` writes to the transport what we would; the stream gets it, too: it is a comment."""
    written = _written(cycle, send, {"type": "http.response.body", "body": _PROBE, "more_body": True})
    if written is not None:
        cycle.transport.write(written)
    return written == chunked(_PROBE)


def _written(holder: Any, send: Send, message: Message) -> bytes | None:
    """Return what `send` would write to the transport that `holder` has; None where it waits or fails instead."""
    transport, recorder = holder.transport, _Recorder()
    try:
        holder.transport = recorder
        sending: Any = send(message)
        try:
            sending.send(None)
        except StopIteration:
            pass
        else:  # it waits for what we do not know
            sending.close()
            return None
    except Exception:
        log.debug("The accelerator's check failed.", exc_info=True)
        return None
    finally:
        holder.transport = transport
    return b"".join(recorder.written)
