"""What goes over the wire, as bytes: cursors, server-sent events, and messages encoded once for every reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from . import protocol
from .exceptions import BadOperation

_CURSOR: Final = re.compile(r"1~([A-Za-z0-9]{1,16})~([0-9a-z]{1,12})")
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [first + second for first in _DIGITS for second in _DIGITS]


class Cursor(NamedTuple):
    """A place in the log: offsets compare only within one epoch."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"1~{self.epoch}~{base36(self.offset)}"


def base36(number: int) -> str:
    """Return a non-negative `number` in base 36."""
    digits = ""
    while number:
        number, rest = divmod(number, 36 * 36)
        digits = _PAIRS[rest] + digits
    return digits.lstrip("0") or "0"


def parse_cursor(text: object) -> Cursor | None:
    """Return the cursor written in `text`, or None where it is none of ours."""
    return _parse_cursor(text) if isinstance(text, str) and len(text) <= 64 else None


@lru_cache(256)  # the grants of a page all say the same, and those of many pages do where little happens
def _parse_cursor(text: str) -> Cursor | None:
    found = _CURSOR.fullmatch(text)
    return Cursor(found[1], int(found[2], 36)) if found else None


def dump(value: object) -> str:
    """Return compact JSON; raise `BadOperation` for what JSON or UTF-8 cannot hold."""
    try:
        text = _ENCODE(value)
        text.encode()
    except UnicodeEncodeError as error:
        raise BadOperation(
            f"{error.object[max(0, error.start - 20) : error.end]!r} holds a lone surrogate, which UTF-8 cannot carry. "
            "Decode the text properly before publishing it."
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise BadOperation(f"This cannot be sent as JSON: {error}.") from None
    return text


def event(name: str, data: object, *, retry: int | None = None) -> bytes:
    """Encode one named server-sent event that leaves the reader's cursor alone."""
    return _event(name, dump(data), retry)


def _event(name: str, text: str, retry: int | None = None) -> bytes:
    hint = f"retry: {retry}\n" if retry is not None else ""
    return f"event: {name}\n{hint}data: {text}\n\n".encode()


def hello(data: dict[str, Any], grants: Mapping[str, str], *, retry: int) -> bytes:
    """Encode the first event of a stream, with its tokens by topic: both are of letters that JSON leaves as they are."""
    tokens = ",".join([f'"{topic}":"{token}"' for topic, token in grants.items()])
    return _event(protocol.HELLO, f'{dump(data)[:-1]},"grants":{{{tokens}}}}}', retry)


def checkpoint(cursor: str) -> bytes:
    """Encode a block that only moves the reader's cursor."""
    return f"id: {cursor}\n\n".encode()


HEARTBEAT: Final = b": hb\n\n"


class Block(NamedTuple):
    """One server-sent event as we write them: its data is JSON, on one line."""

    raw: bytes  # without the empty line after it
    name: str = ""
    id: str | None = None
    data: bytes | None = None


def blocks(chunk: bytes) -> Iterator[Block]:
    """Yield what `chunk` holds, which is whole events of ours; comments are left out."""
    for raw in chunk.split(b"\n\n"):
        if not raw or raw.startswith(b":"):
            continue
        fields = dict(line.split(b": ", 1) for line in raw.split(b"\n"))
        identity = fields[b"id"].decode() if b"id" in fields else None
        yield Block(raw, fields.get(b"event", b"").decode(), identity, fields.get(b"data"))


class Draft(NamedTuple):
    """A message on its way into the log: encoded but for its offset."""

    topic: str
    head: bytes
    tail: bytes
    state: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the message, without its offset."""
        return len(self.head) + len(self.tail)

    def frame(self, offset: int) -> bytes:
        """Return the event as it is replayed: complete, without an id."""
        return b"%s%d%s" % (self.head, offset, self.tail)


def draft(topic: str, name: str, body: dict[str, Any], *, state: str | None = None) -> Draft:
    """Encode the message `body` for `topic`; the offset is put in when the log gives one."""
    rest = {key: value for key, value in body.items() if value is not None}
    if state is not None:
        rest["s"] = state
    tail = dump(rest)[1:]
    return Draft(
        topic,
        f'event: {name}\ndata: {{"t":{dump(topic)},"o":'.encode(),
        f",{tail}\n\n".encode(),
        state,
    )


def resync_draft(topic: str, why: str) -> Draft:
    """Encode a message that makes every reader of `topic` fetch it again."""
    return draft(topic, protocol.RESYNC, {"topics": [topic], "why": why, "spread": 500})


def action_key(action: str) -> str:
    """Return the public name of an action id: FNV-1a, 64 bits, 16 hex digits.

    An action id has 122 random bits, so 64 of them give nothing away, and the browser can compute this
    synchronously on any origin. Source: http://www.isthe.com/chongo/tech/comp/fnv/
    """
    value = 0xCBF29CE484222325
    for byte in action.encode("utf-8", "replace"):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def resync_events(topics: dict[str, str], *, spread: int) -> bytes:
    """Encode the word that `topics` (topic → why) must be fetched again, within `spread` milliseconds."""
    reasons: dict[str, list[str]] = {}
    for topic, why in topics.items():
        reasons.setdefault(why, []).append(topic)
    return b"".join(
        event(protocol.RESYNC, {"topics": names, "why": why, "spread": spread}) for why, names in reasons.items()
    )
