"""Who is on the site, on which page, since when; and how many."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from htmx_rt.exceptions import ConfigurationError, TooLarge
from htmx_rt.people import Tally

from .presence_kit import Place, picture, tab

pytestmark = pytest.mark.anyio
ADMIN = '<head>{{ rt.head() }}</head>{{ rt.presence(topic, "stats:20", track=False) }}'


class Shop(Place):
    def __init__(self) -> None:
        templates = {"shop.html": "<head>{{ rt.head() }}</head>", "admin.html": ADMIN}
        routes = [Route("/shop/{name}", self.shop), Route("/admin", self.admin), Route("/long", self.long)]
        super().__init__(templates=templates, routes=routes)

    async def shop(self, request: Request) -> Response:
        self.rt.visitors.track(page=request.path_params["name"].title(), basket=2)
        return self.html("shop.html")

    async def admin(self, request: Request) -> Response:
        return self.html("admin.html", topic=self.rt.visitors.topic)

    async def long(self, request: Request) -> Response:
        self.rt.visitors.track(page="x" * 2000)
        return self.html("shop.html")


async def test_who_is_where_since_when() -> None:
    site = Shop()
    ada, guest = await tab(site, path="/shop/lamps"), await tab(site, None, "/shop/chairs")
    async with ada.opening(), guest.opening():
        first, second = site.rt.visitors.list()
        assert (first.user, first.name, first.pages, first.state) == ("ada", "ada", ["Lamps"], "active")
        assert (second.user, second.name, second.pages) == (None, "", ["Chairs"])
        assert first.since <= second.since
        assert first.person.metas == [{"page": "Lamps", "basket": 2}]
        assert site.rt.visitors.count() == 2


async def test_visitors_learn_nothing_of_each_other() -> None:
    site = Shop()
    ada, eve = await tab(site, path="/shop/lamps"), await tab(site, "eve", "/shop/lamps")
    async with ada.opening(), eve.opening() as stream:
        assert (await eve.show("roster", "stats:20", topic="here:rt:visitors")).status == 200
        assert (await eve.say("wave", 1, topic="here:rt:visitors")).status == 403
        assert site.rt.visitors.count() == 2
        assert site.rt.hub().gallery.of("here:rt:visitors") == set()
        address = f"/_rt/presence/rt:visitors?grant={eve.page.grants['here:rt:visitors']}"
        assert (await eve.browser.get(address)).status == 403
        assert set(stream.hello["grants"]) == {"user:eve", "here:rt:visitors"}


async def test_a_page_for_a_few_shows_them_live() -> None:
    site = Shop()
    admin, ada = await tab(site, "root", "/admin"), await tab(site, path="/shop/lamps")
    async with admin.opening() as stream:
        await admin.show("stats:20", topic="here:rt:visitors")
        assert (await picture(stream, "stats:20", topic="here:rt:visitors"))["n"] == 0
        async with ada.opening():
            assert "Lamps" in (await picture(stream, "stats:20", has="ada", topic="here:rt:visitors"))["text"]
        assert site.rt.visitors.count() == 1  # root looks on, and is not counted


async def test_going_from_page_to_page() -> None:
    site = Shop()
    ada = await tab(site, path="/shop/lamps")
    async with ada.opening():
        pass
    page = await ada.browser.get("/shop/chairs")
    page.tab, ada.page = ada.page.tab, page
    async with ada.opening():
        assert [one.pages for one in site.rt.visitors.list()] == [["Chairs"]]
        assert site.rt.stats().pages == {"Chairs": 1}


async def test_the_page_is_kept_over_a_reconnect() -> None:
    site = Shop()
    ada = await tab(site, path="/shop/lamps")
    async with ada.opening() as stream:
        renewed = stream.hello["grants"].values()
    async with ada.opening(renewed):
        assert site.rt.visitors.list()[0].pages == ["Lamps"]


async def test_numbers_by_topic_by_page_and_in_all() -> None:
    site = Shop()
    lamps = [await tab(site, who, "/shop/lamps") for who in ("ada", "ada", None)]
    doc = await tab(site, "ada")
    opened = [await one.opening().__aenter__() for one in (*lamps, doc)]
    stats = site.rt.stats()
    assert (stats.connections, stats.people, stats.visitors, stats.streams, stats.workers) == (4, 1, 1, 4, 1)
    assert stats.topics == {"doc:1": Tally(1, 1, 0)}
    assert stats.pages == {"Lamps": 3}
    for stream in opened:
        await stream.close()
    assert site.rt.stats().streams == 0


async def test_nobody_at_all() -> None:
    stats = Shop().rt.stats()
    assert (stats.connections, stats.people, stats.visitors, stats.topics, stats.pages) == (0, 0, 0, {}, {})


async def test_a_page_is_named_by_its_path_where_nothing_else_is_said() -> None:
    site = Shop()
    site.rt.section("/", visitors=True)
    ada = await tab(site, path="/?t=x")
    async with ada.opening():
        assert site.rt.visitors.list()[0].pages == ["/"]


async def test_misuse_is_told() -> None:
    site = Shop()
    with pytest.raises(ConfigurationError, match="outside a request"):
        site.rt.visitors.track(page="x")
    with pytest.raises(TooLarge):
        await tab(site, path="/long")
