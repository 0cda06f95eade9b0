"""One contract, whatever the transport: order, resume, states, rights, limits and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from .kit import LEGACY, TRANSPORTS, Refused, Served, served

EVERY = pytest.mark.parametrize("transport", TRANSPORTS)
pytestmark = [EVERY, *LEGACY]


@pytest.fixture
def there(transport: str) -> Iterator[Served]:
    with served(transport) as there:
        yield there


def test_a_stream_says_hello_replays_and_goes_live_in_order(there: Served) -> None:
    ada, page = there.person()
    there.say("missed")
    with ada.open(page) as stream:
        assert set(stream.hello["grants"]) == {"board:1", "user:ada"}
        replayed = stream.event("rt:ops")
        assert (replayed.id, replayed.data["ops"]) == (None, [["text", "#x", "missed"]])
        assert stream.checkpoint() == stream.hello["cursor"]
        for number in range(50):
            there.rt.topic("board:1").text("#x", str(number))
        assert stream.texts(50) == [str(number) for number in range(50)]
        assert stream.cursor == str(there.site.bus.log.position)


def test_a_resume_brings_exactly_what_was_missed(there: Served) -> None:
    ada, page = there.person()
    with ada.open(page) as stream:
        stream.checkpoint()
        there.say("one")
        assert stream.texts(1) == ["one"]
        cursor, grants = stream.cursor, stream.hello["grants"]
    there.say("two")
    there.say("three")
    with ada.open(page, cursor=cursor, grants=grants) as stream:
        assert stream.texts(2) == ["two", "three"]


def test_what_no_longer_fits_is_resynced(transport: str) -> None:
    with served(transport, limits={"replay": 3}) as there:
        ada, page = there.person(path="/?t=a&t=b")
        for number in range(5):
            there.say(str(number), "a")
        there.say("fits", "b")
        with ada.open(page) as stream:
            event = stream.event()
            assert (event.name, event.data["topics"], event.data["why"]) == ("rt:resync", ["a"], "limit")
            assert stream.texts(1) == ["fits"]


def test_a_strange_cursor_is_a_resync(there: Served) -> None:
    ada, page = there.person()
    with ada.open(page, cursor="nonsense") as stream:
        assert stream.event().data["why"] == "epoch"


def test_states_come_first_and_on_resume_only_newer_ones(there: Served) -> None:
    there.rt.topic("board:1").state("total", "text", "#total", "1").result(10)
    ada, page = there.person()
    with ada.open(page) as stream:
        event = stream.event("rt:ops")
        assert (event.data["s"], event.data["ops"][0][2]) == ("total", "1")
        cursor, grants = stream.checkpoint(), stream.hello["grants"]
    there.say("later")
    with ada.open(page, cursor=cursor, grants=grants) as stream:
        assert stream.texts(1) == ["later"]


def test_a_revoked_topic_leaves_the_stream(there: Served) -> None:
    ada, page = there.person()
    with ada.open(page) as stream:
        stream.checkpoint()
        there.site.clock.advance(1)
        there.rt.revoke("board:1")
        assert stream.event("rt:revoked").data == {"topics": ["board:1"]}
        there.say("secret")
        there.say("still here", "user:ada")
        assert stream.texts(1) == ["still here"]


def test_signing_out_stops_the_stream(there: Served) -> None:
    ada, page = there.person()
    with ada.open(page) as stream:
        stream.checkpoint()
        there.site.clock.advance(1)
        ada.get("/out")
        events = stream.ended()
        assert [event.data for event in events if event.name == "rt:stop"] == [{"why": "signed-out"}]
        if hasattr(stream, "wire"):
            assert (stream.wire.code, stream.wire.reason) == (4501, "signed-out")


def test_draining_sends_the_stream_away(there: Served) -> None:
    ada, page = there.person()
    with ada.open(page) as stream:
        stream.checkpoint()
        there.rt.begin_drain()
        [bye] = [event for event in stream.ended() if event.name == "rt:bye"]
        assert bye.data["in"] >= 4000
        if hasattr(stream, "wire"):
            assert (stream.wire.code, stream.wire.reason) == (1012, "bye")


def test_the_oldest_of_too_many_gives_way(transport: str) -> None:
    with served(transport, limits={"streams_per_user": 1}) as there:
        ada, page = there.person()
        bob, again = there.person()
        with ada.open(page) as first, bob.open(again) as second:
            assert [event.data for event in first.ended() if event.name == "rt:stop"] == [{"why": "too-many"}]
            there.say("second")
            assert second.texts(1) == ["second"]
            if hasattr(first, "wire"):
                assert first.wire.code == 4505


def test_somebody_elses_grants_are_refused(there: Served) -> None:
    _, hers = there.person()
    bob, _ = there.person("bob")
    assert refused(bob, hers) in ((403, "user-changed"), (403, "forbidden"))  # a ticket says no more than that


def test_a_policy_is_asked_at_opening(there: Served) -> None:
    asked: list[Any] = []
    there.rt.authorize("board:{id}")(lambda user, id: asked.append((user.id, id)))
    ada, page = there.person()
    with ada.open(page) as stream:
        assert stream.hello["refused"] == ["board:1"]
    assert asked == [("ada", "1")]


def test_who_asks_is_asked_again_and_a_change_ends_the_stream(transport: str) -> None:
    with served(transport, limits={"identity_age": 0.3, "heartbeat": 0.2}) as there:
        ada, page = there.person()
        there.rt.identity.identify = lambda request: "bob"
        with ada.open(page) as stream:
            assert [event.data for event in stream.ended() if event.name == "rt:bye"] == [{"in": 0}]


def test_a_quiet_stream_beats(transport: str) -> None:
    with served(transport, limits={"heartbeat": 0.05}) as there:
        ada, page = there.person()
        with ada.open(page) as stream:
            before = stream.checkpoint()
            there.say("elsewhere", "elsewhere")
            while stream.cursor == before:
                stream._next() if hasattr(stream, "wire") else stream._more()


def test_people_are_shown_while_they_read_and_no_longer(transport: str) -> None:
    with served(transport, templates={"page.html": PAGE}) as there:
        gone = threading.Event()
        there.rt.presence.on_leave(lambda news: gone.set())
        ada, page = there.person()
        with ada.open(page) as stream:
            stream.checkpoint()
            assert [person.user for person in there.rt.presence.list("doc:1")] == ["ada"]
            there.site.clock.advance(1)
            ada.get("/out")
            assert gone.wait(10)
        assert there.rt.presence.list("doc:1") == []


def test_a_picture_of_who_is_there_comes_as_it_is(transport: str) -> None:
    with served(transport, templates={"page.html": PAGE}) as there:
        ada, page = there.person()
        with ada.open(page) as stream:
            stream.checkpoint()
            tab = {"id": page.tab, "gen": 1, "vis": True, "here": True, "views": {"here:doc:1": ["count"]}}
            ada.http.post("/_rt/beat", json={"tabs": [tab]}, headers={"Sec-Fetch-Site": "same-origin"})
            view = stream.event("rt:view")
            assert (view.id, view.data["t"], view.data["s"], view.data["n"]) == (None, "here:doc:1", "count", 1)


def test_signals_are_heard(there: Served) -> None:
    ada, page = there.person()
    with ada.open(page) as stream:
        stream.checkpoint()
        there.rt.topic("board:1").signal("wave", {"hand": "left"})
        event = stream.event("rt:signal")
        assert (event.id, event.data["name"], event.data["data"]) == (None, "wave", {"hand": "left"})


PAGE = """<!doctype html><html><head>{{ rt.head() }}</head><body>{{ rt.presence("doc:1") }}</body></html>"""


def refused(person: Any, page: Any) -> tuple[int, str | None]:
    """Return how a stream was refused, whatever the transport."""
    if person.transport in ("sse", "ticket"):
        with pytest.raises(Refused) as caught, person.open(page):
            pass
        return caught.value.status, caught.value.problem
    wire = person.wire()
    wire.send(person.order(page))
    [answer] = wire.closed()
    wire.close()
    assert answer["event"] == "rt:answer"
    return answer["data"]["status"], answer["data"]["title"]
