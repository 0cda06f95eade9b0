"""Events for readers that know nothing of us: unnamed ones of plain HTML, which htmx's own SSE extensions swap.

Each element says by `hx-swap-oob` where it goes, so the reader itself swaps nothing (`hx-swap="none"`):

    append prepend before after  → "delete" of the same ids, as a row that is there must not be there twice, then
                                   beforeend, afterbegin, beforebegin, afterend
    replace                      → outerHTML; of several elements the first
    update reset text            → innerHTML
    remove                       → delete

Each is an event of its own, as a row of a table and a paragraph cannot be parsed side by side; the last one of a message
carries its id. Calls, signals and pictures are left out; that topics are stale or gone, and the end, keep their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from markupsafe import escape

from . import protocol
from .fragments import root_ids
from .frames import Block, blocks, checkpoint
from .lines import pieces
from .types import Message

_STYLES: Final = {
    "append": "beforeend", "prepend": "afterbegin", "before": "beforebegin", "after": "afterend", "replace": "outerHTML",
    "update": "innerHTML", "reset": "innerHTML", "text": "innerHTML", "remove": "delete",
}  # fmt: skip
# What is lost outside of its own kind of element.
_AROUND: Final = {
    "tr": "tbody", "td": "tr", "th": "tr", "col": "colgroup", "tbody": "table", "thead": "table", "tfoot": "table",
    "caption": "table", "colgroup": "table",
}  # fmt: skip
_ROOT: Final = re.compile(r"\s*<([A-Za-z][^\s/>]*)")
_KEPT: Final = (protocol.RESYNC, protocol.REVOKED, protocol.BYE, protocol.STOP)


def plain(chunk: bytes, more: bool) -> Iterator[Message]:
    """Yield the messages that send `chunk` as plain HTML."""
    out = b"".join(_block(block) for block in blocks(chunk))
    if out or not more:
        yield from pieces(out, more)


def _block(block: Block) -> bytes:
    if block.name == protocol.OPS and block.data is not None:
        html = [part for operation in json.loads(block.data)["ops"] for part in _operation(*operation)]
        if html and block.id is not None:
            return "".join([*map(_event, html[:-1]), f"id: {block.id}\n", _event(html[-1])]).encode()
        return "".join(map(_event, html)).encode() + (checkpoint(block.id) if block.id is not None else b"")
    if block.name in _KEPT:
        return block.raw + b"\n\n"
    retry = next((line + b"\n\n" for line in block.raw.split(b"\n") if line.startswith(b"retry:")), b"")
    return retry + (checkpoint(block.id) if block.id is not None else b"")


def _event(html: str) -> str:
    lines = "\n".join(f"data: {line}" for line in re.split(r"\r\n|\r|\n", html))
    return f"{lines}\n\n"


def _operation(verb: str, target: str, html: str = "") -> Iterator[str]:
    """Yield the elements that do an operation."""
    style = _STYLES[verb]
    if verb in protocol.INSERTS:
        for identity in root_ids(html):
            # By attribute, because an id may hold what a selector cannot say as #id.
            yield _element("div", "delete", f'[id="{_quoted(identity)}"]', "")
    if verb == "replace":
        found = _ROOT.match(html)
        if found is not None:
            yield f"{html[found.start(1) - 1 : found.end()]}{_oob(style, target)}{html[found.end() :]}"
        return
    if verb == "text":
        html = str(escape(html))
    root = _ROOT.match(html)
    yield _element(_AROUND.get(root[1].lower(), "div") if root else "div", style, target, html)


def _element(tag: str, style: str, target: str, html: str) -> str:
    return f"<{tag}{_oob(style, target)}>{html}</{tag}>"


def _oob(style: str, target: str) -> str:
    return f' hx-swap-oob="{escape(f"{style}:{target}")}"'


def _quoted(identity: str) -> str:
    # The colon too: htmx 4 takes the last one for its own.
    return re.sub(r'[\\":\n\r\f\0]', lambda found: f"\\{ord(found[0]):x} ", identity)
