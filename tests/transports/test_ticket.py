"""Tickets: what they open, for whom, and for how long; and the stream as plain HTML."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from markupsafe import Markup

from htmx_rt.testing import Page
from htmx_rt.types import Limits

from .kit import Person, Refused, Served, served

SAME = {"Sec-Fetch-Site": "same-origin"}
NO = (403, "forbidden")


@pytest.fixture
def there() -> Iterator[Served]:
    with served("ticket") as there:
        yield there


def bought(person: Person, page: Page, **where: Any) -> str:
    return str(person.ticket(person.order(page, **where)).json()["ticket"])


def refused(person: Person, query: str, **headers: str) -> tuple[int, str | None]:
    with pytest.raises(Refused) as caught, person.get_stream(query, headers):
        pass
    return caught.value.status, caught.value.problem


class EventSource:
    """Reads as a browser's EventSource does (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        self.last_id = ""
        self.retry: int | None = None
        self._lines = response.iter_lines()

    def dispatched(self) -> tuple[str, str]:
        """Return type and data of the next event."""
        kind, data = "", []
        for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line and data:
                return kind or "message", "\n".join(data)
            if not line:
                kind = ""
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "id":
                self.last_id = value
            elif name == "retry":
                self.retry = int(value)
        raise EOFError


# Buying


def test_a_ticket_says_when_it_ends_and_is_not_kept_by_caches(there: Served) -> None:
    ada, page = there.person()
    answer = ada.ticket(ada.order(page))
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.json()["expires"] == there.site.clock.now + Limits().ticket_life
    assert len(answer.json()["ticket"]) < 1000


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_only_pages_of_this_site_get_one(there: Served, site: str) -> None:
    ada, page = there.person()
    answer = ada.http.post("/_rt/ticket", json=ada.order(page), headers={"Sec-Fetch-Site": site})
    assert (answer.status_code, answer.headers["RT-Problem"]) == NO


def test_no_cookie_no_ticket(there: Served) -> None:
    ada, page = there.person()
    order = ada.order(page)
    ada.http.cookies.clear()
    answer = ada.ticket(order)
    assert (answer.status_code, answer.headers["RT-Problem"]) == (401, "no-cookie")


@pytest.mark.parametrize("body", [{}, {"v": 2}, {"v": 1, "tabs": []}, {"v": 1, "tabs": [{"fresh": ["x"] * 65}]}])
def test_an_order_is_looked_at_as_for_a_stream(there: Served, body: object) -> None:
    ada, _ = there.person()
    assert ada.ticket(body).status_code == 400


def test_grants_of_somebody_else_make_none(there: Served) -> None:
    _, hers = there.person()
    bob, _ = there.person("bob")
    answer = bob.ticket(bob.order(hers))
    assert (answer.status_code, answer.headers["RT-Problem"]) == NO


def test_sixty_four_topics_fit_and_what_does_not_is_refused_with_the_cure(there: Served) -> None:
    ada, page = there.person(path="/?" + "&".join(f"t=board:{number}" for number in range(63)))
    answer = ada.ticket(ada.order(page))
    assert answer.status_code == 200
    with ada.get_stream(f"ticket={answer.json()['ticket']}") as response:
        assert b"board:62" in next(response.iter_bytes())
    long = "&".join(f"t={secrets.token_hex(60)}" for _ in range(60))
    answer = ada.ticket(ada.order(ada.get("/?" + long)))
    assert (answer.status_code, answer.headers["RT-Problem"]) == (413, "too-large")
    assert "Split" in answer.json()["detail"]


# Using


def test_it_opens_as_often_as_it_is_shown_and_goes_on_by_last_event_id(there: Served) -> None:
    ada, page = there.person()
    word = bought(ada, page)
    there.say("one")
    with ada.get_stream(f"ticket={word}") as response:
        source = EventSource(response)
        assert source.dispatched()[0] == "rt:hello"
        assert source.retry == 2000
        assert json.loads(source.dispatched()[1])["ops"][0][2] == "one"
        there.say("two")
        assert json.loads(source.dispatched()[1])["ops"][0][2] == "two"
        first = source.last_id
        assert first
    there.say("three")
    last = str(there.site.bus.log.position)
    there.say("four")
    for query, headers, expected in (
        (f"ticket={word}", {"Last-Event-ID": first}, "three"),
        (f"ticket={word}&cursor={first}", {}, "three"),
        (f"ticket={word}&cursor={first}", {"Last-Event-ID": last}, "four"),
        (f"ticket={word}&cursor={first}", {"Last-Event-ID": ""}, "three"),
        (f"ticket={word}", {}, "one"),
    ):
        with ada.get_stream(query, headers) as response:
            source = EventSource(response)
            source.dispatched()
            assert json.loads(source.dispatched()[1])["ops"][0][2] == expected


def test_forged_replayed_foreign_and_expired_ones_have_one_answer(there: Served) -> None:
    ada, page = there.person()
    word = bought(ada, page)
    answers: set[str] = set()

    def no(person: Person, query: str) -> None:
        with person.http.stream("GET", f"/_rt/stream?{query}") as response:
            assert (response.status_code, response.headers["RT-Problem"]) == NO
            answers.add(response.read().decode())

    for place in itertools.chain(range(0, len(word), 11), [len(word) - 2]):
        no(ada, f"ticket={word[:place] + ('A' if word[place] != 'A' else 'Q') + word[place + 1 :]}")
    for foreign in ("x", "A" * 5000, page.grants["board:1"], "%00", "é"):
        no(ada, f"ticket={foreign}")
    twin, _ = there.person()  # the same person, in another browser
    no(twin, f"ticket={word}")
    bob, _ = there.person("bob")
    no(bob, f"ticket={word}")
    nobody = Person(there.address, "ticket")
    no(nobody, f"ticket={word}")
    nobody.http.close()
    with served("ticket") as other:
        hers, theirs = other.person()
        no(ada, f"ticket={bought(hers, theirs)}")
    there.site.clock.advance(Limits().ticket_life - 1)
    with ada.get_stream(f"ticket={word}"):
        pass
    there.site.clock.advance(1)
    no(ada, f"ticket={word}")
    assert len(answers) == 1


def test_who_has_signed_out_cannot_use_it_any_more(there: Served) -> None:
    ada, page = there.person()
    word, before = bought(ada, page), dict(ada.http.cookies)
    there.site.clock.advance(1)
    ada.get("/out")
    assert refused(ada, f"ticket={word}") == NO
    ada.http.cookies.clear()
    ada.http.cookies.update({name: value for name, value in before.items() if name != "who"})  # as kept by a thief
    assert refused(ada, f"ticket={word}")[0] in (401, 403)


def test_what_was_revoked_since_is_not_read(there: Served) -> None:
    ada, page = there.person()
    word = bought(ada, page)
    there.site.clock.advance(1)
    there.rt.revoke("board:1")
    with ada.get_stream(f"ticket={word}") as response:
        assert json.loads(EventSource(response).dispatched()[1])["refused"] == ["board:1"]


def test_policies_are_asked_when_it_is_used(there: Served) -> None:
    allowed = True
    there.rt.authorize("board:{id}")(lambda user, id: allowed)
    ada, page = there.person()
    word = bought(ada, page)
    allowed = False
    with ada.get_stream(f"ticket={word}") as response:
        assert json.loads(EventSource(response).dispatched()[1])["refused"] == ["board:1"]


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_other_sites_cannot_open_a_stream_with_it(there: Served, site: str, status: int) -> None:
    ada, page = there.person()
    word = bought(ada, page)
    with ada.http.stream("GET", f"/_rt/stream?ticket={word}", headers={"Sec-Fetch-Site": site}) as response:
        assert response.status_code == status


def test_without_one_or_in_an_unknown_format_it_is_a_bad_request(there: Served) -> None:
    ada, page = there.person()
    assert refused(ada, "") == (400, "bad-request")
    assert refused(ada, f"ticket={bought(ada, page)}&format=xml") == (400, "bad-request")
    assert ada.http.head("/_rt/stream?ticket=x").status_code == 405


# Plain HTML


def test_plain_html_says_where_it_goes(there: Served) -> None:
    ada, page = there.person()
    topic = there.rt.topic("board:1")
    with ada.get_stream(f"ticket={bought(ada, page)}&format=html") as response:
        source = EventSource(response)
        topic.append("#rows", Markup('<li id="t:1">\n  one</li>'))
        topic.append("#table > tbody", Markup('<tr id="r"><td>1</td></tr>'))
        topic.replace("#r", Markup('<tr id="r"><td>2</td></tr>'))
        topic.update('p[title="a"]', Markup("<b>x</b>"))
        topic.text("#x", "<i>")
        topic.toast("not for you")
        topic.signal("typing", 1)
        topic.remove("#gone")
        found = [source.dispatched() for _ in range(8)]
        last = str(there.site.bus.log.position)
        assert source.last_id == last
    assert {kind for kind, _ in found} == {"message"}
    assert [data for _, data in found] == [
        '<div hx-swap-oob="delete:[id=&#34;t\\3a 1&#34;]"></div>',
        '<div hx-swap-oob="beforeend:#rows"><li id="t:1">\n  one</li></div>',
        '<div hx-swap-oob="delete:[id=&#34;r&#34;]"></div>',
        '<tbody hx-swap-oob="beforeend:#table &gt; tbody"><tr id="r"><td>1</td></tr></tbody>',
        '<tr hx-swap-oob="outerHTML:#r" id="r"><td>2</td></tr>',
        '<div hx-swap-oob="innerHTML:p[title=&#34;a&#34;]"><b>x</b></div>',
        '<div hx-swap-oob="innerHTML:#x">&lt;i&gt;</div>',
        '<div hx-swap-oob="delete:#gone"></div>',
    ]


def test_plain_html_resumes_by_its_ids_even_past_what_it_left_out(there: Served) -> None:
    ada, page = there.person()
    word = bought(ada, page)
    topic = there.rt.topic("board:1")
    with ada.get_stream(f"ticket={word}&format=html") as response:
        source = EventSource(response)
        topic.text("#x", "one").result(10)
        assert "one" in source.dispatched()[1]
        topic.toast("left out").result(10)
        topic.text("#x", "two").result(10)
        assert "two" in source.dispatched()[1]
        last = source.last_id
    topic.text("#x", "three").result(10)
    with ada.get_stream(f"ticket={word}&format=html", {"Last-Event-ID": last}) as response:
        assert "three" in EventSource(response).dispatched()[1]


def test_stale_topics_and_the_end_keep_their_names_in_plain_html(there: Served) -> None:
    ada, page = there.person()
    with ada.get_stream(f"ticket={bought(ada, page)}&format=html&cursor=nonsense") as response:
        source = EventSource(response)
        kind, data = source.dispatched()
        assert (kind, json.loads(data)["why"]) == ("rt:resync", "epoch")
        assert source.retry == 2000
        there.rt.begin_drain()
        assert source.dispatched()[0] == "rt:bye"
        with pytest.raises(EOFError):
            source.dispatched()
