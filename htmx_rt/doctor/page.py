"""What a page says to the extension: its configuration, its grants, its files."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from .. import protocol

_META = "htmx-rt"


@dataclass(slots=True)
class Read:
    """A page, as the extension reads it."""

    config: dict[str, Any] | None = None  # None without rt.head()
    grants: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)  # of the kit
    tab: str = field(default_factory=lambda: secrets.token_hex(16))

    def order(self) -> bytes:
        """Return the body of the request that opens its stream."""
        tab = {"id": self.tab, "gen": 1, "vis": True, "fresh": list(self.grants.values())}
        return json.dumps({"v": protocol.VERSION, "cursor": None, "tabs": [tab]}).encode()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Read()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "meta" and told.get("name") == _META:
            try:
                config = json.loads(told.get("content", ""))
            except ValueError:
                config = None
            self.found.config = config if isinstance(config, dict) else None
        if "rt-grant" in told:
            self.found.grants |= zip(told.get("rt-stream", "").split(), told["rt-grant"].split(), strict=False)
        address = told.get("src") if tag == "script" else told.get("href") if tag == "link" else None
        if address and "/static/" in address and "htmx-rt" in address:
            self.found.files.append(address)


def read_page(text: str) -> Read:
    """Return what the HTML of a page says to the extension."""
    reader = _Reader()
    reader.feed(text)
    return reader.found
