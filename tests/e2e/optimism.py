"""A server whose answers the test holds, gives, refuses and loses, and whose page says what it shows in every frame."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .lab import Lab

# What differs between two pages of the same state: grants, ids of tabs, and what the kit says about failures.
PERSONAL = re.compile(r' (?:rt-grant|rt-at|data-htmx-powered)="[^"]*"')
BODY = """() => {
  const copy = document.body.cloneNode(true);
  for (const one of copy.querySelectorAll("#rt-toasts, #rt-live, #rt-toast, #rt-banner, .rt-why, script")) one.remove();
  for (const one of copy.querySelectorAll("[hx-post][class='']")) one.removeAttribute("class"); // htmx 4 leaves it there
  return copy.outerHTML;
}"""
FRAMES = """selector => {
  window.frames_ = [];
  const look = () => {
    window.frames_.push([...document.querySelectorAll(selector)].map(el => el.textContent.replace(/Sending…/, "").trim()).join("|"));
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
BUSY = """() => !document.querySelector(".rt-loading, .rt-spinning, .rt-pending, .htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")"""
QUIET = "document.addEventListener('rt:error', event => event.preventDefault())"
READY = """() => {
  const it = window.htmxRt?.rt?.optimistic;
  return it && (it.moves || !document.querySelector("[rt-move]"));
}"""


class Actions:
    """Handlers of POSTs: each waits for the test's word about its answer."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.forms: list[dict[str, str]] = []
        self.keys: list[str] = []
        self._said: dict[str, list[Any]] = {}
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._over = False

    def at(self, path: str, effect: Callable[[dict[str, str]], Any] | None = None) -> Actions:
        """Let POST `path` run `effect` with its form, then answer as the test says."""

        async def handle(request: Request) -> Response:
            form = {name: str(value) for name, value in (await request.form()).items()}
            with self._changed:
                self.forms.append(form)
                self.keys.append(request.headers["idempotency-key"])
                self._waiting.append(path)
                self._changed.notify_all()
            answer = await asyncio.to_thread(self._next, path)
            if callable(answer) and not isinstance(answer, Response):
                answer = answer(form)
                if asyncio.iscoroutine(answer):
                    answer = await answer
            return answer if isinstance(answer, Response) else HTMLResponse(answer)

        self.lab.post(path, handle)
        return self

    def _next(self, path: str) -> Any:
        with self._changed:
            assert self._changed.wait_for(lambda: self._said.get(path) or self._over, 20), f"nobody answered {path}"
            return self._said[path].pop(0) if self._said.get(path) else ""

    def say(self, path: str, answer: Any = "", status: int = 200, **headers: str) -> None:
        """Answer the oldest request at `path`: HTML, a response, or a function of its form that returns one."""
        if isinstance(answer, str):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = HTMLResponse(answer, status, headers=named) if status != 204 else Response(status_code=204)
        with self._changed:
            self._said.setdefault(path, []).append(answer)
            self._changed.notify_all()

    def finish(self) -> None:
        """Answer all that nobody waits for any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def reached(self, path: str, count: int = 1) -> None:
        """Wait until `count` requests have come to `path`."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._waiting.count(path) >= count, 10), f"no request came to {path}"


def body(page: Page) -> str:
    """The page, but for what is personal to it, once nobody works on it any more."""
    page.wait_for_function(BUSY)
    return PERSONAL.sub("", page.evaluate(BODY))


def ready(page: Page) -> Page:
    """Wait until the optimistic half is there; failures are told nobody."""
    page.wait_for_function(READY)
    page.evaluate(QUIET)
    return page


def watch(page: Page, selector: str) -> None:
    """Note what matches `selector` in every frame from now on."""
    page.evaluate(FRAMES, selector)


def frames(page: Page) -> list[str]:
    """The different looks of what is watched, in order."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seen: list[str] = page.evaluate("frames_")
    return [look for index, look in enumerate(seen) if index == 0 or look != seen[index - 1]]


def push(lab: Lab, verb: str, target: str, html: str | None = None, topic: str = "tasks") -> None:
    """Publish, and wait until it is in the log."""
    publish = getattr(lab.topic(topic), verb)
    (publish(target) if html is None else publish(target, Markup(html))).result(5)


def shows(page: Page, selector: str, text: str) -> None:
    """Wait until it does."""
    expect(page.locator(selector)).to_have_text(text)
