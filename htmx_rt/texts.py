"""Events as they go over a WebSocket: one text message each, `{"event","id","data"}`, and why it is closed in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from . import protocol
from .frames import Block, blocks
from .types import Message

NORMAL: Final = 1000


def texts(chunk: bytes, more: bool) -> Iterator[Message]:
    """Yield the messages that send `chunk`, and after the last event the one that closes the socket.

    A block that only moves the cursor is `{"id"}`, which is also the sign of life; comments are nothing.
    """
    block = None
    for block in blocks(chunk):
        yield {"type": "websocket.send", "text": _text(block)}
    if not more and block is not None:
        code, reason = _close(block)
        yield {"type": "websocket.close", "code": code, "reason": reason}


def _text(block: Block) -> str:
    # Names and cursors are ours, so nothing in them has to be escaped; the data is JSON already, on one line.
    name = f'"event":"{block.name}",' if block.name else ""
    identity = f'"id":"{block.id}",' if block.id is not None else ""
    data = f'"data":{block.data.decode()},' if block.data is not None else ""
    return f"{{{name}{identity}{data}"[:-1] + "}"


def _close(last: Block) -> tuple[int, str]:
    """Return the code and the reason that the last event of a socket stands for."""
    if last.name == protocol.BYE:
        return protocol.CLOSES["draining"], "bye"
    data: Any = json.loads(last.data or b"{}")
    reason = str(data.get("why") if last.name == protocol.STOP else data.get("title", ""))
    return protocol.CLOSES.get(reason, NORMAL), reason
