from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from htmx_rt import Realtime
from htmx_rt.buses import MemoryBus
from htmx_rt.exceptions import BadOperation, BadTopic, BusUnavailable, TooLarge
from htmx_rt.frames import Draft
from htmx_rt.operations import operation
from htmx_rt.publishing import Published
from htmx_rt.types import Limits

from .kit import SECRET, Site, texts

pytestmark = pytest.mark.anyio
ROW = Markup('<li id="a">x</li>')


@pytest.fixture
def rt() -> Realtime:
    return Realtime(secret=SECRET)


def said(rt: Realtime) -> list[dict[str, Any]]:
    entries = rt.bus.log.after(rt.bus.log.position._replace(offset=0)) or []
    return [json.loads(entry.frame.split(b"data: ")[1]) for entry in entries]


# Operations


@pytest.mark.parametrize("verb", ["append", "prepend", "before", "after", "replace", "update", "reset"])
def test_verbs_with_html(rt: Realtime, verb: str) -> None:
    getattr(rt.topic("a"), verb)("#x", ROW)
    assert said(rt)[0]["ops"] == [[verb, "#x", str(ROW)]]


def test_verbs_without_html(rt: Realtime) -> None:
    rt.topic("a").remove("#x")
    rt.topic("a").text("#x", "<b>")
    assert [message["ops"] for message in said(rt)] == [[["remove", "#x"]], [["text", "#x", "<b>"]]]


@given(st.text(st.characters(codec="utf-8")))
def test_a_plain_string_is_text_and_never_markup(text: str) -> None:
    html = operation("update", "#x", text)[2]
    assert "<" not in html
    assert '"' not in html
    assert Markup(html).unescape() == text


def test_what_renders_itself_as_html_is_taken_at_its_word() -> None:
    class Widget:
        def __html__(self) -> str:
            return "<b>x</b>"

    assert operation("update", "#x", Widget())[2] == "<b>x</b>"


@pytest.mark.parametrize("verb", ["append", "prepend", "before", "after"])
@pytest.mark.parametrize("html", ["text", Markup("<li>x</li>"), Markup(""), None])
def test_an_item_without_an_id_raises_and_sends_nothing(rt: Realtime, verb: str, html: Any) -> None:
    with pytest.raises(BadOperation):
        getattr(rt.topic("a"), verb)("#x", html)
    assert said(rt) == []


@pytest.mark.parametrize("target", ["", "  ", None, 7, "x" * 513, "#a\0", b"#a"], ids=repr)
def test_a_target_is_a_selector(rt: Realtime, target: Any) -> None:
    for call in (lambda: rt.topic("a").remove(target), lambda: rt.topic("a").refresh(target)):
        with pytest.raises(BadOperation, match="CSS selector"):
            call()
    assert said(rt) == []


@pytest.mark.parametrize(
    "name", ["", "a b", "a\r", "a\nevent: rt:stop", "a\0", "\ra", "rt:stop", "-a", "x" * 65, "ä", None, 7], ids=repr
)
def test_names_of_events_signals_and_states_are_plain(rt: Realtime, name: Any) -> None:
    topic = rt.topic("a")
    for call in (
        lambda: topic.event(name),
        lambda: topic.signal(name),
        lambda: topic.state(name, "text", "#x", "1"),
        lambda: topic.toast("x", key=name) if name is not None else topic.event(name),
    ):
        with pytest.raises(BadOperation, match="Use 1 to 64"):
            call()
    assert said(rt) == []


@pytest.mark.parametrize("bad", ["\ud800", {"a": "\udfff"}, float("nan"), ...], ids=repr)
def test_what_cannot_be_sent_raises_at_the_call(rt: Realtime, bad: Any) -> None:
    topic = rt.topic("a")
    for call in (lambda: topic.event("x", bad), lambda: topic.signal("x", bad)):
        with pytest.raises(BadOperation):
            call()
    assert said(rt) == []


def test_a_lone_surrogate_in_html_raises_with_the_place(rt: Realtime) -> None:
    for call in (rt.topic("a").text, rt.topic("a").update):
        with pytest.raises(BadOperation, match="lone surrogate"):
            call("#x", "name: \ud800")


@pytest.mark.parametrize("verb", ["append", "remove", "before", "destroy"])
def test_a_state_is_a_whole_value(rt: Realtime, verb: Any) -> None:
    with pytest.raises(BadOperation, match="replace, update, text and reset"):
        rt.topic("a").state("x", verb, "#x", ROW)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a b",
        "/a\nb",
        "/\t/evil",
        "/a\\b",
        None,
        7,
    ],
    ids=repr,
)
def test_a_redirect_stays_on_this_site(rt: Realtime, path: Any) -> None:
    with pytest.raises(BadOperation, match="path on this site"):
        rt.topic("a").redirect(path)


@pytest.mark.parametrize("path", ["/", "/boards/7?a=b&c=//d#e", "/ä"])
def test_paths_of_this_site(rt: Realtime, path: str) -> None:
    rt.topic("a").redirect(path)
    assert said(rt)[0]["args"] == {"to": path}


def test_toasts(rt: Realtime) -> None:
    rt.topic("a").toast("x" * 600, level="error", timeout=5)
    rt.user("ada").toast("for you")
    first, second = (message["args"] for message in said(rt))
    assert first == {"text": "x" * 499 + "…", "level": "error", "timeout": 5, "others": True}
    assert second["others"] is False
    with pytest.raises(BadOperation, match="level"):
        rt.topic("a").toast("x", level="loud")  # type: ignore[arg-type]


def test_bad_topics_raise_at_once(rt: Realtime) -> None:
    for name in ("", "a b", "a\r\n", "x" * 129):
        with pytest.raises(BadTopic):
            rt.topic(name)
    for user in ("", None, 7):
        with pytest.raises(BadTopic):
            rt.user(user)  # type: ignore[arg-type]


# Limits


def test_every_message_has_a_bound_and_the_error_names_the_cure() -> None:
    rt = Realtime(secret=SECRET, limits={"publish": 300, "batch": 900, "state": 200, "signal": 50})
    topic = rt.topic("a")
    with pytest.raises(TooLarge, match=r"300 are the most.*refresh"):
        topic.update("#x", "x" * 400)

    def many(count: int) -> None:
        with topic.batch() as batch:
            for _ in range(count):
                batch.update("#x", "x" * 200)

    with pytest.raises(TooLarge, match="900 are the most"):
        many(5)
    with pytest.raises(TooLarge, match="200 are the most"):
        topic.state("s", "text", "#x", "x" * 250)
    with pytest.raises(TooLarge, match="50 are the most"):
        topic.signal("s", "x" * 400)
    assert said(rt) == []
    many(3)
    assert len(said(rt)) == 1


# Batches


def test_a_batch_that_fails_or_holds_nothing_sends_nothing(rt: Realtime) -> None:
    def fail() -> None:
        with rt.topic("a").batch() as batch:
            batch.remove("#x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with rt.topic("a").batch() as batch:
        pass
    assert batch.published is None
    assert said(rt) == []


def test_what_is_said_to_a_batch_after_its_end_is_not_lost_in_silence(rt: Realtime) -> None:
    with rt.topic("a").batch() as batch:
        batch.remove("#x")
    with pytest.raises(BadOperation, match="when its block ends"):
        batch.remove("#y")
    assert len(said(rt)) == 1


def test_after_belongs_to_the_batch(rt: Realtime) -> None:
    with pytest.raises(BadOperation, match="belongs to the batch"), rt.topic("a").batch() as batch:
        batch.remove("#x", after=object())


# Receipts


async def test_a_receipt_can_be_awaited_waited_for_or_dropped(rt: Realtime) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await rt.topic("a").remove("#x") == 1
        assert rt.topic("a").remove("#x").result(1) == 2
        rt.topic("a").remove("#x")
        gc.collect()
    published = rt.topic("a").remove("#x")
    assert published.done
    assert [await published, await published, published.result()] == [4, 4, 4]


async def test_from_threads_and_other_loops() -> None:
    site = Site()
    ada = site.browser("ada")
    page = await ada.get("/")
    results: list[int] = []

    async def elsewhere() -> None:
        results.append(await site.rt.topic("board:1").text("#x", "loop"))

    async with ada.stream(page) as stream:
        await stream.checkpoint()
        thread = threading.Thread(
            target=lambda: results.append(site.rt.topic("board:1").text("#x", "thread").result(5))
        )
        thread.start()
        assert await texts(stream, 1) == ["thread"]
        thread.join()
        await asyncio.to_thread(asyncio.run, elsewhere())
        assert await texts(stream, 1) == ["loop"]
    assert results == [1, 2]


class Broken(MemoryBus):
    """A bus that takes messages late, or never."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.waiting: list[Future[int]] = []

    def publish(self, draft: Draft) -> Future[int]:
        self.waiting.append(Future())
        return self.waiting[-1]


async def test_a_bus_that_refuses_fails_only_who_waits() -> None:
    bus = Broken()
    rt = Realtime(secret=SECRET, bus=bus)
    rt.topic("a").remove("#x")
    published = rt.topic("a").remove("#x")
    assert not published.done
    for waiting in bus.waiting:
        threading.Thread(target=waiting.set_exception, args=(BusUnavailable("away"),)).start()
    with pytest.raises(BusUnavailable):
        await published
    with pytest.raises(BusUnavailable):
        published.result(1)


async def test_giving_up_waiting_takes_nothing_back() -> None:
    bus = Broken()
    published = Realtime(secret=SECRET, bus=bus).topic("a").remove("#x")

    async def wait() -> int:
        return await published

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(), 0.01)
    bus.waiting[0].set_result(7)
    assert await published == 7
    with pytest.raises(TimeoutError):
        Published(Future()).result(0.01)
