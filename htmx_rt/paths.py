"""Patterns of paths, such as "/invoices/{id}/send", as apps name routes to us."""

from __future__ import annotations

import re
from typing import Final

from .exceptions import ConfigurationError

_PATTERN: Final = re.compile(r"/(?:[A-Za-z0-9_.~:@!$&'()*+,;=%-]|\{[A-Za-z_][A-Za-z0-9_]*\}|/)*")
_FIELD: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


class PathPattern:
    """Matches whole paths; a field in braces stands for one part between slashes."""

    def __init__(self, pattern: str) -> None:
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            raise ConfigurationError(
                f"Bad path {pattern!r}. Begin with a slash and put what varies in braces, such as '/invoices/{{id}}/send'."
            )
        self.pattern = pattern
        parts = _FIELD.split(pattern)
        self._regex = re.compile("[^/]+".join(re.escape(part) for part in parts))

    def matches(self, path: str) -> bool:
        """Tell whether `path` is one of these."""
        return self._regex.fullmatch(path) is not None
