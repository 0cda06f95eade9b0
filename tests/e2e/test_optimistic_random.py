"""Chance in a real browser: one person's presses and forms over another's changes, refusals and cut lines.

In the end the page is a fresh render. `RT_STEPS` makes it longer, `RT_SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from playwright.sync_api import Page, Route, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .conftest import Htmx
from .lab import Lab
from .optimism import push, ready
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

STEPS = int(os.environ.get("RT_STEPS", "300"))
SEED = int(os.environ.get("RT_SEED", str(int(time.time()) % 100_000)))

KINDS = ["star"] * 2 + ["more"] * 3 + ["drop"] + ["add"] * 2 + ["other"] * 2 + ["wait", "discard"]
PAGE = """
<form id="form" hx-post="/add" hx-target="#tasks" hx-swap="beforeend" rt-optimistic="insert:#tpl on #tasks at end; inc on #count">
  <input name="title" id="title"><button id="add">Add</button></form>
<b id="count" {{ rt.stream("tasks") }}>{{ count }}</b>
<ul id="tasks" {{ rt.stream("tasks") }}>{{ rows }}</ul>
<template id="tpl"><li><span>{title}</span></li></template>"""

LOOK = """root => [...root.querySelectorAll("#tasks > li")].map(li => [li.id, li.className, li.querySelector(".n").textContent, li.querySelector(".t").textContent].join(" "))
  .concat(root.querySelector("#count").textContent)"""
FRESH = (
    f"""async () => ({LOOK})(new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html"))"""
)


class World:
    """The tasks as the server has them; its answers take their time, and some are refusals."""

    def __init__(self, lab: Lab, chance: random.Random) -> None:
        self.lab = lab
        self.chance = chance
        self.tasks: dict[int, dict[str, Any]] = {}
        self.next = 1
        self.mood = 0.2
        for path, change in {"/star": self.star, "/more": self.more, "/drop": self.drop, "/add": self.add}.items():
            lab.post(path, self.handler(change))

    def row(self, number: int) -> Markup:
        """One task as HTML."""
        task = self.tasks[number]
        post = f"""hx-vals='{{"id": "{number}"}}' hx-swap="none\""""
        return Markup(
            f'<li id="t{number}" rt-version="{task["v"]}" class="{"on" if task["on"] else "off"}">'
            f'<button class="star" hx-post="/star" {post} rt-optimistic="toggle-class:on off on closest li">*</button>'
            f'<button class="more" hx-post="/more" {post} rt-optimistic="inc on next .n">+</button> <b class="n" id="n{number}">{task["n"]}</b>'
            f'<button class="drop" hx-post="/drop" {post} rt-optimistic="remove on closest li; dec on #count">x</button>'
            f'<span class="t">{task["title"]}</span></li>'
        )

    def rows(self) -> Markup:
        """All of them."""
        return Markup("").join(self.row(number) for number in self.tasks)

    def touch(self, number: int, **fields: Any) -> list[tuple[str, str, Any]]:
        """Change one; returns what is to be told."""
        self.tasks[number].update(fields)
        self.tasks[number]["v"] += 1
        return [("replace", f"#t{number}", self.row(number))]

    def star(self, form: dict[str, str]) -> tuple[str, list[Any]] | None:
        number = int(form["id"])
        return ("", self.touch(number, on=not self.tasks[number]["on"])) if number in self.tasks else None

    def more(self, form: dict[str, str]) -> tuple[str, list[Any]] | None:
        number = int(form["id"])
        return ("", self.touch(number, n=self.tasks[number]["n"] + 1)) if number in self.tasks else None

    def drop(self, form: dict[str, str]) -> tuple[str, list[Any]] | None:
        number = int(form["id"])
        if self.tasks.pop(number, None) is None:
            return None
        return "", [("remove", f"#t{number}", None), ("text", "#count", len(self.tasks))]

    def add(self, form: dict[str, str]) -> tuple[str, list[Any]]:
        number = self.next
        self.next += 1
        self.tasks[number] = {"v": 1, "on": False, "n": 0, "title": form.get("title", "theirs")}
        row = self.row(number)
        return row, [("append", "#tasks", row), ("text", "#count", len(self.tasks))]

    async def publish(self, told: list[tuple[str, str, Any]]) -> None:
        """Tell everybody, in order."""
        for verb, target, html in told:
            publish = getattr(self.lab.topic("tasks"), verb)
            await (publish(target) if html is None else publish(target, html))

    def handler(self, change: Callable[[dict[str, str]], Any]) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            form = {name: str(value) for name, value in (await request.form()).items()}
            await asyncio.sleep(self.chance.random() * 0.15)
            if self.chance.random() < self.mood or (done := change(form)) is None:
                return Response(status_code=self.chance.choice([422, 500]))
            html, told = done
            if self.chance.random() < 0.3:
                task = asyncio.create_task(self.publish(told))
                await asyncio.sleep(self.chance.random() * 0.05)
                await task
            else:
                await self.publish(told)
            await asyncio.sleep(self.chance.random() * 0.15)
            return HTMLResponse(html) if html else Response(status_code=204)

        return handle

    async def meddle(self) -> None:
        """Somebody else does something."""
        kinds: list[Any] = [self.star, self.more, self.drop, self.add, self.add]
        if not self.tasks:
            kinds = [self.add]
        change = self.chance.choice(kinds)
        done = change({"id": str(self.chance.choice(list(self.tasks or [0])))})
        if done:
            await self.publish(done[1])


def settled(page: Page) -> None:
    expect(page.locator(".rt-pending, .rt-loading, [rt-tmp]:not(.rt-failed)")).to_have_count(0, timeout=20_000)
    for _ in range(page.locator(".rt-discard").count()):
        page.locator(".rt-discard").first.click()


def test_ends_as_a_fresh_render(lab: Start, person: Arrive, htmx: Htmx) -> None:
    print(f"seed {SEED}, {STEPS} steps")
    chance = random.Random(SEED)
    app, address = lab(debug=True)
    world = World(app, chance)
    for _ in range(4):
        world.add({"title": "first"})
    app.page("/", PAGE, rows=world.rows, count=lambda: len(world.tasks))

    async def other(_request: Request) -> str:
        await world.meddle()
        return ""

    app.post("/other", other)
    expected = (422, 500, "ERR_FAILED", "Status Error", "sendError", "afterRequest", "Failed to fetch")
    page = ready(person(address, htmx, expected=expected).open())

    def cut(route: Route) -> None:
        route.abort() if chance.random() < 0.07 else route.continue_()

    for path in ("star", "more", "drop", "add"):
        page.route(f"**/{path}", cut)
    did: dict[str, int] = {}
    for step in range(STEPS):
        kind = chance.choice(KINDS)
        did[kind] = did.get(kind, 0) + 1
        if kind == "other":
            page.evaluate("() => fetch('/other', {method: 'POST'}).then(() => 0)")
        elif kind == "add":
            page.evaluate(
                "title => { document.getElementById('title').value = title; document.getElementById('form').requestSubmit() }",
                f"mine {step}",
            )
        elif kind == "wait":
            page.wait_for_timeout(chance.random() * 60)
        else:
            selector = ".rt-retry, .rt-discard" if kind == "discard" else f"#tasks > li[id] .{kind}"
            page.evaluate(
                "([selector, at]) => { const all = document.querySelectorAll(selector); all[Math.floor(at * all.length)]?.click() }",
                [selector, chance.random()],
            )
        if step % 50 == 49:
            settled(page)
            world.mood = chance.choice([0, 0.2, 0.5])
    settled(page)
    push(app, "append", "#tasks", '<li id="t0"><b class="n">0</b><span class="t">last</span></li>')
    expect(page.locator("#t0")).to_be_attached()
    push(app, "remove", "#t0")
    expect(page.locator("#t0")).to_have_count(0)
    assert page.evaluate(f"({LOOK})(document)") == page.evaluate(FRESH), f"seed {SEED}: {did}"
