"""A page with the bridge and the operations alone; the test is its server and its stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route

HEAD = "<!doctype html><title>Board</title><script src=/htmx.js></script>"
ROWS = '<li id="a" rt-version="1">A</li><li id="b" rt-version="1">B</li>'
ADD = '<button id="go" hx-post="/add" hx-target="#list" hx-swap="beforeend">Add</button>'
GET = '<button id="go" hx-get="/list" hx-target="#list">Refresh</button>'
NEW = '<li id="c" rt-version="1">C</li>'


class Kit:
    """A page with the bridge and the operations; the test is its server and its stream."""

    def __init__(self, page: Page, htmx: str, bundle: Callable[[str], str]) -> None:
        self.page = page
        self.held: dict[str, Route] = {}
        self.requests: list[Any] = []
        self._htmx = htmx
        self._bundle = bundle
        self._document = ""
        self._headers: dict[str, str] = {}
        page.route("**/*", self._serve)

    def open(self, body: str, **headers: str) -> Kit:
        self._document = f'{HEAD}<body>{body}<script src="/kit.js"></script></body>'
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.page.goto("http://rt.test/")
        self.page.wait_for_function("window.kit")
        return self

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix("http://rt.test")
        if path == "/htmx.js":
            route.fulfill(content_type="text/javascript", body=self._htmx)
        elif path == "/kit.js":
            route.fulfill(content_type="text/javascript", body=self._bundle("core"))
        elif path == "/":
            route.fulfill(content_type="text/html", headers=self._headers, body=self._document)
        elif path == "/favicon.ico":
            route.fulfill(status=204)
        else:
            self.requests.append(route.request)
            self.held[path] = route

    def ask(self, selector: str, path: str) -> dict[str, str]:
        """Click, and wait until the request is on the line; returns its headers."""
        with self.page.expect_request(f"**{path}") as request:
            self.page.click(selector)
        while path not in self.held:
            self.page.evaluate("0")  # lets Playwright deliver the route
        return request.value.headers

    def answer(
        self, path: str, html: str, *, at: int = 0, own: int | None = None, status: int = 200, **headers: str
    ) -> None:
        count = self.page.evaluate("kit.ended.length")
        fields = {"RT-At": f"1~e~{_base36(at)}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if own is not None:
            fields["RT-Own"] = _base36(own)
        self.held.pop(path).fulfill(status=status, content_type="text/html", headers=fields, body=html)
        self.page.wait_for_function("count => kit.ended.length > count", arg=count)

    def push(self, *ops: list[str]) -> None:
        self.page.evaluate("ops => kit.push(...ops)", list(ops))

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()


def stream(inner: str, tag: str = "ul", more: str = "") -> str:
    return f'<{tag} id="list" rt-stream="board:7" {more}>{inner}</{tag}>'


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[number] if number < 36 else _base36(number // 36) + digits[number % 36]
