"""A long list of numbered rows in a small app, and what a page shows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from playwright.sync_api import Page
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from htmx_rt.exceptions import BadCursor
from htmx_rt.paging import keyset, read_cursor

from .lab import LAYOUT, Gate, Lab
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
# What counts what comes in is there: what is imported a second time is the same module.
THERE = """async () => {
  const of = () => performance.getEntriesByType("resource").find(({ name }) => name.includes("htmx-rt-news.mjs"));
  while (!of()) await new Promise((done) => setTimeout(done, 10));
  await import(of().name);
  await new Promise((done) => setTimeout(done));
}"""
BUSY = "#list[aria-busy=true]"
BUTTON = "#rt-more-list button"
DOWN = """<p id="head">Head</p><ul id="list" {{ attributes }} {{ rt.stream("list") if live }}>{{ rows }}</ul>
{{ rt.more(next, "#list", auto=auto) }}<p id="foot">Foot</p><a id="away" href="/away">Away</a>"""
UP = """<div id="box"><div id="older">{{ rt.more(next, "#list", at="start", auto=auto) }}</div><ul id="list" rt-new="bottom" {{ rt.stream("list") }}>{{ rows }}</ul></div>
<form id="say" hx-post="/say" hx-target="#list" hx-swap="beforeend"><input name="text" aria-label="Text"><button>Send</button></form><link rel="stylesheet" href="/list.css">"""
CSS = "#box{height:300px;overflow:auto}#list{margin:0;padding:0;list-style:none}#list li{min-height:50px}.still #box,.still{overflow-anchor:none}#list.own{height:300px;overflow:auto}"


class Rows:
    """Numbered rows; the list shows the highest first, or, with `up`, last."""

    def __init__(
        self, lab: Lab, count: int = 100, *, size: int = 10, up: bool = False, whole: bool = False, **values: Any
    ) -> None:
        self.lab, self.size, self.up, self.whole = lab, size, up, whole
        self.numbers = list(range(1, count + 1))
        self.texts: dict[int, str] = {}
        self.body = values.pop("body", UP if up else DOWN)
        self.values = {"auto": False, "live": True, "attributes": Markup(""), "title": "List"} | values
        self.gate: Gate | None = None
        self.answer: Callable[[], Response | None] = lambda: None
        self.asked: list[str] = []
        lab.get("/", self.page)
        lab.get("/rows", self.rows)
        lab.get("/list.css", lambda request: Response(CSS, media_type="text/css"))
        lab.get(
            "/away",
            lambda request: HTMLResponse(
                lab.fill(LAYOUT % '<p id="other">Away</p>', title="Away", htmx=self.version(request))
            ),
        )

    def row(self, number: int) -> Markup:
        return Markup('<li id="row-{}">{}</li>').format(number, self.texts.get(number, f"Row {number}"))

    def version(self, request: Request) -> int:
        return int(request.query_params.get("htmx", self.lab.htmx))

    def found(self, request: Request) -> tuple[Markup, str | None]:
        try:
            after = read_cursor(request.query_params.get("after"), (int,))
        except BadCursor:
            after = None
        numbers = [n for n in sorted(self.numbers, reverse=True) if after is None or n < after[0]]
        page = keyset(numbers, size=self.size, key=lambda n: n)
        items = page.items[::-1] if self.up else page.items
        path = "/" if self.whole else "/rows"
        return Markup("").join(map(self.row, items)), f"{path}?after={page.next}" if page.next else None

    async def page(self, request: Request) -> Response:
        if "after" in request.query_params:
            return await self.rows(request)
        rows, following = self.found(request)
        values = {**self.values, "rows": rows, "next": following, "htmx": self.version(request)}
        return HTMLResponse(self.lab.fill(LAYOUT % self.body, **values))

    async def rows(self, request: Request) -> Response:
        self.asked.append(str(request.url.query))
        rows, following = self.found(request)
        if self.gate:
            await self.gate.wait()
        if answer := self.answer():
            return answer
        if self.whole:
            return HTMLResponse(
                self.lab.fill(
                    LAYOUT % self.body,
                    **{**self.values, "rows": rows, "next": following, "htmx": self.version(request)},
                )
            )
        at = "start" if self.up else "end"
        return HTMLResponse(
            str(rows)
            + self.lab.fill(
                f'{{{{ rt.more(next, "#list", at="{at}", auto=auto) }}}}', next=following, auto=self.values["auto"]
            )
        )

    def push(self, number: int) -> None:
        """Somebody adds a row."""
        self.numbers.append(number)
        verb = self.lab.topic("list").append if self.up else self.lab.topic("list").prepend
        verb("#list", self.row(number)).result(5)

    def change(self, number: int, text: str) -> None:
        self.texts[number] = text
        self.lab.topic("list").replace(f"#row-{number}", self.row(number)).result(5)

    def remove(self, number: int) -> None:
        self.numbers.remove(number)
        self.lab.topic("list").remove(f"#row-{number}").result(5)


def shown(page: Page) -> list[int]:
    return page.evaluate("[...document.querySelectorAll('#list > li')].map((row) => Number(row.id.slice(4)))")


def ready(page: Page) -> Page:
    """The part for lists is there and has made a button of the link."""
    page.wait_for_selector("[rt-more] button, [rt-more][hidden]", state="attached")
    return page


def place(page: Page, selector: str) -> float:
    return page.evaluate("(selector) => document.querySelector(selector).getBoundingClientRect().top", selector)
