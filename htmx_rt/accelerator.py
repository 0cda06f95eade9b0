"""Past `send()`: the same chunk written to all transports of uvicorn with httptools, which saves a copy for each reader.

It needs what uvicorn does not promise, so it is off unless `Realtime(accelerate=True)`, looks at what it finds, and
checks once, on the first stream, that it would write byte for byte what `send()` writes. Otherwise the hub goes on
as without it.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from .types import Message, Send

log = logging.getLogger("htmx_rt")

_CYCLE: Final = ("uvicorn.protocols.http.httptools_impl", "RequestResponseCycle")
_NEEDED: Final = ("transport", "flow", "disconnected", "response_complete", "chunked_encoding")
_CHUNK: Final = "htmx_rt.chunk"  # beside the body of a message, for all whom it goes to
_PROBE: Final = b": accelerated\n\n"


def chunked(body: bytes) -> bytes:
    """Return `body` as HTTP/1.1 sends it where the length of the whole is not known."""
    return b"%x\r\n%b\r\n" % (len(body), body)


class Direct:
    """The transport of one stream."""

    __slots__ = ("_cycle", "_flow", "_transport")

    def __init__(self, cycle: Any) -> None:
        self._cycle = cycle
        self._flow = cycle.flow
        self._transport = cycle.transport

    def write(self, message: Message) -> bool:
        """Write `message` now; False where that is for `send()`, because the connection takes no more or is gone."""
        if self._flow.write_paused or self._cycle.disconnected:
            return False
        chunk = message.get(_CHUNK)
        if chunk is None:
            chunk = message[_CHUNK] = chunked(message["body"])
        self._transport.write(chunk)
        return True


class Accelerator:
    """Finds the transports of streams, once it is known that it may use them."""

    def __init__(self) -> None:
        self._works: bool | None = None

    def of(self, send: Send) -> Direct | None:
        """Return the transport behind the server's own `send`, or None where that is not safe."""
        cycle: Any = getattr(send, "__self__", None)
        kind = type(cycle)
        if self._works is False or (kind.__module__, kind.__qualname__) != _CYCLE:
            return None
        if not all(hasattr(cycle, name) for name in _NEEDED) or not hasattr(cycle.flow, "write_paused"):
            return None
        if not cycle.chunked_encoding or cycle.response_complete:
            return None
        if self._works is None and not cycle.flow.write_paused:
            self._works = _agrees(cycle, send)
            if not self._works:
                log.warning("Realtime(accelerate=True): this uvicorn writes otherwise than expected; going on without.")
        return Direct(cycle) if self._works else None


class _Recorder:
    """Stands in for a transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))


def _agrees(cycle: Any, send: Send) -> bool:
    """Tell whether `send` writes to the transport what we would; the stream gets it, too: it is a comment."""
    transport, recorder = cycle.transport, _Recorder()
    try:
        cycle.transport = recorder
        sending: Any = send({"type": "http.response.body", "body": _PROBE, "more_body": True})
        try:
            sending.send(None)
        except StopIteration:
            pass
        else:  # it waits for what we do not know
            sending.close()
            return False
    except Exception:
        log.debug("The accelerator's check failed.", exc_info=True)
        return False
    finally:
        cycle.transport = transport
    transport.write(b"".join(recorder.written))
    return b"".join(recorder.written) == chunked(_PROBE)
