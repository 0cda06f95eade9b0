"""Looking at HTML from outside: does each root element of a fragment carry an id?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from typing import Final

from .exceptions import BadOperation

_VOID: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
# Elements whose end tag may be left out; a sibling of the same kind ends them.
_IMPLIED: Final = frozenset(["li", "dt", "dd", "p", "tr", "td", "th", "option", "optgroup", "thead", "tbody", "tfoot"])
# Elements that hold text up to their own end tag, whatever it looks like.
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp")
}
# Not html.parser: an unclosed comment costs it the square of the length, and every row sent ten times as much.
# All parts are possessive and also end where the text ends, so that nothing is looked at twice.
_VALUE: Final = r"""(?:\s*+=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>]*+))?+"""
_ATTRIBUTE: Final = r"[\s/]*+[^\s/>][^\s/>=]*+" + _VALUE
_ID: Final = re.compile(r"""id\s*+=\s*+["']?[^\s"'>]""", re.IGNORECASE)
_ID_VALUE: Final = re.compile(r"""id\s*+=\s*+(?:"([^"]*+)|'([^']*+)|([^\s"'>]++))""", re.IGNORECASE)
_MARKUP: Final = re.compile(
    r"<(?:!--(?:-?+>|(?:(?!-->).)*+(?:-->|\Z))"  # a comment
    r"|/([A-Za-z][^\s/>]*+)[^>]*+(?:>|\Z)"  # an end tag
    rf"|([A-Za-z][^\s/>]*+)((?:{_ATTRIBUTE})*+)[\s/]*+(?:>|\Z)"  # a start tag
    r"|[!?/][^>]*+(?:>|\Z))",  # anything else that is no text
    re.DOTALL,
)
_ATTRIBUTES: Final = re.compile(_ATTRIBUTE)
_BEFORE_NAME: Final = " \t\n\r\f\v/"


def check_roots(verb: str, html: str) -> None:
    """Raise `BadOperation` unless every root element of `html` has an id, by which pages recognise it."""
    roots, stray_text = _roots(html)
    without_id = next((root[0] for root in roots if not _has_id(root[3])), "")
    cure = 'An inserted item is recognised by its id, so give it one: <li id="task-7">…</li>.'
    if stray_text:
        raise BadOperation(
            f"{verb} got text outside any element: {stray_text[:80]!r}. {cure} (A plain str is escaped; "
            "rt.render() and Markup are not.)"
        )
    if without_id:
        raise BadOperation(f"{verb} got a root element without an id: {without_id[:120]}. {cure}")
    if not roots:
        raise BadOperation(f"{verb} got no element at all. {cure}")


def root_ids(html: str) -> list[str]:
    """Return the ids of the root elements of `html`."""
    ids = (_ID_VALUE.match(found[0].lstrip(_BEFORE_NAME)) for root in _roots(html)[0] for found in _attributes(root[3]))
    return [unescape(found[1] or found[2] or found[3]) for found in ids if found is not None]


def _roots(html: str) -> tuple[list[re.Match[str]], str]:
    """Return the start tags of the root elements, and the first text outside of them."""
    only = _only_root(html)
    return ([only], "") if only is not None else _all_roots(html)


def _all_roots(html: str) -> tuple[list[re.Match[str]], str]:
    roots: list[re.Match[str]] = []
    stray_text = ""
    nest = _Nest()
    place = 0
    while (found := _MARKUP.search(html, place)) is not None:
        if not nest.open and not stray_text:
            stray_text = html[place : found.start()].strip()
        place = found.end()
        if found[1] is not None:
            nest.leave(found[1].lower())
        elif found[2] is not None:
            tag = found[2].lower()
            if nest.open == [tag] and tag in _IMPLIED:
                nest.leave(tag)
            if not nest.open:
                roots.append(found)
            if tag in _VOID or (nest.open and found[0].endswith("/>")):
                continue  # `<path/>` in <svg>; a root written so stays open in HTML
            nest.enter(tag)
            if tag in _RAW:
                closing = _RAW[tag].search(html, place)
                place = closing.start() if closing else len(html)
    if not nest.open and not stray_text:
        stray_text = html[place:].strip()
    return roots, stray_text


def _only_root(html: str) -> re.Match[str] | None:
    """Return the start tag of the only root, where that is plain to see: its name is nowhere but at both ends.

    Whatever stands between, nothing there can close it, so that there is no need to look: most rows are of this kind.
    """
    first = _MARKUP.search(html)
    if first is None or first[2] is None or html[: first.start()].strip():
        return None
    name, end = first[2], len(html.rstrip())
    last = end - len(name) - 3
    if name.lower() in _VOID or not html.startswith(f"</{name}>", last):
        return None
    return first if _naming(name).search(html, first.end(), last) is None else None


@lru_cache(64)
def _naming(name: str) -> re.Pattern[str]:
    return re.compile(f"</?{re.escape(name)}", re.IGNORECASE)


class _Nest:
    """The open elements, counted by name so that a stray end tag need not look through all of them."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self._counts: Counter[str] = Counter()

    def enter(self, tag: str) -> None:
        self.open.append(tag)
        self._counts[tag] += 1

    def leave(self, tag: str) -> None:
        while self._counts[tag]:
            last = self.open.pop()
            self._counts[last] -= 1
            if last == tag:
                return


def _has_id(attributes: str) -> bool:
    return any(_ID.match(found[0].lstrip(_BEFORE_NAME)) for found in _attributes(attributes))


def _attributes(text: str) -> Iterator[re.Match[str]]:
    return _ATTRIBUTES.finditer(text)
