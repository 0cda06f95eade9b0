"""Somebody in front of a browser: a profile of their own, and pages that keep a record of what they showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

HERE = Path(__file__).resolve().parent
FLOOR = HERE.parents[1] / "js" / "node_modules" / "htmx204" / "dist" / "htmx.min.js"
RECORD = (HERE / "pages" / "record.js").read_text(encoding="utf-8")
# A server that is killed on purpose is missed by the browser in these words.
MISSED = ("net::ERR_CONNECTION_REFUSED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_CONNECTION_RESET",
          "net::ERR_EMPTY_RESPONSE", "net::ERR_CONTENT_LENGTH_MISMATCH", "net::ERR_SOCKET_NOT_CONNECTED", "net::ERR_NETWORK_CHANGED", "net::ERR_INTERNET_DISCONNECTED")  # fmt: skip


class Person:
    """A browser profile; every page of it records, and adds what it logs as an error to `errors`.

    The browser itself logs refused requests: `expected` are the statuses, or words, of those the test brings about.
    """

    def __init__(
        self,
        context: BrowserContext,
        address: str,
        errors: list[str],
        *,
        version: str = "4",
        expected: tuple[int | str, ...] = (),
    ) -> None:
        self.context = context
        self.address = address
        self.errors = errors
        self._expected = (*MISSED, *(f"a status of {what} " if isinstance(what, int) else what for what in expected))
        context.set_default_timeout(10_000)
        context.add_init_script(RECORD)
        context.on("page", self._watch)
        if version == "2.0.4":
            context.route("**/vendor/htmx2.min.js", lambda route: route.fulfill(path=FLOOR))
        context.add_cookies([{"name": "demo-htmx", "value": version[0], "url": address}])

    def sign_in(self, person: str) -> Person:
        """Choose a name on the board."""
        answer = self.context.request.post(f"{self.address}/sign-in", form={"person": person}, max_redirects=0)
        assert answer.status == 303
        return self

    def open(self, path: str = "/", *, state: str | None = "connected", clock: bool = False) -> Page:
        """Open a page, with a clock that can be turned if wished, and wait until its line is in `state`."""
        page = self.context.new_page()
        if clock:
            page.clock.install()
        page.goto(self.address + path)
        if state:
            until(page, state)
        return page

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in self._expected):
            self.errors.append(f"{message.text} ({message.location.get('url')})")


def until(page: Page, state: str) -> None:
    """Wait until the page's line is in `state`."""
    page.wait_for_selector(f'html[data-rt="{state}"]', state="attached")


def recorded(page: Page, name: str) -> Any:
    """Return a part of what `pages/record.js` kept."""
    return page.evaluate(f"recorded.{name}")


def states(page: Page) -> list[str]:
    """Return the connection's states so far, in order."""
    return [entry["state"] for entry in recorded(page, "states")]


def sample(page: Page, name: str, function: str) -> None:
    """Keep every value of a function without arguments from now on, over mutations and paints."""
    page.evaluate(f"recorded.sample({name!r}, {function})")


def samples(page: Page, name: str) -> list[Any]:
    """Return the different values that were kept, in order."""
    return list(page.evaluate(f"recorded.seen({name!r})"))
