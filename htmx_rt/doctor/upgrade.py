"""Whether a WebSocket comes through, up to its first event."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from collections.abc import Callable
from typing import Final

from .. import protocol
from .outside import NGINX_HOST, Visit
from .wire import AGENT, TIMEOUT, Unreachable

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MOST: Final = 1 << 20
_PASS: Final = (
    'nginx: map $http_upgrade $connection_upgrade { default upgrade; "" ""; } and, in the location,\n'
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;\n"
    "uvicorn: pip install websockets, and not --ws none."
)


def see_socket(visit: Visit) -> None:
    """Open a WebSocket with the page's order, and tell what became of it."""
    try:
        status, head, first = _open(visit)
    except (OSError, Unreachable, ValueError) as error:
        visit.findings.warn(
            "websocket",
            f"A WebSocket does not come through ({error or type(error).__name__}); pages go on by server-sent events.",
            _PASS,
        )
        return
    if status != 101:
        problem = head.get(protocol.PROBLEM.lower(), "")
        told = f"A WebSocket is answered with {status}{f' {problem}' if problem else ''}; pages go on by server-sent events."
        # Where the upgrade was lost on its way, or nobody knows of it, the router speaks: there is no GET /socket.
        cure = (
            f"The app has to see the Host and the Origin of the browser. nginx: {NGINX_HOST}"
            if status == 403
            else _PASS
        )
        visit.findings.warn("websocket", told, cure)
    elif not first:
        visit.findings.ok("websocket", "A WebSocket opens.")
    elif f'"{protocol.HELLO}"' in first:
        visit.findings.ok("websocket", "A WebSocket opens, and brings the stream.")
    else:
        visit.findings.warn(
            "websocket", f"A WebSocket opens, and is refused then: {first[:200]}", "Look at the log of the server."
        )


def _open(visit: Visit) -> tuple[int, dict[str, str], str]:
    """Return the status and headers of the upgrade, and the first message of the stream where the page has one."""
    client = visit.client
    key = base64.b64encode(os.urandom(16))
    lines = {
        "Host": client.parts.netloc, "Upgrade": "websocket", "Connection": "Upgrade", "Origin": client.origin,
        "Sec-WebSocket-Key": key.decode(), "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": protocol.SUBPROTOCOL,
        "User-Agent": AGENT, **client.headers, **client.cookie_header(),
    }  # fmt: skip
    text = f"GET {visit.prefix}/socket HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with client.raw() as line:
        line.settimeout(TIMEOUT)
        line.sendall(text.encode("latin-1") + b"\r\n")
        with line.makefile("rb") as incoming:
            status = int((incoming.readline(1000).split() or [b"", b""])[1])
            head: dict[str, str] = {}
            while (row := incoming.readline(65536).strip()) and len(head) < 100:
                name, _, value = row.decode("latin-1").partition(":")
                head[name.lower()] = value.strip()
            if status != 101:
                return status, head, ""
            wanted = base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()
            if head.get("sec-websocket-accept") != wanted:
                raise ValueError("the answer to its key is wrong")
            if not visit.page.grants:
                return status, head, ""
            _send(line, visit.page.order())
            return status, head, _message(incoming.read)


def _send(line: socket.socket, body: bytes, opcode: int = 1) -> None:
    mask = os.urandom(4)
    size = struct.pack("!B", 0x80 | len(body)) if len(body) < 126 else struct.pack("!BH", 0xFE, len(body))
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
    line.sendall(bytes([0x80 | opcode]) + size + mask + masked)


def _message(read: Callable[[int], bytes]) -> str:
    """Return the first text message."""
    whole = b""
    while True:
        start = read(2)
        if len(start) < 2:
            raise ValueError("it was closed without a word")
        opcode, size = start[0] & 15, start[1] & 127
        if size == 126:
            size = struct.unpack("!H", read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", read(8))[0]
        if size > _MOST:
            raise ValueError("its first message has no end")
        body = read(size)
        if opcode == 8:
            code = struct.unpack("!H", body[:2])[0] if len(body) > 1 else 1005
            raise ValueError(f"closed with {code} {body[2:].decode('utf-8', 'replace')}".rstrip())
        if opcode in (0, 1):
            whole += body
            if start[0] & 0x80:
                return whole.decode("utf-8", "replace")
