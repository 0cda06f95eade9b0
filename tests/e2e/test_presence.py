"""Who is here, as others see it: coming, looking away, falling asleep, reloading, leaving, being cut off."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .cutter import Cutter
from .lab import Lab
from .people import Person, sample, samples, until
from .presence_kit import Calls, hide, lab_with, see, shown, sleep, wake

Arrive = Callable[..., Page]


@pytest.fixture
def arrive(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]) -> Arrive:
    """`arrive("ada")` is somebody in a browser of their own, on the page."""
    started, address = lab_with(lab)

    def arrive(name: str, path: str = "/", *, at: str = "", clock: bool = False, **options: object) -> Page:
        somebody = person(at or address, **options)
        if name:
            somebody.context.add_cookies([{"name": "who", "value": name, "url": at or address}])
        return somebody.open(path, clock=clock)

    arrive.lab, arrive.address = started, address  # type: ignore[attr-defined]
    return arrive


def test_people_come_in_order_and_leave_within_four_seconds(arrive: Arrive) -> None:
    ada = arrive("ada")
    see(ada, "Ada Okafor, active")
    grace, mei = arrive("grace"), arrive("mei")
    everybody = ["Ada Okafor, active", "Grace Lindqvist, active", "Mei Tanaka, active"]
    for page in (ada, grace, mei):
        see(page, *everybody)
    began = time.monotonic()
    grace.close(run_before_unload=True)
    see(ada, everybody[0], everybody[2])
    assert time.monotonic() - began < 4.5
    see(mei, everybody[0], everybody[2])


def test_a_visitor_is_here_without_a_name(arrive: Arrive) -> None:
    ada, visitor = arrive("ada"), arrive("")
    for page in (ada, visitor):
        see(page, "Ada Okafor, active", "Visitor, active")


def test_looking_away_and_coming_back(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    hide(grace)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, away")
    hide(grace, False)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")


def test_a_tab_put_to_sleep_is_away_and_back_when_it_wakes(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    hide(grace)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, away")
    sleeping = sleep(grace)
    ada.wait_for_timeout(27_000)  # longer than anybody in sight may be silent
    assert shown(ada) == ["Ada Okafor, active", "Grace Lindqvist, away"]
    wake(sleeping)
    hide(grace, False)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")


def test_a_machine_that_falls_asleep_in_full_sight_is_grey_then_gone_and_back(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    began = time.monotonic()
    sleeping = sleep(grace)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, reconnecting", timeout=20_000)
    assert time.monotonic() - began < 17
    see(ada, "Ada Okafor, active", timeout=20_000)
    assert time.monotonic() - began < 31
    wake(sleeping)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")


def test_reloading_again_and_again_shows_the_others_nothing(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    sample(
        ada,
        "here",
        "() => [...document.querySelectorAll('#who li[id] .rt-visually-hidden')].map((el) => el.textContent)",
    )
    for _ in range(10):
        grace.reload(wait_until="domcontentloaded")
    until(grace, "connected")
    see(grace, "Ada Okafor, active", "Grace Lindqvist, active")
    ada.wait_for_timeout(2_500)  # the grace in which a leave would show
    assert samples(ada, "here") == [["Ada Okafor, active", "Grace Lindqvist, active"]]


def test_two_tabs_are_one_person_and_one_of_them_may_go(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    second = grace.context.new_page()
    second.goto(grace.url)
    until(second, "connected")
    see(second, "Ada Okafor, active", "Grace Lindqvist, active")
    hide(grace)
    sample(ada, "here", "() => document.querySelectorAll('#who li[id]').length")
    second.close(run_before_unload=True)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, away")
    assert samples(ada, "here") == [2]


def test_a_duplicated_tab_is_a_tab_of_its_own(arrive: Arrive) -> None:
    ada = arrive("ada")
    with ada.context.expect_page() as opened:
        ada.evaluate("void window.open(location.href)")  # copies sessionStorage
    second = opened.value
    until(second, "connected")
    ids = [Calls(page, "/beat") for page in (ada, second)]
    for page in (ada, second):
        hide(page)
        hide(page, False)
    for page, calls in zip((ada, second), ids, strict=True):
        page.wait_for_timeout(300)
        assert calls.bodies
    assert ids[0].bodies[0]["tabs"][0]["id"] != ids[1].bodies[0]["tabs"][0]["id"]


def test_nobody_touches_anything_for_as_long_as_the_page_says(
    lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]
) -> None:
    started, address = lab_with(lab)
    started.page("/quick", '<div id="who">{{ rt.presence("doc") }}</div>')

    def arrive(name: str) -> Page:
        somebody = person(address)
        somebody.context.add_cookies([{"name": "who", "value": name, "url": address}])
        somebody.context.add_init_script(
            "new MutationObserver((_, me) => document.documentElement && (document.documentElement.setAttribute('rt-idle-after', '1.5'), me.disconnect())).observe(document, {childList: true})"
        )
        return somebody.open("/quick")

    ada = arrive("ada")
    see(ada, "Ada Okafor, active")
    see(ada, "Ada Okafor, idle")
    second = ada.context.new_page()
    second.goto(ada.url)
    until(second, "connected")
    see(ada, "Ada Okafor, idle")
    second.mouse.move(20, 20)
    second.mouse.move(40, 40)  # input in any tab counts
    see(ada, "Ada Okafor, active")


def test_while_the_own_line_is_down_it_says_as_of_when(arrive: Arrive) -> None:
    with Cutter(arrive.address).running() as line:  # type: ignore[attr-defined]
        ada = arrive("ada", at=line.address, expected=("Failed to fetch",), clock=True)
        see(ada, "Ada Okafor, active")
        line.cut()
        ada.wait_for_selector('html:not([data-rt="connected"])', state="attached")
        assert ada.locator(".rt-stale").count() == 0
        ada.clock.run_for(20_000)
        assert ada.locator(".rt-stale").count() == 0
        ada.clock.run_for(20_000)
        ada.wait_for_selector(".rt-stale[data-as-of]")
        words = ada.locator(".rt-presence").get_attribute("data-as-of") or ""
        assert words.startswith("as of ")
        assert ":" in words
        line.mend()
        ada.evaluate("htmxRt.retry()")
        until(ada, "connected")
        expect(ada.locator(".rt-stale")).to_have_count(0)
        see(ada, "Ada Okafor, active")


def test_when_the_server_has_forgotten_a_tab_it_comes_back_by_itself(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace", clock=True)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    presence = arrive.lab.rt.presence  # type: ignore[attr-defined]
    for person_ in presence.list("doc"):
        if person_.name.startswith("Grace"):
            for tab in list(person_.leases):
                presence.attendance._leave_all(tab, "lost")
    see(ada, "Ada Okafor, active")
    grace.clock.run_for(10_000)
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")  # at its next beat


def test_away_from_the_page_without_a_reload_is_away_from_the_topic(arrive: Arrive) -> None:
    arrive.lab.page("/other", '<p id="other">Nobody is shown here</p>')  # type: ignore[attr-defined]
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    grace.evaluate("htmx.ajax('GET', '/other', {target: '#main', select: '#other', swap: 'innerHTML'})")
    grace.wait_for_selector("#other")
    see(ada, "Ada Okafor, active")


def test_a_picture_that_came_anew_is_drawn_as_it_is_now(arrive: Arrive) -> None:
    """As out of a history cache: the page holds an old picture, and nothing has changed since."""
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    arrive.lab.post("/old", lambda request: old)  # type: ignore[attr-defined]
    old = ada.locator("#who").evaluate(
        "(el) => { const copy = el.cloneNode(true); copy.querySelector('ul').replaceChildren(); return copy.innerHTML; }"
    )
    ada.evaluate("htmx.ajax('POST', '/old', {target: '#who', swap: 'innerHTML'})")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    assert grace


def test_back_by_the_cache_of_the_browser(arrive: Arrive) -> None:
    arrive.lab.page("/next", "<p>Next</p>")  # type: ignore[attr-defined]
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    grace.goto(arrive.address + "/next")  # type: ignore[attr-defined]
    see(ada, "Ada Okafor, active")
    grace.go_back(wait_until="commit")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    see(grace, "Ada Okafor, active", "Grace Lindqvist, active")


def test_order_of_macros_does_not_matter(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]) -> None:
    started, address = lab_with(
        lab,
        '{{ rt.typing("doc") }}<div {{ rt.cursors("doc") }} id="room"></div><div id="who">{{ rt.presence("doc") }}</div>',
    )
    for name in ("ada", "grace"):
        somebody = person(address)
        somebody.context.add_cookies([{"name": "who", "value": name, "url": address}])
        page = somebody.open()
    see(page, "Ada Okafor, active", "Grace Lindqvist, active")
    assert started


def test_who_leaves_fades_and_who_comes_fades_in(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    expect(ada.locator(".rt-arriving")).to_have_count(0)
    sample(ada, "coming", "() => document.querySelectorAll('.rt-arriving').length")
    sample(ada, "going", "() => document.querySelectorAll('.rt-parting[aria-hidden=true]:not([id])').length")
    mei = arrive("mei")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active", "Mei Tanaka, active")
    grace.close(run_before_unload=True)
    see(ada, "Ada Okafor, active", "Mei Tanaka, active")
    expect(ada.locator(".rt-parting, .rt-arriving")).to_have_count(0)
    assert samples(ada, "coming") == [0, 1, 0]
    assert samples(ada, "going") == [0, 1, 0]
    assert mei


def test_a_screen_reader_hears_a_named_list_and_nothing_by_itself(arrive: Arrive) -> None:
    ada, grace = arrive("ada"), arrive("grace")
    see(ada, "Ada Okafor, active", "Grace Lindqvist, active")
    expect(ada.locator("#who")).to_match_aria_snapshot(
        """
        - list "Who is here":
          - listitem: Ada Okafor, active
          - listitem: Grace Lindqvist, active
        """
    )
    assert ada.locator("#who [aria-live], #who [role=status], .rt-typing[aria-live]").count() == 0
    ada.focus("#title")
    before = ada.evaluate("document.activeElement.id")
    grace.close(run_before_unload=True)
    see(ada, "Ada Okafor, active")
    assert ada.evaluate("document.activeElement.id") == before == "title"
    assert ada.locator("#rt-live").text_content() == ""


def test_the_beats_are_few_and_bring_pictures_only_where_they_are_missing(
    lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]
) -> None:
    _, address = lab_with(lab)
    somebody = person(address)
    somebody.context.add_cookies([{"name": "who", "value": "ada", "url": address}])
    page = somebody.context.new_page()
    beats = Calls(page, "/beat")
    page.clock.install()
    page.goto(address)
    until(page, "connected")
    see(page, "Ada Okafor, active")
    for _ in range(11):  # one beat
        page.clock.run_for(1_000)
    first, *rest = beats.bodies
    assert first["tabs"][0]["views"] == {"here:doc": ["avatars"]}
    assert 1 <= len(rest) <= 2
    assert all("views" not in body["tabs"][0] for body in rest)
    assert shown(page) == ["Ada Okafor, active"]


def test_htmx_either(htmx: Htmx, arrive: Arrive) -> None:
    page = arrive("ada")
    assert str(page.evaluate("htmx.version")).startswith(str(htmx.major))
