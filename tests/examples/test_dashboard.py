"""The dashboard over HTTP: parts that load by themselves, orders, prices that move, and the booking of test rides."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from types import ModuleType
from typing import Any

import pytest

from htmx_rt.testing import Browser, Page, Stream

pytestmark = pytest.mark.anyio
PARTS = ("sales", "stock", "repairs", "roads", "suppliers")
RIDE = {"name": "Lena Busch", "email": "lena@busch.example", "bike": "Heron", "height": "170"}


@pytest.fixture(autouse=True)
def quick(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["dashboard"], "SLOW", 0.0)
    monkeypatch.setattr(sys.modules["dashboard"], "TOO_SLOW", 0.0)


@asynccontextmanager
async def looking(browser: Browser, path: str) -> AsyncIterator[tuple[Page, Stream]]:
    page = await browser.get(path)
    async with browser.stream(page) as stream:
        yield page, stream


def workday(ahead: int = 6) -> date:
    """A day on which the shop is open and nobody has booked anything."""
    day = date.today() + timedelta(days=ahead)
    return day if day.weekday() != 6 else day + timedelta(days=1)


async def test_prices_move_only_while_somebody_looks(
    ada: Browser, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert example.rt.presence.count("dashboard") == 0, "the first of this file: who has looked is there for a while"
    monkeypatch.setattr(sys.modules["shop"], "TICK", 0.02)
    rendered: list[Any] = []
    render = example.rt.render

    def counting(template: str, **values: Any) -> Any:
        if template == "quote.html":
            rendered.append(values["quote"].slot)
        return render(template, **values)

    monkeypatch.setattr(example.rt, "render", counting)
    await ada.get("/dashboard")  # without a stream nobody is there
    await ada.get("/")
    assert rendered == []
    async with looking(ada, "/dashboard") as (_, stream):
        slots = {str((await stream.fragment(".quote"))["id"]) for _ in range(16)}
        assert len(slots) == 8
    monkeypatch.setattr(example.rt.presence, "count", lambda topic: 0)
    await asyncio.sleep(0.1)
    count = len(rendered)
    await asyncio.sleep(0.3)
    assert len(rendered) == count


async def test_the_page_comes_at_once_with_what_is_at_hand(ada: Browser) -> None:
    page = await ada.get("/dashboard")
    assert page.status == 200
    assert [str(region["id"]) for region in page.select(".rt-region")] == [
        "sales",
        "roads",
        "repairs",
        "stock",
        "suppliers",
    ]
    assert all(region.select(".rt-skeletons *") for region in page.select(".rt-region"))
    assert [order.select("strong")[0].get_text() for order in page.select(".order")] == [
        "Nora Falk", "Lindenhof School", "Omar Haddad",
    ]  # fmt: skip
    assert page.select("#rt-badge-orders")[0]["rt-badge"] == "3"
    assert len(page.select(".quote")) == 8
    assert [str(region["rt-every"]) for region in page.select("#here, #sales")] == ["20s", "60s"]


@pytest.mark.parametrize("name", PARTS)
async def test_each_part_is_a_fragment_and_a_page(ada: Browser, name: str) -> None:
    for _ in range(3 if name == "suppliers" else 1):
        fragment = await ada.get(f"/dashboard/{name}", page=await ada.get("/dashboard"))
    assert fragment.status == 200
    assert not fragment.select("html, main, nav")
    for _ in range(3 if name == "suppliers" else 1):
        page = await ada.get(f"/dashboard/{name}")
    assert page.select(".back a")[0]["href"] == "/dashboard"
    assert page.select("main .card > *")


async def test_suppliers_fail_twice_of_three_times_for_each_person(ada: Browser, grace: Browser) -> None:
    page, hers = await ada.get("/dashboard"), await grace.get("/dashboard")
    for browser, shown in ((ada, page), (grace, hers)):
        answers = [(await browser.get("/dashboard/suppliers", page=shown)).status for _ in range(6)]
        assert sorted(answers) == [200] * 2 + [502] * 4
        assert answers[:3] == answers[3:]
    plain = [await grace.get("/dashboard/suppliers") for _ in range(3)]
    assert sum("does not answer now" in one.text for one in plain) == 2


async def test_the_weather_takes_long_and_every_third_time_too_long(
    ada: Browser, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    dashboard = sys.modules["dashboard"]
    monkeypatch.setattr(dashboard, "SLOW", 2.0)
    monkeypatch.setattr(dashboard, "TOO_SLOW", 12.0)
    page = await ada.get("/dashboard")
    monkeypatch.setattr(dashboard.asyncio, "sleep", sleep)
    for _ in range(6):
        assert (await ada.get("/dashboard/roads", page=page)).status == 200
    assert sorted(seconds for seconds in waited if seconds) == [2.0] * 4 + [12.0] * 2


async def test_orders_come_and_go_for_everybody_and_the_badge_counts_them(ada: Browser, grace: Browser) -> None:
    page = await ada.get("/dashboard")
    async with looking(grace, "/dashboard") as (_, stream):
        await ada.post("/dashboard/orders", page=page)
        assert (await stream.fragment(".order")).select("strong")[0].get_text() == "Mill Street Bakery"
        assert await badge(stream, "orders") == "4"
        assert (await ada.post("/dashboard/orders/1/pack", page=page)).status == 200
        assert await badge(stream, "orders") == "3"
    for _ in range(2):  # whoever is late does no harm
        assert (await ada.post("/dashboard/orders/1/pack")).header("location") == "/dashboard"
    assert len((await ada.get("/dashboard")).select(".order")) == 3


async def badge(stream: Stream, name: str) -> str:
    """Return what a badge is told to show next."""
    while True:
        for _verb, target, value in [op for op in (await stream.event("rt:ops")).data["ops"] if len(op) == 3]:
            if target == f"#rt-badge-{name}":
                return str(value)


async def test_when_everything_is_packed_the_list_says_so_and_the_badge_is_gone(ada: Browser) -> None:
    for number in (1, 2, 3):
        await ada.post(f"/dashboard/orders/{number}/pack")
    page = await ada.get("/dashboard")
    assert not page.select(".order")
    assert "Everything is packed" in page.text
    assert page.select("#rt-badge-orders")[0].has_attr("hidden")


def test_what_a_price_is_follows_from_the_time_alone(example: ModuleType) -> None:
    shop = sys.modules["shop"]
    for tick in range(1000, 1100):
        slot = shop.slot_of(tick)
        now, before = shop.quote(slot, tick), shop.quote(slot, tick - 1)
        assert (now.tick, now.before) == (tick, before.cents)
        others = [other for other in range(len(shop.TRADED)) if other != slot]
        assert all(shop.quote(other, tick) == shop.quote(other, tick - 1) for other in others)


async def test_the_stock_follows_imports(ada: Browser) -> None:
    page = await ada.get("/dashboard")
    names = [row.get_text() for row in (await ada.get("/dashboard/stock", page=page)).select("tbody th")]
    assert names == [
        "Brake pads, resin, pair",
        "Pannier rack, black",
        "Chain, 11-speed",
        "Inner tube, 28 inch",
        "Gear cable, slick",
    ]
    assert page.select("#stock")[0]["rt-on"] in page.grants


@pytest.mark.parametrize(
    "path", ["/dashboard", *(f"/dashboard/{name}" for name in PARTS), "/dashboard/rides", "/import", "/chat/shop"]
)
async def test_nobody_sees_it_without_signing_in(app: Any, path: str) -> None:
    async with Browser(app) as browser:
        answer = await browser.get(path)
        assert (answer.status, answer.header("location")) == (303, "/sign-in")


async def test_the_navigation_marks_where_one_is(ada: Browser) -> None:
    for path, mark in (
        ("/dashboard", "page"),
        ("/dashboard/rides", "true"),
        ("/import", "page"),
        ("/chat/shop", "true"),
    ):
        (current,) = (await ada.get(path)).select(".pages [aria-current]")
        assert (str(current["href"]), current["aria-current"]) == ("/" + path.split("/")[1], mark)


# Test rides


async def test_a_ride_is_booked_without_a_script(ada: Browser, grace: Browser) -> None:
    async with looking(grace, "/dashboard/rides") as (page, stream):
        answer = await ada.post("/dashboard/rides", RIDE | {"day": workday().isoformat(), "time": "12:00"})
        assert (answer.status, answer.header("location")) == (303, "/dashboard/rides")
        assert '"ride"' in json.dumps((await stream.event("rt:call")).data)
        assert "Lena Busch" in (await grace.get("/dashboard/rides/list", page=page)).text
    assert "Lena Busch rides the Heron" in (await ada.get("/dashboard/rides")).text


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"name": ""}, "name", "Who is going to ride?"),
        ({"email": "nora@"}, "email", "An address such as nora@example.org."),
        ({"bike": "Penny-farthing"}, "bike", "Choose a bike."),
        ({"height": "140"}, "height", "The Heron fits from 158 to 195 cm."),
        ({"height": "tall"}, "height", "In centimetres, such as 172."),
        ({"day": "2020-01-01"}, "day", "Choose a day in the next 3 weeks."),
        ({"day": "soon"}, "day", "Choose a day."),
        ({"time": "03:00"}, "time", "Choose a time."),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(ada: Browser, change: dict[str, str], field: str, why: str) -> None:
    form = RIDE | {"day": workday().isoformat(), "time": "12:00"} | change
    plain = await ada.post("/dashboard/rides", form)
    assert plain.status == 422
    assert [place.get_text() for place in plain.select("[rt-field-error]") if place.get_text()] == [why]
    assert plain.select("#name")[0].get("value", "") == form["name"]
    page = await ada.get("/dashboard/rides")
    refused = await ada.post("/dashboard/rides", form, page=page)
    assert (refused.status, refused.header("rt-problem")) == (422, "validation")
    assert json.loads(refused.text)["errors"] == {field: [why]}


async def test_a_check_says_what_only_the_server_knows_and_books_nothing(ada: Browser) -> None:
    form = RIDE | {"day": workday().isoformat(), "time": "12:00"}
    await ada.post("/dashboard/rides", form)
    for asked, found in (
        ("time", {"time": ["The Heron is out at 12:00. 12:30 is free."]}),
        ("email,height", {}),
    ):
        answer = await ada.post("/dashboard/rides", form, headers={"rt-validate": asked, "hx-request": "true"})
        assert json.loads(answer.text)["errors"] == found
    assert (await ada.get("/dashboard/rides")).select("#rides")[0].get_text().count("Lena Busch") == 1


async def test_of_two_people_who_book_the_same_one_gets_it(ada: Browser, grace: Browser) -> None:
    form = RIDE | {"day": workday().isoformat(), "time": "15:00"}
    answers = await asyncio.gather(*(who.post("/dashboard/rides", form) for who in (ada, grace)))
    assert sorted(answer.status for answer in answers) == [303, 422]
