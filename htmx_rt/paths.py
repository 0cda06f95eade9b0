"""Patterns of paths, such as "/invoices/{id}/send", as apps name routes to us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from .exceptions import ConfigurationError

_PATTERN: Final = re.compile(r"/(?:[A-Za-z0-9_.~:@!$&'()*+,;=%-]|\{[A-Za-z_][A-Za-z0-9_]*\}|/)*")
_FIELDS: Final = 200  # parameters of an address
_FIELD: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


class PathPattern:
    """Matches whole paths; a field in braces stands for one part between slashes."""

    def __init__(self, pattern: str) -> None:
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            raise ConfigurationError(
                f"Bad path {pattern!r}. Begin with a slash and put what varies in braces, such as '/invoices/{{id}}/send'."
            )
        self.pattern = pattern
        self.names = tuple(name[1:-1] for name in _FIELD.findall(pattern))
        if len(set(self.names)) != len(self.names):
            raise ConfigurationError(f"The path {pattern!r} names a field twice.")
        parts = [re.escape(part) for part in _FIELD.split(pattern)]
        fields = [f"(?P<{name}>[^/]+)" for name in self.names]
        self._regex = re.compile("".join(part + field for part, field in zip(parts, [*fields, ""], strict=True)))

    def matches(self, path: str) -> bool:
        """Tell whether `path` is one of these."""
        return self._regex.fullmatch(path) is not None

    def above(self, path: str) -> dict[str, str] | None:
        """Return the fields of the one of these that `path` is, or lies below; None where there is none."""
        found = self._regex.match(path)
        if found is None or (path[found.end() :][:1] not in ("", "/") and not found[0].endswith("/")):
            return None
        return found.groupdict()


def page_of(path: str, query: str, current: str | None, host: str | None) -> tuple[str, dict[str, list[str]]]:
    """Return the path and the query of the page that a request belongs to.

    `current` is the address that htmx says its page has (`HX-Current-URL`): its path counts, and what the request asks
    for stands over what the page's address says.
    """
    asked = _parsed(query)
    try:
        parts = urlsplit(current or "")
    except ValueError:
        return path, asked
    if parts.netloc.lower() != (host or "").lower() or not parts.path.startswith("/") or parts.path.startswith("//"):
        return path, asked
    return parts.path, _parsed(parts.query) | asked


def _parsed(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(query, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:  # more than anybody needs
        return {}


def changed(query: dict[str, list[str]], changes: Mapping[str, object]) -> str:
    """Return `query` with `changes` made, and its question mark: None takes a parameter away, a list repeats it."""
    kept = dict(query)
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = [str(one) for one in (value if isinstance(value, list | tuple) else [value])]
    text = urlencode(kept, doseq=True)
    return f"?{text}" if text else ""


def back_path(referer: str | None, host: str | None, *, root: str, but: str) -> str:
    """Return the path of the page that a reader came from, on this site and not below `but`; else the root."""
    try:
        parts = urlsplit(referer or "")
    except ValueError:
        return root + "/"
    if parts.netloc.lower() != (host or "").lower() or not parts.path.startswith("/"):
        return root + "/"
    if parts.path.startswith(("//", "/\\", but + "/")):
        return root + "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")
