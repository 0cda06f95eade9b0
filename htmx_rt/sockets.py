"""What only the operating system can do for streams: bound unsent data, and end a reader that takes nothing.

Servers hide their sockets, so these are found among the process's descriptors, by public calls only. Everything
here is best effort: where it cannot be done (another system, a Unix socket) streams still work.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator

UNSENT = 64 * 1024  # bytes of a connection that may wait in the kernel before send() is made to wait


def _sockets(wanted: Callable[[socket.socket], bool]) -> Iterator[socket.socket]:
    """Yield this process's TCP sockets that are `wanted`; each is a duplicate, closed afterwards."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return
    for number in numbers:
        try:
            copy = socket.socket(fileno=os.dup(number))
        except OSError:
            continue  # no socket, or gone already
        with copy, contextlib.suppress(OSError):
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM and wanted(copy):
                yield copy


def _listening(candidate: socket.socket) -> bool:
    return candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def tune_listeners() -> int:
    """Bound the unsent data of connections accepted from now on; return how many listeners were found.

    Without it a reader that stops reading takes up to 4 MiB of kernel memory before anybody notices, and makes
    everybody else slower by the page faults.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if os.uname().sysname == "Linux" else None)
    if option is None:
        return 0
    found = 0
    for listener in _sockets(_listening):
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, option, UNSENT)
            found += 1
    return found


def reset(peer: tuple[str, int]) -> bool:
    """End the connection to `peer` at once, unsent data and all; return whether it was found.

    A server's own close waits until everything is sent, which to a reader that reads nothing is for ever.
    """
    done = False
    for connection in _sockets(lambda candidate: candidate.getpeername()[:2] == peer):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RDWR)
            done = True
    return done
