"""What only the operating system can do for streams: bound unsent data, and end a reader that takes nothing.

Servers hide their sockets, so these are found among the process's descriptors, by public calls only. Everything
here is best effort: where it cannot be done (another system, a Unix socket) streams still work.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

UNSENT: Final = 64 * 1024  # bytes of a connection that may wait in the kernel before send() is made to wait
# Python knows the name from 3.12 on; the numbers are the systems' own.
NOTSENT_LOWAT: Final[int | None] = {"linux": 25, "darwin": 0x201}.get(sys.platform)
_WRAPPERS: Final = 16  # middlewares that may have wrapped a server's send
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what is unsent


def _sockets(wanted: Callable[[socket.socket], bool]) -> Iterator[socket.socket]:
    """Yield this process's TCP sockets that are `wanted`; each is a duplicate, closed afterwards."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return
    for number in numbers:
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            duplicate = os.dup(number)
        except OSError:
            continue  # gone already
        try:
            copy = socket.socket(fileno=duplicate)
        except OSError:
            os.close(duplicate)
            continue
        with copy, contextlib.suppress(OSError):
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM and wanted(copy):
                yield copy


def listeners() -> Iterator[socket.socket]:
    """Yield the sockets on which this process accepts connections."""
    return _sockets(lambda candidate: candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1)


def tune_listeners() -> int:
    """Bound the unsent data of connections accepted from now on; return how many listeners were found.

    Without it a reader that stops reading takes up to 4 MiB of kernel memory before anybody notices, and makes
    everybody else slower by the page faults.
    """
    if NOTSENT_LOWAT is None:
        return 0
    ports: list[int] = []
    for listener in listeners():
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT, UNSENT)
            ports.append(listener.getsockname()[1])
    # Those that were accepted before: after a restart all pages come back at once.
    for connection in _sockets(lambda candidate: candidate.getsockname()[1] in ports):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT, UNSENT)
    return len(ports)


def end(send: Any, peer: tuple[str, int] | None) -> bool:
    """End the connection of the server's own `send`, or else the one to `peer`, at once; return whether it was found.

    A server's own close waits until everything is sent, which to a reader that reads nothing is for ever.
    """
    transport = _transport(send)
    if transport is None:
        return peer is not None and reset(peer)
    with contextlib.suppress(OSError, AttributeError, ValueError):  # of a closed one, uvloop raises the last
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
    return True


def _transport(send: Any) -> Any:
    """Return the transport that `send` writes to, or None where it cannot be told.

    uvicorn's `send` is a method of what holds the transport, and middlewares wrap it in functions that know it as
    `send`. Behind a proxy nothing else leads to the connection, because its peer is not whom the proxy speaks for.
    """
    for _ in range(_WRAPPERS):
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if callable(getattr(transport, "abort", None)) and callable(getattr(transport, "get_extra_info", None)):
            return transport
        names = getattr(getattr(send, "__code__", None), "co_freevars", ())
        if "send" not in names:
            return None
        send = send.__closure__[names.index("send")].cell_contents
    return None


def reset(peer: tuple[str, int]) -> bool:
    """End the connection to `peer` at once, unsent data and all; return whether it was found."""
    done, (host, port) = False, peer
    wanted = (host, str(port))  # which granian says as a text
    for connection in _sockets(lambda one: (one.getpeername()[0], str(one.getpeername()[1])) == wanted):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            connection.shutdown(socket.SHUT_RDWR)
            done = True
    return done
