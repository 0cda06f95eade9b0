"""Events as they go over a WebSocket: `{"event","id","data"}`, or a list of them, and why it is closed in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from . import protocol
from .frames import Block, blocks
from .lines import PIECE
from .types import Message

NORMAL: Final = 1000


def texts(chunk: bytes, more: bool) -> Iterator[Message]:
    """Yield the messages that send `chunk`, and after the last event the one that closes the socket.

    Events that go out at once are one message, a list, up to 64 KiB: a message costs a server as much as a write. A
    block that only moves the cursor is `{"id"}`, which is also the sign of life; comments are nothing.
    """
    block, together, size = None, list[str](), 0
    for block in blocks(chunk):
        text = _text(block)
        if together and size + len(text) > PIECE:
            yield _message(together)
            together, size = [], 0
        together.append(text)
        size += len(text)
    if together:
        yield _message(together)
    if not more and block is not None:
        code, reason = _close(block)
        yield {"type": "websocket.close", "code": code, "reason": reason}


def _message(together: list[str]) -> Message:
    text = together[0] if len(together) == 1 else f"[{','.join(together)}]"
    return {"type": "websocket.send", "text": text}


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
