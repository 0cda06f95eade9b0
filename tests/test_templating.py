from __future__ import annotations

import json
import time
from typing import Any

import pytest
from bs4 import BeautifulSoup
from jinja2 import DictLoader, Environment
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime
from htmx_rt.exceptions import BadTopic, ConfigurationError, PersonalContent
from htmx_rt.macros import Macros
from htmx_rt.merge import whole
from htmx_rt.testing import Page

from .kit import SECRET, Site

pytestmark = pytest.mark.anyio


def rendering(
    template: str, *, identify: Any = lambda request: "ada", env: dict[str, Any] | None = None, **options: Any
) -> Site:
    async def show(request: Request) -> Response:
        return site.html("it.html", request=request)

    site = Site(routes=[Route("/show", show)], templates={"it.html": template}, identify=identify, **options)
    for key, value in (env or {}).items():
        setattr(site.environment, key, value)
    return site


async def show(template: str, **options: Any) -> Page:
    return await rendering(template, **options).browser().get("/show")


# Macros


async def test_head_writes_configuration_styles_and_scripts() -> None:
    page = await show("{{ rt.head(htmx=4, nonce='n1', lang='de') }}", build="42", debug=True)
    [meta] = page.select("meta[name=htmx-rt]")
    config = json.loads(str(meta["content"]))
    assert config.pop("build").startswith("42-")
    assert len(config.pop("who")) == 16
    assert config.pop("up") <= time.time() + 1
    assert config == {
        "v": 1, "name": "app", "prefix": "/_rt", "debug": True, "lang": "de", "me": "", "irreversible": [], "signIn": None,
    }  # fmt: skip
    assert meta["rt-stream"] == "user:ada"
    assert meta["rt-grant"]
    assert str(meta["rt-at"]).startswith("1~")
    assert [script["nonce"] for script in page.select("script")] == ["n1", "n1"]
    assert [str(script["src"]).rpartition("/")[2] for script in page.select("script")] == ["htmx4.min.js", "htmx-rt.js"]
    assert all(script.has_attr("defer") for script in page.select("script"))
    assert [str(link["href"]).rpartition("/")[2] for link in page.select("link[rel=modulepreload][nonce=n1]")] == [
        "htmx-rt-more.mjs"
    ]
    for element in page.select("script, link"):
        assert (await rendering("").browser().get(str(element.get("src") or element["href"]))).status == 200


async def test_head_of_nobody_subscribes_to_nothing() -> None:
    page = await show("{{ rt.head() }}", identify=lambda request: None)
    [meta] = page.select("meta")
    assert not meta.has_attr("rt-stream")
    assert len(page.select("script")) == 1


async def test_head_knows_two_versions_of_htmx() -> None:
    page = await show("{{ rt.head(htmx=2) }}")
    assert [str(link["href"]).rpartition("/")[2] for link in page.select("link[rel=modulepreload]")] == [
        "htmx-rt-htmx2.mjs",
        "htmx-rt-more.mjs",
    ]
    with pytest.raises(ConfigurationError, match="4, 2"):
        await show("{{ rt.head(htmx=3) }}")


@pytest.mark.parametrize("autoescape", [True, False])
async def test_macros_write_whole_attributes_whatever_the_environment_escapes(autoescape: bool) -> None:
    evil = '"><script>alert(1)</script>'
    template = "{{ rt.head(nonce=evil, lang=evil) }}<div {{ rt.region(evil, 'board:1') }}></div>{{ rt.toasts() }}"
    site = rendering(template, env={"autoescape": autoescape})
    site.environment.globals["evil"] = evil
    page = await site.browser().get("/show")
    [meta] = page.select("meta")
    assert json.loads(str(meta["content"]))["lang"] == evil
    [region] = page.select("[rt-src]")
    assert (region["rt-src"], region["rt-stream"]) == (evil, "board:1")
    assert [script["nonce"] for script in page.select("script")] == [evil]


async def test_a_stream_of_several_topics_has_its_grants_in_order() -> None:
    site = rendering("<div {{ rt.stream('b', 'a') }}></div>")
    page = await site.browser().get("/show")
    [element] = page.select("div")
    grants = [site.rt.signer.read_grant(token) for token in str(element["rt-grant"]).split()]
    assert [grant and (grant.topic, grant.user, grant.caps) for grant in grants] == [
        ("b", "ada", "r"),
        ("a", "ada", "r"),
    ]
    assert element["rt-stream"] == "b a"


async def test_a_page_says_where_the_log_stood_when_its_request_arrived() -> None:
    async def slow(request: Request) -> Response:
        site.rt.topic("board:1").text("#x", "meanwhile")
        return site.html(topics=["board:1"])

    site = Site(routes=[Route("/slow", slow)])
    page = await site.browser().get("/slow")
    [element] = page.select("div")
    assert element["rt-at"] == f"1~{site.bus.log.epoch}~0"


@pytest.mark.parametrize("topic", ["user:bob", "user:h.x", "a b", "", "user:"])
async def test_somebody_elses_topic_and_bad_names_raise(topic: str) -> None:
    with pytest.raises(BadTopic):
        await show(f"<div {{{{ rt.stream('{topic}') }}}}></div>")


async def test_a_stream_needs_a_topic() -> None:
    with pytest.raises(ConfigurationError, match="needs a topic"):
        await show("{{ rt.stream() }}")


class Row:
    lock_version = 3
    version = 4


class Versioned:
    version_id = 5


@pytest.mark.parametrize(("value", "number"), [(7, 7), (0, 0), (Row(), 3), (Versioned(), 5)])
def test_versions(value: object, number: int) -> None:
    assert Realtime(secret=SECRET).macros.version(value) == f'rt-version="{number}"'


@pytest.mark.parametrize("value", [None, -1, True, "7", 1.5, ...], ids=repr)
def test_what_is_no_version(value: object) -> None:
    with pytest.raises(ConfigurationError, match="is no version"):
        Realtime(secret=SECRET).macros.version(value)


@pytest.mark.parametrize(
    ("cookie", "written"),
    [
        ("dark", ' data-rt-theme="dark"'),
        ("light", ' data-rt-theme="light"'),
        ("", ""),
        ('dark"><script>', ""),
        ("system", ""),
    ],
)
async def test_theme(cookie: str, written: str) -> None:
    site = rendering("<html {{ rt.theme() }}>")
    browser = site.browser()
    browser.cookies = {"a": "b", "rt-theme": cookie}
    assert (await browser.get("/show")).text == f"<html{written or ' '}>"


async def test_the_macros_can_be_imported_and_overridden() -> None:
    page = await show(
        '{% import "htmx_rt/macros.html" as live %}<div {{ live.stream("a", "b") }}></div>{{ live.banner() }}'
    )
    assert page.select("div")[0]["rt-stream"] == "a b"
    site = rendering("{{ rt.banner() }}")
    site.environment.loader.loaders[0].mapping["htmx_rt/banner.html"] = "mine"  # type: ignore[union-attr]
    assert (await site.browser().get("/show")).text == "mine"


MACROS = {
    "head": "htmx=2, nonce='n', lang='de'",
    "stream": "'a', 'b'",
    "grant": "'room:7', signal=False",
    "region": "'/rows', 'a', on=['task', 'task:7']",
    "async_region": "'/rows', id='rows', label='Rows', on='task', every='60s', stale='10m'",
    "skeleton": ".tile()",
    "presence": "'doc:7', 'avatars:7', track=False",
    "typing": "'doc:7'",
    "cursors": "'doc:7'",
    "guard": "'doc', doc, fields=['title'], part='head', form=True",
    "draft": "'application'",
    "progress": "'import:7'",
    "more": "'/rows?after=1', '#rows', at='start', auto=False",
    "badge": "'unread', 12, label='{n} unread', most=99, title=True",
    "file_input": "'files', accept='.csv,image/*', max_files=5, max_size='20 MB'",
    "bell": "",
    "field": "'email', {'email': 'No'}, id='e', form='f', hint='h'",
    "field_error": "'email', {'email': ['No']}, form='f'",
    "url": "page=2",
    "version": "7",
    "theme": "",
    "banner": "",
    "queue": "",
    "toasts": "",
}


@pytest.mark.parametrize(("macro", "arguments"), MACROS.items(), ids=MACROS)
async def test_each_macro_is_the_same_by_import(macro: str, arguments: str) -> None:
    call = macro + (arguments if arguments.startswith(".") else f"({arguments})")
    site = rendering(f'{{% import "htmx_rt/macros.html" as m %}}<p>{{{{ rt.{call} }}}}</p><p>{{{{ m.{call} }}}}</p>')
    site.rt.guard("doc:{id}", {"title": whole, "body": whole})
    site.environment.globals["doc"] = {"id": 7, "title": "Plan", "body": "", "lock_version": 3}
    browser = site.browser()
    browser.cookies["rt-theme"] = "dark"
    first, second = ((await browser.get("/show")).text.removeprefix("<p>").removesuffix("</p>")).split("</p><p>")
    assert first == second != ""


def test_each_macro_can_be_imported() -> None:
    all_of_them = [(name, getattr(Macros, name)) for name in dir(Macros) if name[0] != "_"]
    offered = [name for name, one in all_of_them if "no macro" not in (one.__doc__ or "")]
    assert set(offered) == set(MACROS)


async def test_the_banner_works_without_scripts_and_holds_no_inline_code() -> None:
    page = await show("{{ rt.banner() }}{{ rt.toasts() }}{{ rt.head() }}")
    [banner] = page.select("#rt-banner")
    assert (banner["role"], banner["aria-live"]) == ("status", "polite")
    assert banner.has_attr("hidden")
    assert all(button["type"] == "button" for button in page.select("button"))
    for element in BeautifulSoup(page.text, "html.parser").find_all(True):
        assert not [name for name in element.attrs if name.startswith("on") or name == "style"]
    assert all(script.has_attr("src") for script in page.select("script"))


@pytest.mark.parametrize(
    ("lang", "offline", "retry", "waiting"),
    [
        ("de", "Sie sind offline.", "Erneut versuchen", "{n} Änderungen warten"),
        ("es-MX", "No hay conexión.", "Reintentar", "{n} cambios pendientes"),
        ("fi", "You are offline.", "Retry", "{n} changes waiting"),
    ],
)
async def test_every_piece_speaks_the_language_of_the_page(lang: str, offline: str, retry: str, waiting: str) -> None:
    page = await show(f"{{{{ rt.head(lang={lang!r}) }}}}{{{{ rt.banner() }}}}{{{{ rt.queue() }}}}{{{{ rt.toasts() }}}}")
    assert page.select("#rt-banner")[0]["data-offline"] == offline
    assert page.select("#rt-toasts")[0]["data-retry"] == retry
    assert page.select("#rt-queue")[0]["data-waiting-other"] == waiting
    assert "{{" not in page.text


async def test_an_app_has_words_of_its_own() -> None:
    page = await show("{{ rt.banner() }}", words={"en": {"banner.offline": "No line."}})
    assert page.select("#rt-banner")[0]["data-offline"] == "No line."


def test_a_macro_outside_a_request_says_what_is_missing() -> None:
    rt = Realtime(secret=SECRET)
    for macro in (rt.macros.head, lambda: rt.macros.stream("a"), rt.macros.toasts, rt.macros.theme):
        with pytest.raises(ConfigurationError, match="RealtimeMiddleware"):
            macro()
    with pytest.raises(ConfigurationError, match="RealtimeMiddleware"):
        rt.set_user("ada")


# Rendering for everybody


def env(templates: dict[str, str], **options: Any) -> Environment:
    return Environment(loader=DictLoader(templates), autoescape=True, **options)


def installed(templates: dict[str, str], *, globals: dict[str, Any] | None = None, **options: Any) -> Realtime:
    rt = Realtime(secret=SECRET)
    environment = env(templates, **options)
    environment.globals.update(globals or {})
    rt.install(environment)
    return rt


@pytest.mark.parametrize("enable_async", [False, True])
def test_a_template_or_one_block_of_it(enable_async: bool) -> None:
    rt = installed({"a.html": "<p>{{ x }}</p>{% block b %}<b>{{ x }}</b>{% endblock %}"}, enable_async=enable_async)
    html = rt.render("a.html", x="<i>")
    assert isinstance(html, Markup)
    assert html == "<p>&lt;i&gt;</p><b>&lt;i&gt;</b>"
    assert rt.render("a.html", block="b", x=1) == "<b>1</b>"
    with pytest.raises(ConfigurationError, match="Its blocks: b"):
        rt.render("a.html", block="c")


@pytest.mark.parametrize("name", ["request", "current_user", "csrf_token"])
@pytest.mark.parametrize(
    "template",
    ["{{ NAME }}", "{{ NAME.x }}", "{{ NAME() }}", "{{ NAME['x'] }}", "{% if NAME %}x{% endif %}", "{% for x in NAME %}{% endfor %}",
     "{{ NAME ~ 'x' }}", "{{ NAME == 1 }}", "{{ NAME | length }}", "{{ NAME.user.name | default('x') }}"],
)  # fmt: skip
def test_personal_names_raise_with_the_cure(name: str, template: str) -> None:
    rt = installed({"a.html": template.replace("NAME", name)}, globals={name: "Ada's"})
    with pytest.raises(PersonalContent, match="refresh"):
        rt.render("a.html")


@pytest.mark.parametrize("name", ["request", "current_user", "csrf_token"])
def test_personal_names_raise_in_imported_and_included_templates_too(name: str) -> None:
    used = {"m.html": f"{{% macro m() %}}{{{{ {name} }}}}{{% endmacro %}}", "i.html": f"{{{{ {name} }}}}"}
    rt = installed(
        used
        | {
            "a.html": '{% import "m.html" as m %}{{ m.m() }}',
            "b.html": '{% include "i.html" %}',
            "c.html": '{% include "i.html" without context %}',
        },
        globals={name: "Ada's"},
    )
    for template in ("a.html", "b.html", "c.html"):
        with pytest.raises(PersonalContent):
            rt.render(template)


@pytest.mark.parametrize("name", ["session", "g", "get_flashed_messages"])
def test_personal_globals_of_frameworks_raise_but_their_names_may_be_arguments(name: str) -> None:
    rt = installed({"a.html": f"{{{{ {name} }}}}"}, globals={name: "Ada's"})
    with pytest.raises(PersonalContent):
        rt.render("a.html")
    assert rt.render("a.html", **{name: "the morning one"}) == "the morning one"


def test_personal_values_cannot_be_passed_either() -> None:
    rt = installed({"a.html": "x"})
    with pytest.raises(PersonalContent, match="request"):
        rt.render("a.html", request=object())


@pytest.mark.parametrize("macro", ["head()", "stream('a')", "region('/a', 'a')", "toasts()", "theme()"])
async def test_macros_for_one_person_raise_in_html_for_everybody(macro: str) -> None:
    async def act(request: Request) -> Response:
        with pytest.raises(PersonalContent, match=r"rt\."):
            site.rt.render("a.html")
        with pytest.raises(PersonalContent):
            site.rt.render("b.html")
        return HTMLResponse("ok")

    site = Site(
        routes=[Route("/act", act)],
        templates={
            "a.html": f"{{{{ rt.{macro} }}}}",
            "b.html": f'{{% import "htmx_rt/macros.html" as m %}}{{{{ m.{macro} }}}}',
        },
    )
    assert (await site.browser().get("/act")).text == "ok"


def test_what_is_for_everybody_may_be_used() -> None:
    rt = installed({"a.html": "<li {{ rt.version(3) }}>{{ brand }}</li>{{ rt.banner() }}"}, globals={"brand": "B"})
    assert rt.render("a.html").startswith('<li rt-version="3">B</li>')


def test_globals_added_later_are_seen() -> None:
    rt = Realtime(secret=SECRET)
    environment = env({"a.html": "{{ late }}"})
    rt.install(environment)
    environment.globals["late"] = "seen"
    assert rt.render("a.html") == "seen"


def test_rendering_before_install_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"rt\.install"):
        Realtime(secret=SECRET).render("a.html")
