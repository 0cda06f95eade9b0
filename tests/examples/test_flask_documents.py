"""The one document on Quart and on Flask: saved, merged, asked about, locked, over HTTP and without a script."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from boards import imported
from test_documents import head, hold, post, save, sent, value

from htmx_rt.testing import Browser

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["quart", "flask"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with imported(f"{request.param}_app", tmp_path_factory.mktemp("board")) as module:
        yield module


async def test_different_fields_go_together(ada: Browser, grace: Browser) -> None:
    mine, hers = await ada.get("/documents/1/merge"), await grace.get("/documents/1/merge")
    assert (await save(grace, hers, price="52.50", published=None)).status == 303
    answer = await save(ada, mine, title="The small service")
    assert (answer.status, answer.header("location")) == (303, "/documents/1/merge")
    page = await ada.get("/documents/1/merge")
    assert (value(page, "title"), value(page, "price")) == ("The small service", "52.50")
    assert "Grace Lindqvist" in page.select(".rt-toast")[0].get_text()


async def test_the_panel_is_a_page_or_a_fragment_and_is_saved(ada: Browser, grace: Browser) -> None:
    mine, hers = await ada.get("/documents/1/merge"), await grace.get("/documents/1/merge")
    await save(grace, hers, title="Hers")
    fragment = await post(ada, mine.path, sent(mine, title="Mine"), page=mine)
    assert (fragment.status, fragment.header("rt-problem"), fragment.header("rt-lock-version")) == (409, "stale", "2")
    assert not fragment.select("html")
    panel = await save(ada, mine, title="Mine")
    assert (panel.status, head(panel)) == (409, "Grace Lindqvist changed this while you were writing")
    assert (await post(ada, mine.path, sent(panel, **{"rt-take-title": "theirs"}))).status == 303
    assert value(await ada.get("/documents/1/merge"), "title") == "Hers"


async def test_who_does_not_hold_it_is_refused(ada: Browser, grace: Browser) -> None:
    mine, hers = await ada.get("/documents/1/lock"), await grace.get("/documents/1/lock")
    async with grace.stream(hers) as stream:
        fence = (await hold(grace, hers, stream))["fence"]
        refused = await save(ada, mine, title="Mine")
        assert (refused.status, refused.header("rt-problem")) == (423, "locked")
        assert head(refused) == "Grace Lindqvist is editing this now"
        assert (await post(grace, hers.path, [*sent(hers, price="1"), ("rt-fence", str(fence))])).status == 303


async def test_a_save_in_the_page_answers_with_the_form(ada: Browser) -> None:
    mine = await ada.get("/documents/1/lock")
    answer = await post(ada, mine.path, sent(mine, title="Live"), page=mine)
    assert (answer.status, answer.header("rt-lock-version")) == (200, "2")
    assert not answer.select("html")
    assert "Saved as version 2" in answer.text
    wrong = await post(ada, mine.path, sent(answer, title="", price="x"), page=mine)
    assert (wrong.status, wrong.header("rt-problem")) == (422, "validation")
    assert len(wrong.select(".reason")) == 2


@pytest.mark.parametrize(
    "path", ["/documents/99/merge", "/documents/1/owner", "/documents/1/sideways", "/documents/0/lock"]
)
async def test_what_is_not_there_is_not_there(ada: Browser, path: str) -> None:
    assert (await ada.get(path)).status == 404
