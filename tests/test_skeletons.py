from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from jinja2 import DictLoader, Environment
from markupsafe import Markup

from htmx_rt import Realtime
from htmx_rt.exceptions import ConfigurationError, PersonalContent
from htmx_rt.testing import Page

from .kit import SECRET
from .test_templating import show

pytestmark = pytest.mark.anyio


def written(template: str, **values: Any) -> BeautifulSoup:
    environment = Environment(loader=DictLoader({"it.html": template}), autoescape=True)
    rt = Realtime(secret=SECRET)
    rt.install(environment)
    return BeautifulSoup(environment.get_template("it.html").render(values), "html.parser")


def one(soup: BeautifulSoup) -> Tag:
    (element,) = [child for child in soup.children if isinstance(child, Tag)]
    return element


SHAPES: dict[str, Callable[[Tag], bool]] = {
    "text(3)": lambda root: len(root.select(".rt-bone-line")) == 3 and len(root.select(".rt-bone-short")) == 1,
    "text()": lambda root: len(root.select(".rt-bone-line")) == 1 and not root.select(".rt-bone-short"),
    "block(height=96)": lambda root: (root.name, root["height"], root["width"]) == ("svg", "96", "100%"),
    "block(20, width=60)": lambda root: (root["height"], root["width"]) == ("20", "60"),
    "avatar(40)": lambda root: (root["height"], root["width"]) == ("40", "40"),
    "card()": lambda root: len(root.select(".rt-bone-line")) == 4,
    "card(2, image=120)": lambda root: len(root.select("svg[height='120']")) == 1,
    "table(5, 4, header=True)": lambda root: (len(root.select("tbody tr")), len(root.select("td")), len(root.select("th"))) == (5, 20, 4),
    "table(2, 3, header=False)": lambda root: (len(root.select("td")), len(root.select("thead"))) == (6, 0),
    "table_row(4)": lambda root: root.name == "tr" and len(root.select("td")) == 4,
    "tile()": lambda root: len(root.select(".rt-bone-figure")) == 1,
    "list(6, avatar=True)": lambda root: (len(root.select("li")), len(root.select("svg"))) == (6, 6),
    "list(2, lines=2)": lambda root: (len(root.select(".rt-bone-line")), len(root.select("svg"))) == (4, 0),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_skeleton_has_the_shape_of_what_is_to_come(shape: str) -> None:
    root = one(written(f"{{{{ rt.skeleton.{shape} }}}}"))
    assert SHAPES[shape](root)
    assert root["aria-hidden"] == "true"
    assert "rt-skeleton" in root["class"]
    assert not root.select("[style], [id]")
    assert root.get_text(strip=True) == ""


def test_rows_stand_below_each_other() -> None:
    assert len(written("<table>{{ rt.skeleton.table_row(4, rows=3) }}</table>").select("tr")) == 3


def test_a_skeleton_takes_the_measures_of_the_page() -> None:
    assert one(written("{{ rt.skeleton.table(1, 1, classes='prices wide') }}"))["class"] == [
        "rt-skeleton", "rt-skeleton-table", "prices", "wide",
    ]  # fmt: skip


def test_skeletons_are_for_everybody_and_come_by_import() -> None:
    rt = Realtime(secret=SECRET)
    template = "{% import 'htmx_rt/macros.html' as kit %}{{ kit.skeleton.tile() }}"
    rt.install(Environment(loader=DictLoader({"it.html": template}), autoescape=True))
    assert "rt-skeleton-tile" in rt.render("it.html")


@pytest.mark.parametrize(
    "shape", ["text(0)", "text('3')", "block(-1)", "table(1000, 2)", "avatar(2.5)", "list(true)", "like('it.html', 0)"]
)
def test_a_size_that_makes_no_sense_is_refused(shape: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rt\.skeleton\.\w+\(\w+=.*whole number"):
        written(f"{{{{ rt.skeleton.{shape} }}}}")


# Regions


REGION = "{{ rt.async_region('/dash/sales', id='sales', label='Sales <today>', skeleton=rt.skeleton.tile()%s) }}"


async def region(more: str = "", **options: Any) -> tuple[Tag, Page]:
    page = await show(REGION % more, **options)
    (element,) = page.select("#sales")
    return element, page


async def test_a_region_says_what_it_is_and_works_without_a_script() -> None:
    element, _ = await region()
    assert element.name == "section"
    assert {name: element[name] for name in ("rt-src", "rt-load", "rt-timeout", "aria-busy", "aria-label")} == {
        "rt-src": "/dash/sales", "rt-load": "now", "rt-timeout": "10s", "aria-busy": "true", "aria-label": "Sales <today>",
    }  # fmt: skip
    assert element["class"] == ["rt-region"]
    assert not {"rt-every", "rt-stale", "rt-stream", "rt-on", "style"} & set(element.attrs)
    (bones,) = element.select(":scope > .rt-skeletons")
    assert (bones["aria-hidden"], bones.has_attr("inert")) == ("true", True)
    assert bones.select(".rt-skeleton-tile")
    (link,) = element.select("noscript a")
    assert (link["href"], link.get_text()) == ("/dash/sales", "Sales <today>")
    words = json.loads(str(element["data-words"]))
    assert words["retry"] == "Retry"


async def test_a_region_may_be_polled_kept_and_live() -> None:
    element, _ = await region(
        ", every='60s', stale='10m', timeout=2.5, when='visible', on='order', topics='shop', tag='div'"
    )
    assert (element["rt-every"], element["rt-stale"], element["rt-timeout"], element["rt-load"]) == (
        "60s",
        "10m",
        "2.5s",
        "visible",
    )
    assert (element.name, element["role"]) == ("div", "group")
    assert element["rt-on"] == "entity:order"
    assert str(element["rt-stream"]).split() == ["shop", "entity:order"]
    assert len(str(element["rt-grant"]).split()) == 2


async def test_words_are_in_the_language_of_the_page() -> None:
    page = await show("{{ rt.head(lang='de') }}" + REGION % "")
    assert json.loads(str(page.select("#sales")[0]["data-words"]))["retry"] == "Erneut versuchen"
    element, _ = await region(", lang='es'")
    assert json.loads(str(element["data-words"]))["retry"] == "Reintentar"


async def test_rows_get_a_table_around_them() -> None:
    page = await show("{{ rt.async_region('/x', id='x', label='X', skeleton=rt.skeleton.table_row(2)) }}")
    assert page.select("#x > .rt-skeletons > table tr td")


async def test_a_skeleton_that_is_text_is_shown_as_text() -> None:
    page = await show("{{ rt.async_region('/x', id='x', label='X', skeleton='<b>hi</b>') }}")
    assert not page.select("b")


async def test_what_is_there_already_can_be_polled() -> None:
    page = await show("<ul id='prices' {{ rt.region('/prices?a=1&b=2', every='60s') }}></ul>")
    (element,) = page.select("#prices")
    assert (element["rt-src"], element["rt-every"]) == ("/prices?a=1&b=2", "60s")
    assert json.loads(str(element["data-words"]))["aged"]
    assert not element.has_attr("rt-stream")


BAD = {
    "id=''": "pass an id",
    "id='a b'": "pass an id",
    "label=' '": "needs a label",
    "when='later'": "'now' or 'visible'",
    "tag='table'": "use one of",
    "every='often'": r"rt\.async_region\(every='often'\).*'60s'",
    "every='10ms'": "of 1 s or more",
    "stale='-1s'": "stale='-1s'",
    "timeout=true": "timeout=True",
}


@pytest.mark.parametrize("argument", BAD)
async def test_a_region_that_makes_no_sense_is_refused(argument: str) -> None:
    arguments = {"id": "'x'", "label": "'X'", **dict([argument.split("=", 1)])}
    with pytest.raises(ConfigurationError, match=BAD[argument]):
        await show("{{{{ rt.async_region('/x', {}) }}}}".format(", ".join(f"{k}={v}" for k, v in arguments.items())))


@pytest.mark.parametrize("url", ["", "https://other.example/x", "//other.example/x", "javascript:alert(1)", "#top"])
async def test_a_region_is_of_this_site(url: str) -> None:
    with pytest.raises(ConfigurationError, match="a path of this site"):
        await show(f"{{{{ rt.async_region({url!r}, id='x', label='X') }}}}")


def test_a_region_for_everybody_may_not_be_live() -> None:
    rt = Realtime(secret=SECRET)
    rt.install(
        Environment(loader=DictLoader({"it.html": REGION % "", "live.html": REGION % ", on='order'"}), autoescape=True)
    )
    assert isinstance(rt.render("it.html"), Markup)
    with pytest.raises(PersonalContent, match="region"):
        rt.render("live.html")
