"""Every message exactly once and in order, however often the line is cut."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx
from markupsafe import Markup

from htmx_rt.testing import Event, Page, Parser

from .conftest import serve
from .cutter import Cutter
from .lab import Lab
from .people import Person, until

TOPICS = ("red", "green", "blue")
BODY = "".join(f'<ol id="{topic}" {{{{ rt.stream("{topic}") }}}}></ol>' for topic in TOPICS)
# Each operation as it reaches the page, before it is applied.
APPLIED = """() => {
  window.applied = [];
  document.addEventListener("rt:before-apply", ({ detail }) => applied.push([detail.topic, detail.o, Number(detail.html.match(/\\d+/)[0])]));
}"""


@contextmanager
def chatter(lab: Lab, *, rate: int, chance: random.Random) -> Iterator[Callable[[], dict[str, int]]]:
    """Publish `rate` messages a second, each to one of the topics; the function given ends it and returns the counts."""
    counts = dict.fromkeys(TOPICS, 0)
    stop = threading.Event()

    def speak() -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += 1 / rate
            topic = chance.choice(TOPICS)
            lab.topic(topic).append(f"#{topic}", Markup(f'<li id="{topic}-{counts[topic]}"></li>')).result(5)
            counts[topic] += 1

    def end() -> dict[str, int]:
        stop.set()
        thread.join(10)
        return counts

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield end
    finally:
        end()


class Reader:
    """A client of the stream as the protocol has it, in as few lines as can be."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=5, trust_env=False)
        answer = self.http.get("/")
        assert answer.status_code == 200
        page = Page(answer.status_code, [], answer.text, "/")
        self.grants = page.grants
        self.positions = dict.fromkeys(TOPICS, 0)
        self.cursor: str | None = None
        self.heard: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.ends = {"hello": 0, "replay": 0, "live": 0}  # where the line broke

    def listen(self, *, most: int, seconds: float) -> None:
        """Open a stream and read `most` bytes of it, or for `seconds`; what is cut off in the middle is lost."""
        kind = "fresh" if self.cursor is None else "grants"
        tab = {"id": "0" * 32, "gen": 1, "vis": True, kind: list(self.grants.values())}
        body = {"v": 1, "cursor": self.cursor, "tabs": [tab]}
        headers = {"Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"}
        parser, held, stage = Parser(), list[Event](), "hello"
        with self.http.stream("POST", "/_rt/stream", json=body, headers=headers) as response:
            assert response.status_code == 200
            until = time.monotonic() + seconds
            for chunk in response.iter_raw():
                held += parser.feed(chunk[:most])
                most -= len(chunk)
                if held and stage == "hello":
                    hello = held.pop(0)
                    assert hello.name == "rt:hello"
                    self.grants = hello.data["grants"]
                    stage = "replay"
                if parser.cursor is not None:  # the replay is whole
                    stage = "live"
                    for event in held:
                        self._take(event)
                    held.clear()
                    self.cursor = parser.cursor
                if most <= 0 or time.monotonic() > until:
                    break
        self.ends[stage] += 1

    def _take(self, event: Event) -> None:
        assert event.name == "rt:ops", event
        topic, offset = event.data["t"], event.data["o"]
        if offset <= self.positions[topic]:
            return
        self.positions[topic] = offset
        for _, _, html in event.data["ops"]:
            self.heard[topic].append(int(html.split("-")[1].split('"')[0]))


def test_a_raw_reader_cut_five_hundred_times() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    lab = Lab(htmx=4)
    lab.page("/", BODY)
    with serve(lab.app) as address:
        reader = Reader(address)
        with chatter(lab, rate=200, chance=random.Random(seed)) as end, closing(reader.http):
            long = set(chance.sample(range(500), 8))
            for number in range(500):
                most = chance.choice([chance.randrange(1, 4_000), 1_000_000, 1_000_000])
                reader.listen(most=most, seconds=chance.uniform(0, 0.04))
                gap = chance.uniform(0.2, 1.0) if number in long else min(1.0, chance.expovariate(200))
                threading.Event().wait(gap)  # the time the line is gone
            counts = end()
            while any(len(reader.heard[topic]) < counts[topic] for topic in TOPICS):
                reader.listen(most=1_000_000, seconds=0)
        print(f"{sum(counts.values())} messages; the line broke in {reader.ends}")
        assert reader.heard == {topic: list(range(counts[topic])) for topic in TOPICS}
        assert min(reader.ends.values()) > 0, "every stage was to be cut"
        assert sum(counts.values()) > 1_000


def test_two_browsers_cut_twenty_times(person: Callable[..., Person]) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    lab = Lab(htmx=4)
    lab.page("/", BODY)
    with serve(lab.app) as address, Cutter(address).running() as line:
        pages = [person(line.address).open(f"/?htmx={version}", clock=True) for version in (4, 2)]
        for page in pages:
            page.evaluate(APPLIED)
        with chatter(lab, rate=10, chance=random.Random(seed)) as end:
            for _ in range(20):
                line.cut(after=chance.choice([0, chance.randrange(1, 1_200)]))
                for page in pages:
                    page.wait_for_selector('html:not([data-rt="connected"])', state="attached")
                line.mend()
                for page in pages:
                    page.clock.fast_forward(20_000)  # the longest a page waits
                    until(page, "connected")
            counts = end()
        for page in pages:
            for topic in TOPICS:
                page.wait_for_selector(f"#{topic} > li:nth-child({counts[topic]})", state="attached")
            applied = page.evaluate("applied")
            for topic in TOPICS:
                wanted = list(range(counts[topic]))
                assert [number for name, _, number in applied if name == topic] == wanted
                ids = page.locator(f"#{topic} > li").evaluate_all("(rows) => rows.map((row) => row.id)")
                assert ids == [f"{topic}-{number}" for number in wanted]
        assert sum(counts.values()) > 20
