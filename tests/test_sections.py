"""Declared once for a part of the site: what its pages subscribe to."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from htmx_rt.exceptions import ConfigurationError
from htmx_rt.paths import PathPattern
from htmx_rt.sections import filled

from .presence_kit import Place, picture, tab

pytestmark = pytest.mark.anyio
LAYOUT = """<head>{{ rt.head() }}</head><body><header>{{ rt.presence() }}{{ rt.typing() }}</header>
<main id="main" {{ rt.stream() }}><div {{ rt.cursors() }}></div></main></body>"""


class Docs(Place):
    """Every page has the same layout, and says nothing of topics."""

    def __init__(self, page: str = LAYOUT) -> None:
        super().__init__(page, routes=[Route("/{path:path}", self.any)])

    async def any(self, request: Request) -> Response:
        return self.html()


async def test_pages_below_a_path_read_and_show_their_readers() -> None:
    site = Docs("<head>{{ rt.head() }}</head>")
    site.rt.section("/docs/{id}", topics=["doc:{id}"], presence=True, public=True)
    for path in ("/docs/7", "/docs/7/", "/docs/7/edit/title"):
        ada = await tab(site, path=path)
        assert set(ada.page.grants) == {"user:ada", "doc:7", "here:doc:7"}
        async with ada.opening() as stream:
            assert site.names("doc:7") == ["ada"]
            site.rt.topic("doc:7").text("#x", "hello")
            assert (await stream.event("rt:ops")).data["t"] == "doc:7"


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/docsx/7", "/doc/7", "/other/docs/7"])
async def test_other_pages_do_not(path: str) -> None:
    site = Docs("<head>{{ rt.head() }}</head>")
    site.rt.section("/docs/{id}", topics=["doc:{id}"], presence=True, public=True)
    assert set((await tab(site, path=path)).page.grants) == {"user:ada"}


async def test_a_layout_needs_no_names_of_topics() -> None:
    site = Docs()
    site.rt.section("/docs/{id}", topics=["doc:{id}"], presence=True, public=True)
    ada, bob = await tab(site, path="/docs/7"), await tab(site, "bob", "/docs/7")
    assert ada.page.select("#main")[0]["rt-stream"] in ("doc:7", ["doc:7"])
    assert ada.page.select("[rt-typing-line]")
    async with ada.opening() as stream, bob.opening():
        await ada.show("avatars", topic="here:doc:7")
        assert (await picture(stream, topic="here:doc:7"))["n"] == 2
        assert (await ada.say("typing", {"on": True}, topic="here:doc:7")).status == 204
    outside = await tab(site, path="/about")
    assert outside.page.status == 200
    assert not outside.page.select("[rt-view], [rt-typing-line], [rt-stream^=doc]")


async def test_sections_within_sections_add_up() -> None:
    site = Docs("<head>{{ rt.head() }}</head>")
    site.rt.section("/", visitors=True)
    site.rt.section("/t/{team}", topics=["team:{team}"], public=True)
    site.rt.section("/t/{team}/docs/{id}", topics=["doc:{team}:{id}"], presence="place:{id}", public=True)
    ada = await tab(site, path="/t/red/docs/7")
    assert set(ada.page.grants) == {"user:ada", "team:red", "doc:red:7", "here:place:7", "here:rt:visitors"}


async def test_topics_that_somebody_made_up_in_an_address_are_none() -> None:
    site = Docs("<head>{{ rt.head() }}</head>")
    site.rt.section("/docs/{id}", topics=["doc:{id}"], presence=True, public=True)
    for path in ("/docs/7:secret", "/docs/a%20b", "/docs/%2e", "/docs/" + "x" * 200, "/docs/{id}"):
        ada = await tab(site, path=path)
        assert ada.page.status == 200
        assert not any(topic.endswith("secret") or " " in topic or "{" in topic for topic in ada.page.grants)


@pytest.mark.parametrize(
    ("text", "fields", "topic"),
    [
        ("doc:{id}", {"id": "7"}, "doc:7"),
        ("doc:{id}", {"id": "7:comments"}, None),
        ("doc:{id}", {"id": "ä"}, None),
        ("doc:{id}", {"id": ""}, None),
        ("{a}-{b}", {"a": "1-2", "b": "3"}, "1-2-3"),
        ("{a}-{b}", {"a": "1", "b": "2-3"}, None),
        ("lobby", {}, "lobby"),
    ],
)  # fmt: skip
def test_fields_come_out_of_a_topic_as_they_were_put_in(text: str, fields: dict[str, str], topic: str | None) -> None:
    assert filled(text, fields) == topic


async def test_a_topic_that_nobody_guards_is_told_of() -> None:
    """An error page has a head, too, and would hand out the grant."""
    site = Docs("<head>{{ rt.head() }}</head>")
    site.rt.section("/docs/{id}", topics=["doc:{id}"])
    with pytest.raises(ConfigurationError, match=r"@rt\.authorize.*public=True"):
        await tab(site, path="/docs/7")
    site.rt.authorize("doc:{id}")(lambda user, id: id == "7" and user is not None)
    ada, other = await tab(site, path="/docs/7"), await tab(site, path="/docs/8")
    async with ada.opening() as stream:
        assert stream.hello["refused"] == []
    async with other.opening() as stream:
        assert stream.hello["refused"] == ["doc:8"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"topics": "doc:{id}"}, {"presence": True}, {"topics": ["doc:{other}"]}, {"topics": ["a b"]},
        {"presence": "x:{other}"},
    ],
    ids=str,
)  # fmt: skip
def test_a_section_that_cannot_work_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        Place().rt.section("/docs/{id}", **arguments)  # type: ignore[arg-type]


async def test_without_sections_macros_need_a_topic() -> None:
    for macro in ("presence", "typing", "cursors", "stream"):
        with pytest.raises(ConfigurationError, match="needs a topic"):
            await tab(Place("{{ rt." + macro + "() }}"))


def test_paths_and_what_lies_below() -> None:
    pattern = PathPattern("/a/{x}")
    assert pattern.above("/a/1") == pattern.above("/a/1/b") == {"x": "1"}
    assert pattern.above("/a") is pattern.above("/b/1") is None
    assert PathPattern("/").above("/anything/at/all") == {}
    assert PathPattern("/a/").above("/a/b") == {}
    assert PathPattern("/a").above("/ab") is None
    assert pattern.matches("/a/1")
    assert not pattern.matches("/a/1/b")
    with pytest.raises(ConfigurationError, match="twice"):
        PathPattern("/{x}/{x}")
