"""Looking at HTML from outside: does each root element of a fragment carry an id?"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

from .exceptions import BadOperation

_VOID: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
# Elements whose end tag may be left out; a sibling of the same kind ends them.
_IMPLIED: Final = frozenset(["li", "dt", "dd", "p", "tr", "td", "th", "option", "optgroup", "thead", "tbody", "tfoot"])


class _Roots(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.without_id: list[str] = []
        self.count = 0
        self.stray_text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len(self.open) == 1 and self.open[0] == tag and tag in _IMPLIED:
            self.open.pop()
        if not self.open:
            self.count += 1
            if not any(name == "id" and value for name, value in attrs):
                self.without_id.append(self.get_starttag_text() or tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<li/>` opens an element in HTML; only inside <svg> would it close one too.
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag and len(self.open) > 1:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.open and not self.stray_text:
            self.stray_text = data.strip()


def check_roots(verb: str, html: str) -> None:
    """Raise `BadOperation` unless every root element of `html` has an id, by which pages recognise it."""
    roots = _Roots()
    roots.feed(html)
    roots.close()
    cure = 'An inserted item is recognised by its id, so give it one: <li id="task-7">…</li>.'
    if roots.stray_text:
        raise BadOperation(
            f"{verb} got text outside any element: {roots.stray_text[:80]!r}. {cure} (A plain str is escaped; "
            "rt.render() and Markup are not.)"
        )
    if roots.without_id:
        raise BadOperation(f"{verb} got a root element without an id: {roots.without_id[0][:120]}. {cure}")
    if not roots.count:
        raise BadOperation(f"{verb} got no element at all. {cure}")
