from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from bs4 import BeautifulSoup
from jinja2 import DictLoader, Environment
from markupsafe import Markup

from htmx_rt import Realtime
from htmx_rt.exceptions import ConfigurationError
from htmx_rt.likeness import draw

from .kit import SECRET


def drawn(template: str, *, items: int = 3, more: dict[str, str] | None = None, **values: Any) -> BeautifulSoup:
    return BeautifulSoup(text_of(template, items=items, more=more, **values), "html.parser")


def text_of(
    template: str,
    *,
    items: int = 3,
    more: dict[str, str] | None = None,
    env: dict[str, Any] | None = None,
    **values: Any,
) -> str:
    environment = Environment(loader=DictLoader({"it.html": template, **(more or {})}), autoescape=True)
    for name, part in (env or {}).items():
        getattr(environment, name).update(part)
    return draw(environment, "it.html", values, items=items)


TASK = """<li id="task-{{ task.id }}" class="task{% if task.done %} done{% endif %}" {{ rt.version(task) }}
    hx-get="/tasks/{{ task.id }}" hx-target="this" onclick="go()" style="color: red" data-pos="{{ task.pos }}">
  <a class="title" href="/tasks/{{ task.id }}">{{ task.title }}</a>
  <img class="face" src="{{ task.owner.picture }}" width="32" height="32" alt="{{ task.owner.name }}">
  <form method="post" action="/x"><input type="hidden" name="csrf" value="{{ csrf_token() }}">
  <input name="title" value="{{ task.title }}" class="wide"><button name="go" value="1">Save</button></form>
  <script>alert(1)</script></li>"""


def test_structure_and_classes_stay_and_everything_else_goes() -> None:
    soup = drawn(TASK)
    (item,) = soup.select("li")
    assert item.attrs == {"class": ["task", "done"]}
    assert soup.select_one("span.title > span.rt-bone") is not None
    assert [tag.attrs for tag in soup.select("svg")] == [
        {"class": ["rt-bone-block", "face"], "width": "32", "height": "32"}
    ]
    (field,) = soup.select("input")
    assert field.attrs == {"class": ["wide"], "disabled": ""}
    (button,) = soup.select("button")
    assert button.attrs == {"type": "button", "disabled": ""}
    assert not soup.select("form, a, script, img, [id], [name], [href], [style], [onclick], [hx-get], [action]")
    assert set(re.sub(r"\s", "", soup.get_text())) <= set("enita")


def test_a_bone_is_as_long_as_its_text() -> None:
    soup = drawn("<p>{{ task.title }}</p><p>Buy a bicycle</p>", task={"title": "Grüße & Küsse"})
    assert [bone.get_text() for bone in soup.select(".rt-bone")] == ["enita e enita", "eni e enitaen"]


def test_what_is_between_elements_stays_between_them() -> None:
    assert text_of("<b>One</b> <i>two</i><u> three</u>") == (
        '<b><span class="rt-bone">eni</span></b> <i><span class="rt-bone">eni</span></i><u> <span class="rt-bone">enita</span></u>'
    )


LENIENT = {
    "attributes": "{{ a.b.c.d }}",
    "items": "{{ a['b'][0] }}{{ a[1:2] }}",
    "calls": "{{ a.b(1, x=2).c() }}{{ missing(1) }}",
    "arithmetic": "{{ a + 1 - a * 2 / 3 // 4 % 5 ** 2 }}{{ -a }}{{ 1 + a }}{{ 'x' ~ a }}{{ (a.n * 100)|round(1) }}",
    "formats": "{{ '%d %s %.2f' % (a, a, a) }}{{ '{:,.2f} {:>8} {:%Y}'.format(a, a, a) }}{{ a|int }}{{ a|float }}",
    "comparisons": "{{ a > 1 and 1 < a and not a == 1 and a != 1 and 'x' not in a }}{{ [a, a]|max }}",
    "filters": "{{ a|length }}{{ a|join(', ') }}{{ a|first }}{{ a|sort(attribute='x')|list }}{{ a|groupby('day')|list }}"
    "{{ a|tojson }}{{ a|upper }}{{ a|title|truncate(3) }}{{ a|replace('n', 'm') }}{{ a|batch(2)|list }}{{ a|urlencode }}"
    "{{ a|map(attribute='x')|sum }}{{ a|selectattr('done')|list }}{{ a|escape }}{{ a|safe }}{{ a|string }}{{ a|wordcount }}",
    "statements": "{% for x in a if x.y %}{{ loop.index }}{{ x }}{% else %}none{% endfor %}{% set b = a.b %}{{ b }}"
    "{% for k, v in a.items() %}{{ k }}{{ v }}{% endfor %}{% with c = a.c %}{{ c }}{% endwith %}{% if a is mapping %}{% endif %}"
    "{% macro m(x) %}{{ x.y }}{% endmacro %}{{ m(a) }}{% for i in range(a.count) %}.{% endfor %}",
    "time": "{{ a.at.strftime('%d %b') }}{{ a.at.isoformat() }}{{ now() - a.at }}",
    "tests": "{{ a is divisibleby 3 }}{{ a is even }}{{ a is iterable }}{{ a is none }}{{ a is sameas 1 }}",
}


@pytest.mark.parametrize("template", LENIENT.values(), ids=LENIENT.keys())
def test_a_stand_in_does_whatever_a_template_asks_of_it(template: str) -> None:
    text_of(template, env={"globals": {"now": date.today}})


def test_loops_run_a_number_of_times_and_end() -> None:
    nested = "{% for a in list %}<p>{% for b in a.parts %}<b>{% for c in b.parts %}<i></i>{% endfor %}</b>{% endfor %}</p>{% endfor %}"
    soup = drawn(nested, items=4)
    assert len(soup.select("p")) == 4
    assert len(soup.select("p:first-child b")) == 2
    assert not soup.select("i")


@pytest.mark.parametrize(
    "tree",
    [
        "{% for n in tree recursive %}<li>{{ n.name }}{% if n.children %}<ul>{{ loop(n.children) }}</ul>{% endif %}</li>{% endfor %}",
        "{% macro up(n) %}{% if n.parent %}{{ up(n.parent) }}{% endif %}<b>{{ n.name }}</b>{% endmacro %}{{ up(node) }}",
    ],
)
def test_what_contains_itself_ends(tree: str) -> None:
    assert 0 < len(drawn(tree).select("li, b")) < 100


def test_a_name_that_was_not_given_is_missing_to_those_who_ask() -> None:
    assert "enitaeni" in text_of("{{ size|default('whatever') }}")
    assert not drawn("{% if error is defined %}<em>{{ error }}</em>{% endif %}").select("em")


def test_samples_decide_how_it_looks() -> None:
    template = "<li class='{{ task.state }}'>{% if task.done %}<s>{% endif %}{{ other.title }}"
    soup = drawn(template, task={"state": "open", "done": False})
    assert soup.li is not None
    assert soup.li["class"] == ["open"]
    assert not soup.select("s")


def test_what_comes_with_the_app_is_used_and_may_fail() -> None:
    def money(value: Any) -> str:
        return f"{value:,.2f} €"

    def picky(value: str) -> str:
        return {"known": "yes"}[value]

    env = {
        "filters": {"money": money, "picky": picky},
        "globals": {"url_for": picky, "shop": "Kestrel", "csrf_token": picky},
    }
    text = text_of(
        "{{ order.total|money }}|{{ order.kind|picky }}|{{ url_for(order) }}|{{ csrf_token() }}|{{ shop }}", env=env
    )
    assert text.count("rt-bone") == 1
    assert "enitaen" in text


def test_personal_globals_are_not_asked() -> None:
    asked: list[str] = []
    env = {
        "globals": {
            "get_flashed_messages": lambda: asked.append("flash") or [],
            "csrf_token": lambda: asked.append("csrf"),
        }
    }
    text_of("{{ get_flashed_messages() }}{{ csrf_token() }}", env=env)
    assert asked == []


def test_parts_of_other_templates_come_along() -> None:
    more = {"part.html": "<b>{{ task.x }}</b>", "base.html": "<div>{% block body %}{% endblock %}</div>"}
    soup = drawn("{% extends 'base.html' %}{% block body %}{% include 'part.html' %}{% endblock %}", more=more)
    assert soup.select("div > b > .rt-bone")


def test_an_error_names_the_template_and_the_cure() -> None:
    with pytest.raises(ConfigurationError, match=r"like\('it.html'\).*no template 'gone.html'"):
        text_of("{% include 'gone.html' %}")
    with pytest.raises(ConfigurationError, match=r"like\('it.html'\).*ZeroDivisionError.*Pass a sample"):
        text_of("{{ 1 / 0 }}")
    with pytest.raises(ConfigurationError, match=r"RecursionError"):
        text_of("{% include 'it.html' %}")
    with pytest.raises(ConfigurationError, match=r"TemplateSyntaxError"):
        text_of("{% if %}")


HOSTILE = {
    "a script in a sample": ("{{ x }}", {"x": Markup("<script>alert(1)</script><b onclick=x>hi</b>")}),
    "text in a tag": ("<p {{ x }}>hi</p>", {"x": Markup('" onclick="alert(1)')}),
    "a class that ends its attribute": ("<p class='{{ x|safe }}'>hi</p>", {"x": 'a" onclick="alert(1)'}),
    "no end tags": ("<ul><li>One<li>Two<p>Three", {}),
    "end tags of nothing": ("</div></section><p>hi</p></div>", {}),
    "an unknown element": ("<my-thing>hi</my-thing>", {}),
    "what is left open": ("<svg><path d='M0'", {}),
    "a template": ("<template><b>hi</b></template><noscript>x</noscript>", {}),
    "a comment": ("<!-- <b>hi</b> --><!doctype html><p>x</p>", {}),
}


@pytest.mark.parametrize(("template", "values"), HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_gets_out_of_it(template: str, values: dict[str, Any]) -> None:
    text = text_of(template, **values)
    soup = BeautifulSoup(f"<main>{text}</main><footer></footer>", "html.parser")
    assert not soup.select("script, my-thing, template, noscript")
    assert all(set(tag.attrs) <= {"class", "aria-hidden", "disabled", "type"} for tag in soup.select("main *"))
    assert soup.footer is not None
    assert soup.footer.parent is soup
    for name in ("div", "section", "ul", "li", "p", "b", "span", "svg"):
        assert len(re.findall(rf"<{name}\b", text)) == len(re.findall(f"</{name}>", text)), text


def test_tables_and_fields_keep_their_shape() -> None:
    soup = drawn(
        "<table class='t'><tr> stray <td colspan='2'>{{ a.b }}</td></tr></table>"
        "<textarea rows='4' name='x'>{{ a.body }}</textarea><select name='y'><option>One<option selected>Two</select>"
        "<input type='checkbox' checked name='z'><label for='q'>Name</label><progress value='3' class='wide'></progress>"
    )
    assert soup.td is not None
    assert soup.td.attrs == {"colspan": "2"}
    assert soup.tr is not None
    assert [str(child.name) for child in soup.tr.children] == ["td"]
    assert soup.textarea is not None
    assert soup.textarea.attrs == {"rows": "4", "disabled": ""}
    assert next(option.get_text() for option in soup.select("option")).startswith("eni")
    assert soup.select_one("input[type=checkbox][disabled]:not([checked], [name])")
    assert soup.select_one("svg.rt-bone-block.wide")


def test_an_async_environment_can_be_drawn_and_stays_as_it_was() -> None:
    environment = Environment(loader=DictLoader({"it.html": "<p>{{ a.b }}</p>"}), autoescape=True, enable_async=True)
    before = {name: dict(getattr(environment, name)) for name in ("globals", "filters", "tests", "policies")}
    undefined = environment.undefined
    assert "rt-bone" in draw(environment, "it.html", {})
    assert environment.is_async
    assert environment.undefined is undefined
    assert {name: dict(getattr(environment, name)) for name in before} == before


def realtime(**templates: str) -> tuple[Realtime, Environment]:
    environment = Environment(
        loader=DictLoader({f"{name}.html": text for name, text in templates.items()}), autoescape=True
    )
    rt = Realtime(secret=SECRET)
    rt.install(environment)
    return rt, environment


def test_like_repeats_it_and_stands_in_for_our_own_macros() -> None:
    _, environment = realtime(task=TASK, page="{{ rt.skeleton.like('task.html', 5) }}")
    text = environment.get_template("page.html").render()
    assert len(BeautifulSoup(text, "html.parser").select("li.task")) == 5


def test_a_likeness_is_drawn_once_unless_templates_may_change() -> None:
    rt, environment = realtime(task="<p>{{ task.title }}</p>")
    environment.auto_reload = False
    first = rt.macros.skeleton.like("task.html")
    assert isinstance(environment.loader, object)
    environment.loader = DictLoader({})
    environment.cache.clear()  # type: ignore[union-attr]
    assert rt.macros.skeleton.like("task.html") == first
    environment.auto_reload = True
    with pytest.raises(ConfigurationError, match="no template"):
        rt.macros.skeleton.like("task.html")
