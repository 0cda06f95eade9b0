"""htmx's own SSE extension in a browser, on what `format=html` sends."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from htmx_rt import Realtime

from ..integration.servers import threaded

ROOT = Path(__file__).parents[2]
HTMX = ROOT / "js" / "node_modules" / "htmx4" / "dist"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(not HTMX.exists() or CHROMIUM is None, reason="needs Chromium and `make js`")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    shutil.copytree(ROOT / "docs" / "examples" / "transports", tmp_path / "site")
    for file in ("htmx.js", "ext/hx-sse.js"):
        shutil.copy(HTMX / file, tmp_path / "site" / "static")
    monkeypatch.chdir(tmp_path / "site")
    monkeypatch.setitem(os.environ, "RT_SECRET", "a secret of thirty-two bytes or more")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "app", raising=False)
    import app

    yield app
    monkeypatch.delitem(sys.modules, "app", raising=False)


def test_every_verb_lands_where_it_belongs(example: Any) -> None:
    from playwright.sync_api import sync_playwright

    rt: Realtime = example.rt
    with threaded(example.app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        with page.expect_response(lambda response: "format=html" in response.url):
            page.goto(address)
        topic = rt.topic("news")
        topic.append("#news", Markup('<li id="n:1">one</li>'))
        topic.append("#news", Markup('<li id="n:2">two</li>'))
        topic.append("#news", Markup('<li id="n:1">one again</li>'))
        topic.prepend("#news", Markup('<li id="n3">three</li>'))
        topic.before("#n3", Markup('<li id="n4">four</li>'))
        topic.replace("#n3", Markup('<li id="n3">three anew</li>'))
        topic.after("#n3", Markup('<li id="n5">five</li>'))
        topic.update("#n5", Markup("<b>5</b>"))
        topic.text("#n4", "<4>")
        topic.after("#n4", Markup('<li id="n6">six</li>'))
        topic.remove("#n6")
        topic.append("body", Markup('<table id="table"><tbody></tbody></table>'))
        topic.append("#table > tbody", Markup('<tr id="row"><td>cell</td></tr>'))
        topic.replace("#row", Markup('<tr id="row"><td>cell anew</td></tr>'))
        page.wait_for_function("document.querySelector('#row td')?.textContent == 'cell anew'", timeout=10_000)
        items = page.eval_on_selector_all("#news > li", "all => all.map(one => [one.id, one.innerHTML])")
        assert items == [
            ["n4", "&lt;4&gt;"], ["n3", "three anew"], ["n5", "<b>5</b>"], ["n:2", "two"], ["n:1", "one again"],
        ]  # fmt: skip
        assert page.locator("#stream").inner_html() == ""
        browser.close()
