"""The verbs on HTML and the other words of a message, checked before anything is sent."""

from __future__ import annotations

import re
from typing import Any, Final

from markupsafe import escape

from . import frames, protocol
from .exceptions import BadOperation
from .fragments import check_roots

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_SELECTOR: Final = 512  # characters
_TOAST: Final = 500  # characters

Html = Any  # Markup or anything with __html__; a plain str is text and gets escaped


class Operations:
    """The verbs on HTML. `target` is a CSS selector; `html` is Markup, and a plain str is shown as text."""

    def _do(self, verb: str, target: str, html: Html | None, after: object) -> Any:
        raise NotImplementedError

    def append(self, target: str, html: Html, *, after: object = None) -> Any:
        """Put `html` at the end of `target`; an element of the same id is replaced or moved."""
        return self._do("append", target, html, after)

    def prepend(self, target: str, html: Html, *, after: object = None) -> Any:
        """Put `html` at the start of `target`; an element of the same id is replaced or moved."""
        return self._do("prepend", target, html, after)

    def before(self, target: str, html: Html, *, after: object = None) -> Any:
        """Put `html` before `target`; an element of the same id is moved."""
        return self._do("before", target, html, after)

    def after(self, target: str, html: Html, *, after: object = None) -> Any:
        """Put `html` after `target`; an element of the same id is moved."""
        return self._do("after", target, html, after)

    def replace(self, target: str, html: Html, *, after: object = None) -> Any:
        """Replace the whole of `target`, keeping what a person is typing in it."""
        return self._do("replace", target, html, after)

    def update(self, target: str, html: Html, *, after: object = None) -> Any:
        """Replace what is inside `target`, keeping what a person is typing in it."""
        return self._do("update", target, html, after)

    def text(self, target: str, text: object, *, after: object = None) -> Any:
        """Set the text of `target`."""
        return self._do("text", target, text, after)

    def remove(self, target: str, *, after: object = None) -> Any:
        """Remove `target`."""
        return self._do("remove", target, None, after)

    def reset(self, target: str, html: Html, *, after: object = None) -> Any:
        """Replace what is inside `target`, keeping nothing."""
        return self._do("reset", target, html, after)


def operation(verb: str, target: str, html: Html | None) -> list[str]:
    """Return `[verb, target, html]` as it goes over the wire; raise `BadOperation` for what no page could apply."""
    target = selector(target)
    if verb == "remove":
        return [verb, target]
    if verb == "text":
        return [verb, target, str(html)]
    if html is None:
        raise BadOperation(f"{verb} needs HTML. Use rt.render('row.html', …), or Markup for trusted HTML.")
    # escape() leaves whatever has __html__ alone and turns a plain str into text.
    markup = str(escape(html))
    if verb in protocol.INSERTS:
        check_roots(verb, markup)
    return [verb, target, markup]


def toast_args(
    text: str, *, level: str, key: str | None, timeout: float | None, undo: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments of a toast; raise `BadOperation` for an unknown level or text that no page could show."""
    if level not in protocol.TOAST_LEVELS:
        raise BadOperation(f"Unknown toast level {level!r}. Use one of: {', '.join(protocol.TOAST_LEVELS)}.")
    if key is not None:
        checked_name(key, "toast key")
    frames.dump(text)
    short = text if len(text) <= _TOAST else text[: _TOAST - 1] + "…"
    args = {"text": short, "level": level, "key": key, "timeout": timeout}
    return args if undo is None else args | {"undo": undo}


def selector(target: object) -> str:
    """Return a CSS selector, or raise `BadOperation`."""
    if isinstance(target, str) and len(target.strip()) > 0 and len(target) <= _SELECTOR and "\x00" not in target:
        return target
    raise BadOperation(
        f"Bad target {target!r}. Give a CSS selector of at most {_SELECTOR} characters, such as '#tasks'."
    )


def checked_name(name: object, what: str) -> str:
    """Return a name that an app may give, or raise `BadOperation`."""
    if isinstance(name, str) and _NAME.fullmatch(name) and not name.startswith("rt:"):
        return name
    raise BadOperation(
        f"Bad {what} name {name!r}. Use 1 to 64 letters, digits and _ . : -, not beginning with 'rt:', which is ours."
    )
