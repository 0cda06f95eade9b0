"""A site that shows who is there, and pages that behave as the extension does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bs4 import BeautifulSoup

from htmx_rt.presence import Presence
from htmx_rt.testing import Browser, Page, Stream

from .kit import Site, opened

PAGE = """<html><head>{{ rt.head() }}</head><body>{{ rt.presence("doc:1") }}{{ rt.presence("doc:1", "count") }}
{{ rt.typing("doc:1") }}<div {{ rt.cursors("doc:1") }}></div></body></html>"""
HERE = "here:doc:1"


class Place(Site):
    """One page, `/`, that shows who is on doc:1; further templates by name at `/page/<name>`."""

    def __init__(self, page: str = PAGE, *, templates: dict[str, str] | None = None, **options: Any) -> None:
        super().__init__(templates={"page.html": page} | (templates or {}), **options)

    @property
    def presence(self) -> Presence:
        return self.rt.presence

    def names(self, topic: str = "doc:1") -> list[str]:
        return [person.name or person.user or "?" for person in self.presence.list(topic)]


class Tab:
    """A page in a browser, with the number of its connection."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.browser = browser
        self.page = page
        self.gen = 0

    def opening(self, grants: Iterable[str] | None = None, *, visible: bool = True, **more: Any) -> Any:
        """A further connection; use it with `async with`."""
        self.gen += 1
        tokens = list(self.page.grants.values() if grants is None else grants)
        tab = {"id": self.page.tab, "gen": self.gen, "vis": visible, "fresh": tokens} | more
        return self.browser.open({"v": 1, "cursor": None, "tabs": [tab]})

    async def beat(self, **more: Any) -> Page:
        """Tell that it is alive, or whatever else."""
        tab = {"id": self.page.tab, "gen": self.gen, "vis": True, "idle": False, "here": True} | more
        return await self.post("/_rt/beat", {"tabs": [tab]})

    async def show(self, *names: str, topic: str = HERE) -> Page:
        """Tell which pictures it shows."""
        return await self.beat(views={topic: list(names)})

    async def say(self, name: object, data: object, *, topic: str = HERE, **more: Any) -> Page:
        """Say something for now."""
        body = {"tab": self.page.tab, "grant": self.page.grants.get(topic), "name": name, "data": data} | more
        return await self.post("/_rt/signal", body)

    async def post(self, path: str, body: object) -> Page:
        kind = {"content-type": "application/json"}
        return await self.browser.request("POST", path, json.dumps(body).encode(), headers=kind)


async def tab(site: Site, who: str | None = "ada", path: str = "/") -> Tab:
    """Return the page at `path`, in a browser of `who`."""
    return Tab(*await opened(site, path, who=who))


async def picture(stream: Stream, name: str = "avatars", *, has: str | None = None, topic: str = HERE) -> Any:
    """Return the next picture `name` as its data; with `has` the next that holds this text."""
    while True:
        data = (await stream.event("rt:view")).data
        text = BeautifulSoup(data["html"], "html.parser").get_text(" ", strip=True)
        if (data["t"], data["s"]) == (topic, name) and (has is None or has in text):
            return data | {"text": " ".join(text.split())}
