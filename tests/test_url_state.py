"""`rt.url()`: links that say what a page shows; and the headers by which pages learn of another version."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime
from htmx_rt.exceptions import ConfigurationError, PersonalContent

from .kit import Site, opened

pytestmark = pytest.mark.anyio
SECRET = "a secret of thirty-two bytes or more"


def site_with(expression: str) -> Site:
    async def view(request: Request) -> Response:
        return PlainTextResponse(site.environment.from_string("{{ " + expression + " }}").render())

    site = Site(routes=[Route("/tasks/{id}", view), Route("/part", view)])
    return site


@pytest.mark.parametrize(
    ("path", "expression", "wanted"),
    [
        ("/tasks/7", "rt.url()", "/tasks/7"),
        ("/tasks/7", "rt.url(tab='notes', page=2)", "/tasks/7?tab=notes&amp;page=2"),
        ("/tasks/7?tab=a&q=x%20y&tab=b", "rt.url(page=2)", "/tasks/7?tab=a&amp;tab=b&amp;q=x+y&amp;page=2"),
        ("/tasks/7?tab=a&q=x", "rt.url(tab='b')", "/tasks/7?tab=b&amp;q=x"),
        ("/tasks/7?tab=a&q=x", "rt.url(tab=None, no=None)", "/tasks/7?q=x"),
        ("/tasks/7?tab=a", "rt.url(tab=None)", "/tasks/7"),
        ("/tasks/7?empty=", "rt.url(a='')", "/tasks/7?empty=&amp;a="),
        ("/tasks/7", "rt.url(tag=['a', 'ü&='])", "/tasks/7?tag=a&amp;tag=%C3%BC%26%3D"),
        ("/tasks/7?q=%22%3E%3Cscript%3E", "rt.url()", "/tasks/7?q=%22%3E%3Cscript%3E"),
        ("/tasks/7?" + "&".join(f"a{n}=1" for n in range(300)), "rt.url(b=1)", "/tasks/7?b=1"),
        ("/tasks/über uns", "rt.url(a=1)", "/tasks/%C3%BCber%20uns?a=1"),
        ("/tasks/7", "rt.url(self=1)", "/tasks/7?self=1"),
    ],
)
async def test_the_address_of_this_page_with_parameters_changed(path: str, expression: str, wanted: str) -> None:
    site = site_with(expression)
    assert (await site.browser().get(path)).text == wanted


@pytest.mark.parametrize(
    ("current", "asked", "wanted"),
    [
        ("http://testserver/tasks/7?q=x&page=1", "/part", "/tasks/7?q=x&amp;page=2"),
        ("http://testserver/tasks/7?q=x", "/part?q=xy", "/tasks/7?q=xy&amp;page=2"),
        ("http://testserver/tasks/7#top", "/part", "/tasks/7?page=2"),
        ("https://evil.example/x", "/part", "/part?page=2"),
        ("http://testserver//evil.example", "/part", "/part?page=2"),
        ("http://[", "/part", "/part?page=2"),
        ("javascript:alert(1)", "/part", "/part?page=2"),
    ],
)
async def test_a_fragment_links_to_the_page_it_is_for(current: str, asked: str, wanted: str) -> None:
    site = site_with("rt.url(page=2)")
    headers = {"hx-request": "true", "hx-current-url": current}
    assert (await site.browser().get(asked, headers=headers)).text == wanted


async def test_what_everybody_gets_has_no_address() -> None:
    site = Site(templates={"row.html": "{{ rt.url(a=1) }}"})
    with pytest.raises(PersonalContent, match=r"rt\.url"):
        site.rt.render("row.html")


# Another version


async def test_answers_to_a_page_say_which_version_gave_them() -> None:
    site = Site(build="2.4.1")
    ada, page = await opened(site)
    answer = await ada.get("/plain", page=page)
    assert answer.header("RT-Build") == f"2.4.1-{site.rt.assets.digest} {site.rt.up}"
    assert (await ada.get("/plain")).header("RT-Build") is None  # no page of ours has asked
    async with ada.stream(page) as stream:
        assert (stream.hello["build"], stream.hello["up"]) == (site.rt.build, site.rt.up)


@pytest.mark.parametrize("build", ["", "a b", "ü", "a\nb", "x" * 65])
def test_a_version_that_is_no_name_is_refused(build: str) -> None:
    with pytest.raises(ConfigurationError, match="build="):
        Realtime(secret=SECRET, build=build)
