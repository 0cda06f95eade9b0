"""People who look at one page, and what they see of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import CDPSession, Page
from starlette.requests import Request

from htmx_rt import User

from .lab import Lab

NAMES = {
    "ada": "Ada Okafor",
    "grace": "Grace Lindqvist",
    "mei": "Mei Tanaka",
    "priya": "Priya Nair",
    "max": "Max Weber",
    "miriam": "<b>מרים</b>",
}

FORM = """
<form rt-typing="doc">
  <label for="title">Title</label> <input id="title" name="title">
  <label for="body">Text</label> <textarea id="body" name="body" rows="4" cols="40"></textarea>
  <label for="secret">Password</label> <input id="secret" name="secret" type="password">
  <label for="card">Card</label> <input id="card" name="card" autocomplete="cc-number">
  <div rt-private><label for="diary">Diary</label> <input id="diary" name="diary"></div>
  <button id="save">Save</button>
</form>
"""
PAGE = (
    f'<div id="who">{{{{ rt.presence("doc") }}}}</div>{FORM}{{{{ rt.typing("doc") }}}}<p id="after">After the line</p>'
)


def identify(request: Request) -> User | None:
    """Whoever the cookie `who` names."""
    who = request.cookies.get("who", "")
    return User(who, NAMES.get(who, who)) if who else None


def shown(page: Page, selector: str = "#who") -> list[str]:
    """What a screen reader says of who is here, in order."""
    return page.locator(f"{selector} li[id] .rt-visually-hidden").all_text_contents()


def see(page: Page, *people: str, selector: str = "#who", timeout: float = 15_000) -> None:
    """Wait until exactly these are here: "Ada Okafor, active"."""
    page.wait_for_function(
        """([selector, people]) => {
          const shown = [...document.querySelectorAll(`${selector} li[id] .rt-visually-hidden`)].map((el) => el.textContent);
          return JSON.stringify(shown) === JSON.stringify(people);
        }""",
        arg=[selector, list(people)],
        timeout=timeout,
    )


def sleep(page: Page) -> CDPSession:
    """Stop everything that a page does, as a machine whose lid is closed; `wake` is the way back.

    By the debugger: a browser without a window takes no notice of `Page.setWebLifecycleState`.
    """
    session = page.context.new_cdp_session(page)
    session.send("Debugger.enable")
    session.send("Debugger.pause")  # at the next thing it would do
    return session


def wake(session: CDPSession) -> None:
    """Let a page go on."""
    session.send("Debugger.resume")
    session.detach()


def hide(page: Page, hidden: bool = True) -> None:
    """Let a page believe that it is in the background, or in front again."""
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (hidden ? "hidden" : "visible") });
          document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
        }""",
        hidden,
    )


class Calls:
    """What pages say to the server, by address."""

    def __init__(self, page: Page, path: str) -> None:
        self.bodies: list[dict[str, Any]] = []
        page.on(
            "request",
            lambda request: self.bodies.append(request.post_data_json) if request.url.endswith(path) else None,
        )


def lab_with(lab: Callable[..., tuple[Lab, str]], body: str = PAGE, path: str = "/", **options: Any) -> tuple[Lab, str]:
    """A lab that knows names, with one page."""
    started, address = lab(identify=identify, **options)
    started.page(path, body)
    return started, address
