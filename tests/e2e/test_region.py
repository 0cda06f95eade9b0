"""Regions that fetch themselves: what is seen while they load, when they fail, and when they ask again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jinja2
import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from .conftest import Htmx
from .lab import Gate, Lab
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

SALES = "{{ rt.async_region('/sales', id='sales', label='Sales', skeleton=rt.skeleton.tile()%s) }}"
REGION = SALES % ""
REFUSED = (401, 403, 404, 429, 500, 502, 503, "net::ERR")
# Everything a region ever looked like, with the time it took since it began.
WATCH = """() => {
  window.seen = [];
  const look = () => {
    const el = document.querySelector("#sales");
    if (!el) return;
    const bones = el.querySelector(".rt-skeletons");
    const what = bones && getComputedStyle(bones).visibility === "visible" ? "skeleton" : bones ? "nothing" : el.textContent.trim();
    if (seen.at(-1) !== what) seen.push(what);
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  look();
}"""


def html(text: str, **headers: str) -> Response:
    return HTMLResponse(text, headers=headers)


def there(page: Page) -> Page:
    """Wait until the part is there and mounted, whatever the page's clock says."""
    page.evaluate("""async () => {
      const { port1, port2 } = new MessageChannel();
      const turn = () => new Promise((done) => { port1.onmessage = done; port2.postMessage(0); });
      const file = document.querySelector("script[src*='htmx-rt.js']").src.replace("htmx-rt.js", "htmx-rt-region.mjs");
      await import(file);
      for (let turns = 0; turns < 20; turns += 1) await turn();
    }""")
    return page


class Desk:
    """A page with one region, whose answers wait for the test."""

    def __init__(
        self,
        lab: Start,
        person: Arrive,
        htmx: Htmx,
        body: str = REGION,
        *,
        expected: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.app, self.address = lab(**options)
        self.app.page("/", body)
        self.ada = person(self.address, htmx, expected=(*REFUSED, *expected))
        self.gates = [Gate() for _ in range(20)]
        self.asked: list[Request] = []
        self.answer: Callable[[Request], Any] = lambda request: "<p>42 sold</p>"
        self.app.get("/sales", self._sales)
        self.held = False
        self.finished = 0

    def count(self, url: str) -> None:
        """Count the answers that have arrived whole, or whose rest nobody waits for, as it is of no use."""
        self.finished += url.endswith("/sales")

    async def _sales(self, request: Request) -> Any:
        self.asked.append(request)
        if self.held:
            await self.gates[len(self.asked) - 1].wait()
        return self.answer(request)

    def open(self, path: str = "/", **options: Any) -> Page:
        page = self.ada.open(path, state=None, **options)
        return page

    def reached(self, index: int = 0) -> Gate:
        """Wait until the request `index` is at the server."""
        self.gates[index].reached()
        return self.gates[index]


@pytest.fixture
def desk(lab: Start, person: Arrive, htmx: Htmx) -> Callable[..., Desk]:  # type: ignore[override]
    return lambda *args, **options: Desk(lab, person, htmx, *args, **options)


Make = Callable[..., Desk]


def on_clock(desk: Desk) -> tuple[Page, Gate]:
    """A page whose time stands still, and whose region has just begun to load."""
    desk.held = True
    page = desk.ada.context.new_page()
    page.clock.install(time=1_800_000_000)
    page.clock.pause_at(1_800_000_001)
    page.goto(desk.address)
    gate = desk.reached()
    page.evaluate(WATCH)
    return page, gate


SOON = """() => new Promise((done) => {
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  port1.onmessage = () => ((turns += 1) > 20 ? done() : port2.postMessage(0));
  port2.postMessage(0);
})"""


def answered(page: Page, gate: Gate) -> None:
    """Let the answer through, and wait, without the page's clock, until it has been taken in."""
    with page.expect_response("**/sales") as response:
        gate.open()
    response.value.finished()
    page.evaluate(SOON)


# What is seen while it loads


def test_a_quick_answer_shows_no_skeleton(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(80)
    gate.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    page.clock.run_for(2000)
    assert page.evaluate("seen") == ["nothing", "42 sold"]
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#sales .rt-skeletons, #sales noscript")).to_have_count(0)


def test_a_slow_answer_shows_it_from_200_to_500_ms(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(199)
    assert page.evaluate("seen") == ["nothing"]
    page.clock.run_for(1)
    assert page.evaluate("seen") == ["nothing", "skeleton"]
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "true")
    page.clock.run_for(50)
    answered(page, gate)
    page.clock.run_for(249)
    assert page.evaluate("seen") == ["nothing", "skeleton"]
    page.clock.run_for(1)
    expect(page.locator("#sales")).to_have_text("42 sold")
    assert page.evaluate("seen") == ["nothing", "skeleton", "42 sold"]


def test_a_skeleton_that_was_there_long_enough_goes_at_once(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(600)
    gate.open()
    expect(page.locator("#sales")).to_have_text("42 sold")


def test_regions_load_side_by_side(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    names = ["a", "b", "c", "d", "e"]
    gates = {name: Gate() for name in names}
    app.page("/", "".join(f"{{{{ rt.async_region('/{name}', id='{name}', label='{name}') }}}}" for name in names))

    def part(name: str) -> Callable[[Request], Any]:
        async def show(request: Request) -> str:
            await gates[name].wait()
            return f"<p>{name} is here</p>"

        return show

    for name in names:
        app.get(f"/{name}", part(name))
    page = person(address, htmx).open(state=None)
    for gate in gates.values():  # all of them ask before any is answered
        gate.reached()
    for name in reversed(names):
        gates[name].open()
        expect(page.locator(f"#{name}")).to_have_text(f"{name} is here")


SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => { for (const one of list.getEntries()) shifts.push([one.value, one.sources.map(({ node }) => node?.outerHTML?.slice(0, 60))]); })
    .observe({ type: "layout-shift", buffered: true });
}"""


def test_nothing_jumps_when_the_content_comes(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """The Layout Instability API says how far what is on the screen moves."""
    app, address = lab()
    gate = Gate()
    row = "<li class='part'><b>{{ part.name }}</b> <small>{{ part.price }}</small></li>"
    app.environment.loader = jinja2.ChoiceLoader([jinja2.DictLoader({"part.html": row}), app.environment.loader])  # type: ignore[list-item]
    app.page(
        "/",
        "{% set bones %}<ul>{{ rt.skeleton.like('part.html', 6) }}</ul>{% endset %}"
        "{{ rt.async_region('/parts', id='parts', label='Parts', skeleton=bones) }}"
        "{{ rt.async_region('/text', id='text', label='Text', skeleton=rt.skeleton.text(2)) }}<p id='below'>Below</p>",
    )

    async def parts(request: Request) -> str:
        await gate.wait()
        return (
            "<ul>" + "".join(f"<li class='part'><b>Part {n}</b> <small>{n}.00</small></li>" for n in range(6)) + "</ul>"
        )

    app.get("/parts", parts)
    app.get("/text", lambda request: "<div>One line<br>and another</div>")
    page = person(address, htmx).open(state=None)
    page.evaluate(SHIFTS)
    expect(page.locator("#parts")).to_have_class(re.compile("rt-region-slow"))
    ground = "getComputedStyle(document.querySelector('#parts .rt-bone')).backgroundColor"
    assert page.evaluate(ground) not in ("transparent", "rgba(0, 0, 0, 0)")
    before = page.locator("#below").bounding_box()
    gate.open()
    expect(page.locator("#parts li.part b").first).to_have_text("Part 0")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shifts = page.evaluate("shifts")
    assert page.locator("#below").bounding_box() == before
    assert sum(value for value, _ in shifts) <= 0.02, shifts


# What is seen when it fails


def whole(request: Request) -> str:
    return "<!doctype html><html><head><title>Home</title></head><body><h1>Home</h1></body></html>"


FAILURES: dict[str, tuple[Callable[[Request], Any], str]] = {
    "server": (lambda request: PlainTextResponse("oops", 500), "The server had a problem."),
    "busy": (lambda request: PlainTextResponse("", 503), "The server had a problem."),
    "gone": (lambda request: PlainTextResponse("", 404), "This is no longer there."),
    "forbidden": (lambda request: HTMLResponse("<b>no</b>", 403), "You may not see this."),
    "401": (lambda request: HTMLResponse("<b>no</b>", 401), "You are signed out."),
    "sign-in": (lambda request: RedirectResponse("/sign-in?next=/sales"), "You are signed out."),
    "a form to sign in": (lambda request: RedirectResponse("/login"), "You are signed out."),
    "whole page": (whole, "The answer was not what belongs here."),
    "itself": (lambda request: RedirectResponse("/"), "The answer was not what belongs here."),
    "wrong type": (lambda request: JSONResponse({"a": 1}), "The answer was not what belongs here."),
    "huge": (lambda request: HTMLResponse("x" * 3_000_000), "The answer is too large."),
    "endless": (lambda request: RedirectResponse("/sales"), "The server could not be reached."),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_region_says_why_it_failed_and_can_be_tried_again(desk: Make, kind: str) -> None:
    one = desk(sign_in="/sign-in?next={path}")
    one.app.get("/sign-in", lambda request: "<!doctype html><html><body><h1>Sign in</h1></body></html>")
    one.app.get("/login", lambda request: "<!doctype html><form><input type=password></form>")
    one.answer, words = FAILURES[kind]
    page = one.open()
    panel = page.locator("#sales > .rt-region-failed")
    expect(panel.locator("p")).to_have_text(f"Sales could not be loaded. {words}")
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#rt-live")).to_have_text(f"Sales could not be loaded. {words}")
    signed_out = words == "You are signed out."
    expect(panel.locator("a")).to_have_count(1 if signed_out else 0)
    if signed_out:
        expect(panel.locator("a")).to_have_attribute("href", "/sign-in?next=%2F")
    one.answer = lambda request: "<p>42 sold</p>"
    panel.locator("button").click()
    expect(page.locator("#sales")).to_have_text("42 sold")
    expect(panel).to_have_count(0)
    expect(page.locator("#sales")).to_be_focused()


def test_a_hang_is_given_up(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(9_999)
    expect(page.locator(".rt-region-failed")).to_have_count(0)
    page.clock.run_for(1)
    expect(page.locator(".rt-region-failed p")).to_have_text("Sales could not be loaded. The answer took too long.")
    gate.open()


def test_a_lost_line_is_said_and_tried_again_when_it_is_back(desk: Make) -> None:
    one = desk()
    page = one.ada.context.new_page()
    page.route("**/sales", lambda route: route.abort())
    page.goto(one.address)
    expect(page.locator(".rt-region-failed p")).to_contain_text("could not be reached")
    page.unroute("**/sales")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#sales")).to_have_text("42 sold")


def test_retry_keeps_the_focus_and_says_that_it_is_busy(desk: Make) -> None:
    one = desk()
    one.answer = lambda request: PlainTextResponse("", 500)
    page = one.open()
    button = page.locator(".rt-region-failed button")
    button.focus()
    one.held = True
    page.keyboard.press("Enter")
    gate = one.reached(1)
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")  # nothing is asked twice
    gate.open()
    expect(button).not_to_have_attribute("aria-busy", "true")
    expect(button).to_be_focused()
    assert len(one.asked) == 2


def test_the_reason_stands_in_the_room_of_the_skeleton(desk: Make) -> None:
    one = desk(
        "{{ rt.async_region('/sales', id='sales', label='Sales', skeleton=rt.skeleton.block(300)) }}<p id='below'>Below</p>"
    )
    one.held = True
    page = one.open()
    one.answer = lambda request: PlainTextResponse("", 500)
    before = page.locator("#below").bounding_box()
    one.reached().open()
    expect(page.locator(".rt-region-failed")).to_be_visible()
    assert page.locator("#below").bounding_box() == before
    expect(page.locator(".rt-skeletons")).to_be_hidden()


def test_a_page_may_say_it_itself(desk: Make) -> None:
    one = desk()
    one.answer = lambda request: PlainTextResponse("", 500)
    page = one.ada.context.new_page()
    page.add_init_script(
        "window.told = new Promise((tell) =>"
        "addEventListener('rt:error', (event) => { tell(event.detail); event.preventDefault(); }))"
    )
    page.goto(one.address)
    assert page.evaluate("told") == {
        "kind": "server",
        "status": 500,
        "problem": None,
        "text": "The server had a problem.",
    }
    expect(page.locator(".rt-region-failed")).to_have_count(0)


def test_an_empty_answer_is_nothing_to_show(desk: Make) -> None:
    one = desk()
    one.answer = lambda request: Response(status_code=204)
    page = one.open()
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#sales > *")).to_have_count(0)


def test_its_part_of_a_whole_page_is_taken(desk: Make) -> None:
    one = desk()
    one.answer = lambda request: (
        "<!doctype html><html><body><h1>All</h1><section id='sales'><p>42 sold</p></section></body></html>"
    )
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    expect(page.locator("h1")).to_have_count(0)
    expect(page.locator("#sales")).to_have_attribute("rt-src", "/sales")


def test_a_toast_of_the_answer_is_shown(desk: Make) -> None:
    one = desk()

    def answer(request: Request) -> str:
        one.app.rt.toast("Sold out")
        return "<p>42 sold</p>"

    one.answer = answer
    expect(one.open().locator(".rt-toast")).to_contain_text("Sold out")


# What was shown stays


POLLED = "<section id='sales' aria-label='Sales' {{ rt.region('/sales', every='60s') }}><p>41 sold</p></section>"


def on_polls(desk: Desk, path: str = "/") -> Page:
    """A page whose time stands still, and that polls."""
    page = desk.ada.context.new_page()
    page.clock.install(time=1_800_000_000)
    page.clock.pause_at(1_800_000_001)
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: desk.count(request.url))
    page.goto(desk.address + path)
    return there(page)


def polled(page: Page, desk: Desk, ms: int, count: int = 1) -> None:
    """Let time pass until the region has asked `count` times more, and has taken that in."""
    before = len(desk.asked)
    page.clock.run_for(ms)
    for _ in range(400):
        page.evaluate(SOON)
        if desk.finished >= before + count:
            break
    page.evaluate(SOON)
    assert len(desk.asked) == before + count


def test_a_poll_that_fails_keeps_what_is_there_and_says_its_age(desk: Make) -> None:
    one = desk(POLLED)
    page = on_polls(one)
    expect(page.locator("#sales")).to_have_text("41 sold")
    polled(page, one, 66_001)
    expect(page.locator("#sales")).to_have_text("42 sold")
    one.answer = lambda request: PlainTextResponse("", 500)
    polled(page, one, 66_001)
    expect(page.locator("#sales > p")).to_have_text("42 sold")
    note = page.locator(".rt-region-aged")
    expect(note.locator("p")).to_have_text("Updated 1 minute ago · could not be refreshed")
    page.clock.run_for(60_000)
    expect(note.locator("p")).to_have_text("Updated 2 minutes ago · could not be refreshed")
    one.answer = lambda request: "<p>43 sold</p>"
    note.locator("button").click()
    expect(page.locator("#sales")).to_have_text("43 sold")
    expect(note).to_have_count(0)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [("<ul id='sales' %s>", "</ul>", "#sales + .rt-region-aged"), ("<ul><li id='sales' %s>", "</li></ul>", "#sales > .rt-region-aged"),
     ("<table><tbody id='sales' %s>", "</tbody></table>", "table + .rt-region-aged")],
    ids=["list", "item", "rows"],
)  # fmt: skip
def test_the_age_stands_where_it_may_stand(desk: Make, before: str, after: str, place: str) -> None:
    one = desk(before.replace("%s", "{{ rt.region('/sales', every='60s') }}") + after)
    one.answer = lambda request: PlainTextResponse("", 500)
    page = on_polls(one)
    polled(page, one, 66_001)
    expect(page.locator(place)).to_be_visible()


def test_what_has_not_changed_is_not_sent_again(desk: Make) -> None:
    one = desk(POLLED)
    page = on_polls(one)
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if response.url.endswith("/sales") else None)
    polled(page, one, 66_001)
    polled(page, one, 66_001)
    assert statuses == [200, 304]
    page.evaluate("document.querySelector('#sales p').textContent = 'mine'")
    polled(page, one, 66_001)
    assert statuses == [200, 304, 200]  # it is no longer what the server knows it by
    expect(page.locator("#sales")).to_have_text("42 sold")


def test_polls_are_spread_and_wait_while_nobody_looks(desk: Make) -> None:
    one = desk(POLLED)
    page = on_polls(one)
    page.clock.run_for(53_900)
    page.evaluate(SOON)
    assert one.asked == []
    page.evaluate("""() => {
      window.hiding = true;
      Object.defineProperty(document, "hidden", { get: () => hiding, configurable: true });
    }""")
    page.clock.fast_forward(600_000)
    page.evaluate(SOON)
    assert one.asked == []
    page.evaluate("hiding = false; document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    expect(page.locator("#sales")).to_have_text("42 sold")
    assert len(one.asked) == 1
    page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")  # nothing is due
    page.evaluate(SOON)
    assert len(one.asked) == 1


def test_polls_that_fail_become_rare_and_a_server_may_ask_for_rest(desk: Make) -> None:
    one = desk(POLLED)
    one.answer = lambda request: PlainTextResponse("", 500)
    page = on_polls(one)
    polled(page, one, 66_001)
    page.clock.fast_forward(107_000)  # twice as long, less a tenth
    page.evaluate(SOON)
    assert len(one.asked) == 1
    one.answer = lambda request: PlainTextResponse("", 503, headers={"Retry-After": "600"})
    polled(page, one, 25_001)
    page.clock.fast_forward(598_000)
    page.evaluate(SOON)
    assert len(one.asked) == 2
    one.answer = lambda request: "<p>42 sold</p>"
    polled(page, one, 5_000)
    expect(page.locator("#sales")).to_have_text("42 sold")
    polled(page, one, 66_001)  # as often as before


def test_a_poll_never_goes_backwards(desk: Make) -> None:
    """What an answer to an action has brought meanwhile is newer than a poll that was asked before."""
    body = "<ul id='sales' {{ rt.region('/sales', every='60s') }}><li id='a' rt-version='1'>one</li></ul><button hx-get='/row' hx-target='#a' hx-swap='outerHTML'>Go</button>"
    one = desk(body)
    one.app.get("/row", lambda request: "<li id='a' rt-version='5'>five</li>")
    one.answer = lambda request: "<li id='a' rt-version='4'>four</li><li id='b'>b</li>"
    page = on_polls(one)
    one.held = True
    page.clock.run_for(66_001)
    gate = one.reached(0)
    page.click("main button")
    expect(page.locator("#a")).to_have_text("five")
    answered(page, gate)
    expect(page.locator("#a")).to_have_text("five")
    again = one.reached(1)  # and it is asked once more, as it did not know of that
    again.open()
    expect(page.locator("#b")).to_have_text("b")
    expect(page.locator("#a")).to_have_text("five")


# What was there the last time


STALE = SALES % ", stale='10m'"


def kept(page: Page, least: int = 0) -> list[Any]:
    """Return the copies, once there are that many: the part that makes them comes after the first content."""
    page.wait_for_function(
        "(least) => Object.keys(localStorage).filter((key) => key.startsWith('rt-region:')).length >= least", arg=least
    )
    return page.evaluate(
        "Object.entries(localStorage).filter(([key]) => key.startsWith('rt-region:')).map(([key, text]) => [key, JSON.parse(text)])"
    )


def test_what_was_there_last_is_shown_at_once(desk: Make) -> None:
    one = desk(STALE)
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    kept(page, 1)
    one.held = True
    page.reload()
    gate = one.reached(1)
    expect(page.locator("#sales")).to_have_text("42 sold")
    expect(page.locator("#sales")).to_have_class(re.compile("rt-region-updating"))
    assert page.evaluate("getComputedStyle(document.querySelector('#sales'), '::after').content") == '"Updating…"'
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "true")
    one.answer = lambda request: "<p>43 sold</p>"
    gate.open()
    expect(page.locator("#sales")).to_have_text("43 sold")
    expect(page.locator("#sales")).not_to_have_class(re.compile("rt-region-updating"))


def test_what_was_there_last_says_its_age_where_there_is_nothing_newer(desk: Make) -> None:
    one = desk(STALE)
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    kept(page, 1)
    one.answer = lambda request: PlainTextResponse("", 500)
    page.evaluate("""() => {
      const [key] = Object.keys(localStorage).filter((key) => key.startsWith("rt-region:"));
      const copy = JSON.parse(localStorage[key]);
      localStorage[key] = JSON.stringify({ ...copy, at: copy.at - 185000 });
    }""")
    page.reload()
    expect(page.locator(".rt-region-aged p")).to_have_text("Updated 3 minutes ago · could not be refreshed")
    expect(page.locator("#sales > p")).to_have_text("42 sold")


def test_what_was_there_last_comes_even_after_the_answer_has_failed(desk: Make) -> None:
    """What reads it is a file of its own, which may take its time."""
    one = desk(STALE)
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    kept(page, 1)
    held: list[Any] = []
    page.route("**/htmx-rt-kept.mjs", lambda route: held.append(route))
    one.answer = lambda request: PlainTextResponse("", 500)
    page.reload()
    expect(page.locator(".rt-region-failed")).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.locator(".rt-region-aged p")).to_have_text("Updated just now · could not be refreshed")
    expect(page.locator("#sales > p")).to_have_text("42 sold")
    expect(page.locator(".rt-region-failed")).to_have_count(0)


def test_what_is_too_old_is_not_shown(desk: Make) -> None:
    one = desk(STALE)
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    kept(page, 1)
    page.evaluate("""() => {
      const [key] = Object.keys(localStorage).filter((key) => key.startsWith("rt-region:"));
      const copy = JSON.parse(localStorage[key]);
      localStorage[key] = JSON.stringify({ ...copy, at: copy.at - 601000 });
    }""")
    one.held = True
    page.reload()
    one.reached(1)
    assert page.locator("#sales").inner_text().strip() == ""


def test_nobody_else_sees_what_was_kept(desk: Make) -> None:
    one = desk(STALE)
    cookie = {"name": "who", "url": one.address}
    one.ada.context.add_cookies([{**cookie, "value": "ada"}])
    one.answer = lambda request: f"<p>for {request.cookies.get('who')}</p>"
    page = one.open()
    expect(page.locator("#sales")).to_have_text("for ada")
    page.wait_for_function("Object.keys(localStorage).some((key) => key.startsWith('rt-region:'))")
    assert [copy["html"] for _, copy in kept(page, 1)] == ["<p>for ada</p>"]
    one.ada.context.add_cookies([{**cookie, "value": "grace"}])
    one.held = True
    page.reload()
    gate = one.reached(1)
    page.wait_for_function("Object.keys(localStorage).every((key) => !key.startsWith('rt-region:'))")
    assert "ada" not in page.locator("#sales").inner_text()
    gate.open()
    expect(page.locator("#sales")).to_have_text("for grace")


def test_it_is_erased_when_somebody_signs_out(desk: Make) -> None:
    one = desk(STALE)
    one.ada.context.add_cookies([{"name": "who", "value": "ada", "url": one.address}])
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    kept(page, 1)
    one.ada.context.clear_cookies(name="who")
    one.app.page("/out", "<p>Bye</p>")  # a page without regions
    page.goto(one.address + "/out")
    page.wait_for_function("Object.keys(localStorage).every((key) => !key.startsWith('rt-region:'))")


def test_a_session_that_has_ended_takes_what_was_kept_away(desk: Make) -> None:
    one = desk(STALE)
    page = one.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    kept(page, 1)
    one.answer = lambda request: PlainTextResponse("", 401)
    page.reload()
    expect(page.locator(".rt-region-failed p")).to_have_text("Sales could not be loaded. You are signed out.")
    expect(page.locator("#sales")).not_to_contain_text("42 sold")
    assert kept(page) == []


def test_no_grant_and_no_secret_is_kept(desk: Make) -> None:
    one = desk(STALE)
    one.answer = lambda request: one.app.fill(
        "<ul id='live' {{ rt.stream('board:1') }}><li>One</li></ul><form><input type='hidden' name='csrf' value='secret'></form>"
        "<p rt-private>secret</p><script type='application/json'>1</script>"
    )
    page = one.open()
    expect(page.locator("#live")).to_have_text("One")
    ((_, copy),) = kept(page, 1)
    assert copy["html"] == '<ul id="live" rt-stream="board:1"><li>One</li></ul><form></form>'


def test_what_is_kept_is_bounded(desk: Make) -> None:
    names = [f"r{n}" for n in range(24)]
    one = desk("".join(f"{{{{ rt.async_region('/{name}', id='{name}', label='x', stale='10m') }}}}" for name in names))
    big = "x" * 30_000
    for n, name in enumerate(names):
        one.app.get(f"/{name}", lambda request, n=n: "y" * 70_000 if n == 3 else big if n < 20 else "small")
    page = one.open()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.wait_for_function("document.querySelectorAll('.rt-region').length === 24")
    entries = kept(page, 10)
    sizes = [len(str(copy)) for _, copy in entries]
    assert 10 <= len(entries) <= 20
    assert sum(sizes) <= 512 * 1024 + 20 * 200
    assert max(sizes) <= 64 * 1024
    assert not any(key.endswith("|r3") for key, _ in entries)


# When they load, and when they stop


def test_a_region_may_wait_until_it_comes_near(desk: Make) -> None:
    one = desk("<div id='tall'></div>" + SALES % ", when='visible'")
    page = one.ada.context.new_page()
    page.route("**/tall.css", lambda route: route.fulfill(body="#tall{height:4000px}", content_type="text/css"))
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { const link = document.createElement('link'); link.rel = 'stylesheet'; link.href = '/tall.css'; document.head.prepend(link); })"
    )
    page.goto(one.address)
    page.wait_for_function("document.querySelector('#tall').offsetHeight === 4000")
    there(page)
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    if not one.asked:  # the style may have come after the part
        height = page.evaluate("innerHeight")
        page.evaluate(f"scrollTo(0, 4000 - {height} - 260)")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert one.asked == []
        page.evaluate(f"scrollTo(0, 4000 - {height} - 150)")
    expect(page.locator("#sales")).to_have_text("42 sold")


def test_a_region_that_a_swap_brings_loads_too(desk: Make) -> None:
    one = desk("<div id='place'></div><button hx-get='/part' hx-target='#place'>Go</button>")
    one.app.get("/part", lambda request: one.app.fill(REGION))
    page = one.open()
    page.click("main button")
    expect(page.locator("#sales")).to_have_text("42 sold")


def test_a_region_that_is_taken_away_is_not_waited_for(desk: Make) -> None:
    one = desk(f"<div id='place'>{REGION}</div><button hx-get='/part' hx-target='#place'>Go</button>")
    one.app.get("/part", lambda request: "<p>Other</p>")
    one.held = True
    page = one.open()
    one.reached()
    with page.expect_event("requestfailed") as failed:
        page.click("main button")
    assert failed.value.url.endswith("/sales")
    expect(page.locator("#place")).to_have_text("Other")


def test_regions_in_regions(desk: Make) -> None:
    one = desk(SALES % ", every='60s'")
    one.answer = lambda request: (
        "<p>Outer</p>" + one.app.fill("{{ rt.async_region('/inner', id='inner', label='Inner') }}")
    )
    one.app.get("/inner", lambda request: "<p>Inner</p>")
    page = on_polls(one)
    expect(page.locator("#inner")).to_have_text("Inner")
    page.evaluate(WATCH.replace("#sales", "#inner"))
    one.answer = lambda request: (
        "<p>Outer again</p>" + one.app.fill("{{ rt.async_region('/inner', id='inner', label='Inner') }}")
    )
    page.clock.run_for(66_001)
    expect(page.locator("#sales > p")).to_have_text("Outer again")
    expect(page.locator("#inner")).to_have_text("Inner")
    assert "nothing" not in page.evaluate("seen")  # what is inside is not taken back to its skeleton


def test_a_refetch_of_the_page_does_not_take_a_region_back_to_its_skeleton(desk: Make) -> None:
    one = desk("<div id='outer' {{ rt.stream('board:1') }}><h2>Board</h2>" + REGION + "</div>")
    page = one.ada.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    page.evaluate(WATCH)
    one.answer = lambda request: "<p>43 sold</p>"
    one.app.topic("board:1").refresh("#outer")
    expect(page.locator("#sales")).to_have_text("43 sold")
    assert page.evaluate("seen") == ["42 sold", "43 sold"]


def test_a_push_that_comes_while_it_loads_is_not_lost(desk: Make) -> None:
    one = desk(SALES % ", topics='board:1'")
    one.held = True
    page = one.ada.open()
    gate = one.reached()
    one.app.topic("board:1").update("#sales", Markup("<p>43 sold</p>")).result(5)
    expect(page.locator("#sales")).to_have_text("43 sold")
    expect(page.locator("#sales")).not_to_have_class(re.compile("rt-region-slow"))
    answered(page, gate)
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#sales")).to_have_text("43 sold")


def test_a_region_that_a_push_replaces_is_no_longer_loading(desk: Make) -> None:
    one = desk(SALES % ", topics='board:1'")
    one.held = True
    page = one.ada.open()
    one.reached()
    with page.expect_event("requestfailed"):
        one.app.topic("board:1").replace(
            "#sales", Markup("<section id='sales' rt-stream='board:1'><p>43 sold</p></section>")
        ).result(5)
    expect(page.locator("#sales")).to_have_text("43 sold")


def test_what_is_published_fetches_it_again(desk: Make) -> None:
    one = desk(SALES % ", on='order'")
    page = one.ada.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    one.answer = lambda request: "<p>43 sold</p>"
    one.app.rt.changed("order", 7)
    expect(page.locator("#sales")).to_have_text("43 sold")
    assert one.asked[-1].headers["rt-region"] == "1"


def test_leaving_is_never_held_up(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """Six connections are all that a browser has over HTTP/1."""
    app, address = lab()
    gate = Gate()

    async def hang(request: Request) -> str:
        await gate.wait()
        return ""

    names = [f"r{n}" for n in range(8)]
    app.page(
        "/",
        "<a href='/next'>Next</a><p {{ rt.stream('a') }}></p>"
        + "".join(f"{{{{ rt.async_region('/{name}', id='{name}', label='x', timeout='60s') }}}}" for name in names),
    )
    app.page("/next", "<h1>Next</h1>")
    for name in names:
        app.get(f"/{name}", hang)
    page = person(address, htmx).open()
    gate.reached()
    for _ in range(4):
        gate.reached()
    page.click("a")
    expect(page.locator("h1")).to_have_text("Next", timeout=5_000)
    gate.open()


def test_back_from_another_page_it_goes_on_loading(desk: Make) -> None:
    one = desk("<a href='/next'>Next</a>" + REGION)
    one.app.page("/next", "<h1>Next</h1>")
    one.held = True
    page = one.open()
    one.reached()
    page.evaluate("window.here = true")
    page.click("a")
    expect(page.locator("h1")).to_have_text("Next")
    one.held = False
    page.evaluate("history.back()")
    expect(page.locator("#sales")).to_have_text("42 sold")
    expect(page.locator(".rt-region-failed")).to_have_count(0)


# Without a script, and still


def test_without_a_script_there_is_a_link(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page("/", REGION)
    app.get("/sales", lambda request: "<p>42 sold</p>")
    page = person(address, htmx, java_script_enabled=False).open(state=None)
    expect(page.locator("#sales .rt-skeletons")).to_be_hidden()
    page.click("#sales a")
    expect(page.locator("p")).to_have_text("42 sold")


def test_bones_are_still_where_motion_is_not_wished(desk: Make) -> None:
    one = desk("{{ rt.skeleton.text(2) }}{{ rt.skeleton.block(20) }}")
    page = one.open()
    moving = "getComputedStyle(document.querySelector('svg.rt-bone-block')).animationName + getComputedStyle(document.querySelector('.rt-bone-line'), '::before').animationName"
    assert page.evaluate(moving) == "rt-dimrt-dim"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "nonenone"


# What somebody tries


def test_what_comes_for_somebody_else_is_not_kept_as_theirs(desk: Make) -> None:
    """Grace signs in in another tab, the first one asks again, and then it is Ada who comes back."""
    one = desk(STALE)
    cookie = {"name": "who", "url": one.address}
    one.ada.context.add_cookies([{**cookie, "value": "ada"}])
    one.answer = lambda request: f"<p>for {request.cookies.get('who')}</p>"
    page = one.open()
    expect(page.locator("#sales")).to_have_text("for ada")
    one.app.page("/in", "<p id=in>Hello</p>")
    one.ada.context.add_cookies([{**cookie, "value": "grace"}])
    other = one.ada.context.new_page()
    other.goto(one.address + "/in")
    other.close()
    page.evaluate(
        "document.querySelector('#sales').dispatchEvent(new CustomEvent('rt:resync', { bubbles: true, cancelable: true }))"
    )
    expect(page.locator("#sales")).to_have_text("for grace")
    assert "grace" not in str(kept(page))
    one.ada.context.add_cookies([{**cookie, "value": "ada"}])
    one.held = True
    page.reload()
    one.reached(2)
    assert "grace" not in page.locator("#sales").inner_text()


def test_an_answer_that_begins_with_many_comments_does_not_hold_up_the_page(desk: Make) -> None:
    one = desk()
    one.answer = lambda request: "<!-- a part -->\n" * 40 + "<p>42 sold</p>"
    page = one.open()
    expect(page.locator("#sales p")).to_have_text("42 sold", timeout=10_000)


def test_an_answer_that_leads_to_another_site_is_not_taken(desk: Make, lab: Start) -> None:
    other, elsewhere = lab()
    asked: list[str] = []

    def theirs(request: Request) -> Response:
        asked.append(request.method)
        allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
        return html("<p>gotcha</p>", **allowed)

    other.get("/theirs", theirs)
    one = desk(expected=("Unsafe attempt to load URL",))
    one.answer = lambda request: RedirectResponse(f"{elsewhere}/theirs", 302)
    page = one.open()
    expect(page.locator(".rt-region-failed")).to_be_visible()
    assert asked == []
    assert "gotcha" not in page.locator("#sales").inner_text()
