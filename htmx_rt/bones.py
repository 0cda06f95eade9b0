"""HTML without what it says and does: its elements and classes, and bones where its texts were."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from typing import Final

_LETTERS: Final = "enita"  # as wide as text is on the average
_KEPT: Final = frozenset(
    ["class", "colspan", "rowspan", "width", "height", "cols", "rows", "size", "dir", "hidden", "open"]
)
_INPUTS: Final = frozenset(("checkbox", "radio", "range", "color", "date", "time", "number", "file"))
_VOID: Final = frozenset(
    ["br", "hr", "wbr", "col", "area", "base", "link", "meta", "source", "track", "param", "embed"]
)
_DROPPED: Final = frozenset(("script", "style", "template", "noscript", "title", "datalist", "dialog", "area", "base", "link", "meta", "source", "track", "param"))  # fmt: skip
_BLOCKS: Final = frozenset(("img", "svg", "video", "canvas", "iframe", "picture", "object", "embed", "audio", "map", "math", "progress", "meter"))  # fmt: skip
_PLAIN: Final = {
    "form": "div",
    "html": "div",
    "body": "div",
    "main": "div",
    "a": "span",
    "label": "span",
    "output": "span",
}
_CLOSED: Final = frozenset(("input", "img", "embed"))  # have no end tag
# In these, text would stand outside of the cells.
_NO_TEXT: Final = frozenset(("table", "thead", "tbody", "tfoot", "tr", "colgroup", "ul", "ol", "dl", "select"))


class Bones(HTMLParser):
    """Writes HTML again: the same elements and classes, and nothing of what they say or do."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._open: list[tuple[str, str]] = []  # as read, as written
        self._mute = ""  # the element whose content is left out
        self._depth = 0  # of elements of its kind in it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._mute:
            self._depth += tag == self._mute
            return
        given = {name: value or "" for name, value in attrs}
        if tag in _DROPPED or (tag == "input" and given.get("type") == "hidden") or (tag == "head"):
            if tag not in _VOID and tag not in _CLOSED:
                self._mute, self._depth = tag, 1
            return
        if tag in _BLOCKS:
            self._block(given)
            if tag not in _CLOSED:
                self._mute, self._depth = tag, 1
            return
        name = "div" if "-" in tag else _PLAIN.get(tag, tag)
        self._out.append(f"<{name}{_attributes(given)}")
        if tag in ("input", "button", "select", "textarea", "fieldset"):
            kind = given.get("type", "").lower()
            self._out.append(f' type="{kind}"' if tag == "input" and kind in _INPUTS else "")
            self._out.append(' type="button" disabled' if tag == "button" else " disabled")
        self._out.append(">")
        if tag not in _VOID and tag not in _CLOSED:
            self._open.append((tag, name))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # in HTML the slash means nothing

    def handle_endtag(self, tag: str) -> None:
        if self._mute:
            self._depth -= tag == self._mute
            if not self._depth:
                self._mute = ""
            return
        if not any(read == tag for read, _ in self._open):
            return
        while self._open:
            read, name = self._open.pop()
            self._out.append(f"</{name}>")
            if read == tag:
                return

    def handle_data(self, data: str) -> None:
        words = data.split()
        inside = self._open[-1][0] if self._open else ""
        if self._mute or not words or inside in _NO_TEXT:
            self._out.append(" " if data and not self._mute and inside not in _NO_TEXT else "")
            return
        before, after = data[0].isspace(), data[-1].isspace()
        text = " ".join((_LETTERS * (len(word) // len(_LETTERS) + 1))[: len(word)] for word in words)
        bone = text if inside in ("textarea", "option") else f'<span class="rt-bone">{text}</span>'
        self._out.append(f"{' ' if before else ''}{bone}{' ' if after else ''}")

    def written(self) -> str:
        """Return what was written, with all that is still open closed."""
        return "".join(self._out) + "".join(f"</{name}>" for _, name in reversed(self._open))

    def _block(self, given: dict[str, str]) -> None:
        classes = " ".join(filter(None, ("rt-bone-block", given.get("class", ""))))
        self._out.append(f"<svg{_attributes({**given, 'class': classes})}></svg>")


def _attributes(given: Mapping[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in given.items() if name in _KEPT)
