"""Who is here while workers, browsers and Redis are killed, frozen and replaced: what the others see, and when."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from servers import HERE, Server

from tests.redis_kit import RedisServer, SpawnRedis, free_port

Spawn = Callable[..., Server]


class Place:
    """One worker, and what it has seen."""

    def __init__(self, spawn: Spawn, bus: str) -> None:
        self.port = free_port()
        env = {"RT_BUS": bus}
        options = ("--port", str(self.port), "--log-level", "info", "--timeout-graceful-shutdown", "5")
        self.server = spawn("presence_app:app", *options, env=env)
        self.server.address()
        self.address = f"http://127.0.0.1:{self.port}"
        self.seen: list[dict[str, Any]] = []

    def news(self, fits: Callable[[dict[str, Any]], bool], *, within: float) -> dict[str, Any]:
        """Return the first that fits of what this worker has seen or will see."""
        deadline, place = time.monotonic() + within, 0
        while True:
            for one in self.seen[place:]:
                if fits(one):
                    return one
            place = len(self.seen)
            assert time.monotonic() < deadline, f"not within {within} s; seen: {self.seen}"
            answer = httpx.get(f"{self.address}/news?after={place}", timeout=30, trust_env=False)
            self.seen += answer.json()

    def left(self, name: str, *, within: float) -> dict[str, Any]:
        return self.news(lambda one: (one["what"], one["name"]) == ("leave", name), within=within)

    def grey(self, name: str, *, within: float) -> dict[str, Any]:
        return self.news(lambda one: (one["state"], one["name"]) == ("reconnecting", name), within=within)

    def joined(self, *names: str, within: float = 10.0) -> None:
        for name in names:
            self.news(lambda one, name=name: (one["what"], one["name"]) == ("join", name), within=within)

    @property
    def people(self) -> dict[str, str]:
        return dict(httpx.get(f"{self.address}/people", timeout=10, trust_env=False).json())

    def told(self, name: str) -> list[str]:
        with contextlib.suppress(httpx.HTTPError):
            self.seen += httpx.get(f"{self.address}/news?after={len(self.seen)}", timeout=0.5, trust_env=False).json()
        return [f"{one['what']} {one['state']}" for one in self.seen if one["name"] == name]

    def kill(self) -> float:
        self.server.process.kill()
        self.server.process.wait(10)
        return time.time()


class Person:
    """A page that is a process of its own."""

    def __init__(self, name: str, *places: Place, words: Place | None = None) -> None:
        self.name = name
        words_to = {"WORDS": words.address} if words is not None else {}
        addresses = [place.address for place in places]
        self.process = subprocess.Popen(
            [sys.executable, HERE / "presence_client.py", name, *addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"} | words_to,
        )  # fmt: skip
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def line(self, pattern: str, *, within: float = 15.0) -> float:
        """Wait for a line; return when it was written."""
        with self._news:
            found: list[str] = []

            def written() -> bool:
                found[:] = [line for line in self.lines if re.search(pattern, line)]
                return bool(found)

            assert self._news.wait_for(written, within), f"{self.name}: {self.lines}"
            return float(found[-1].split()[0])

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def kill(self) -> float:
        self.process.kill()
        self.process.wait(10)
        return time.time()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


Enter = Callable[..., Person]


@pytest.fixture
def enter() -> Iterator[Enter]:
    people: list[Person] = []

    def enter(name: str, *places: Place, words: Place | None = None) -> Person:
        people.append(Person(name, *places, words=words))
        people[-1].line(" open ")
        return people[-1]

    yield enter
    for person in people:
        person.close()


@pytest.fixture
def places(spawn: Spawn, spawn_redis: SpawnRedis) -> tuple[RedisServer, Place, Place]:
    redis = spawn_redis()
    return redis, Place(spawn, redis.url), Place(spawn, redis.url)


Places = tuple[RedisServer, Place, Place]


def test_a_worker_killed_with_its_pages(places: Places, enter: Enter) -> None:
    _, first, second = places
    ada, bob = enter("ada", first), enter("bob", second)
    second.joined("ada", "bob")
    ada.kill()
    at = first.kill()
    left = second.left("ada", within=25)
    print(f"\nworker and page killed: gone on the other worker after {left['at'] - at:.1f} s (20)")
    assert left["at"] - at <= 20
    assert left["why"] == "lost"
    assert second.people == {"bob": "active"}
    assert bob.process.poll() is None


def test_pages_of_a_killed_worker_come_to_another_and_nobody_sees_them_leave(places: Places, enter: Enter) -> None:
    _, first, second = places
    ada = enter("ada", first, second)
    second.joined("ada")
    at = first.kill()
    again = ada.line(f" open {second.address}")
    print(f"\nworker killed: its page was on the other after {again - at:.1f} s (3)")
    assert again - at <= 3
    with pytest.raises(AssertionError, match="not within"):
        second.left("ada", within=18)  # until after the dead worker was noticed
    assert second.people == {"ada": "active"}
    assert second.told("ada").count("join active") == 1


def test_a_frozen_page_and_a_killed_one_are_grey_and_then_gone(places: Places, enter: Enter) -> None:
    _, first, second = places
    ada, bob = enter("ada", first), enter("bob", first)
    second.joined("ada", "bob")
    ada.process.send_signal(signal.SIGSTOP)  # its line stays open
    frozen, killed = time.time(), bob.kill()
    grey = second.grey("bob", within=10)["at"] - killed
    print(f"\npage killed: grey after {grey:.1f} s (4)")
    assert grey <= 4
    grey, left = second.grey("ada", within=20)["at"] - frozen, second.left("ada", within=20)
    gone = left["at"] - frozen
    print(f"page frozen: grey after {grey:.1f} s (15), gone after {gone:.1f} s (30)")
    assert grey <= 15
    assert gone <= 30
    gone = second.left("bob", within=20)["at"] - killed
    print(f"page killed: gone after {gone:.1f} s (30)")
    assert gone <= 30
    ada.process.send_signal(signal.SIGCONT)
    woken = time.time()
    back = second.news(lambda one: one["what"] == "join" and one["at"] > left["at"], within=20)
    print(f"page woken: back after {back['at'] - woken:.1f} s")
    assert "ada" in second.people


def test_a_farewell_is_seen_within_four_seconds(places: Places, enter: Enter) -> None:
    _, first, second = places
    ada = enter("ada", first)
    second.joined("ada")
    ada.say("bye")
    at = ada.line(" bye")
    left = second.left("ada", within=10)
    print(f"\nfarewell: gone on the other worker after {left['at'] - at:.1f} s (4)")
    assert left["at"] - at <= 4
    assert left["why"] == "closed"
    assert second.told("ada") == ["join active", "leave active"]


def test_the_words_of_a_page_may_come_to_any_worker(places: Places, enter: Enter) -> None:
    _, first, second = places
    ada = enter("ada", first, words=second)
    second.joined("ada")
    ada.line(" view 1")  # what it shows was told to one worker, and is drawn by the other
    enter("bob", second)
    ada.line(" view 2")
    with pytest.raises(AssertionError, match="not within"):
        second.grey("ada", within=17)
    ada.say("bye")
    at = ada.line(" bye")
    left = first.left("ada", within=10)
    assert left["at"] - at <= 4
    assert left["why"] == "closed"


def test_a_deploy_is_not_seen_at_all(places: Places, enter: Enter) -> None:
    _, first, second = places
    people = [enter(f"p{number}", first, second) for number in range(3)]
    second.joined("p0", "p1", "p2")
    at = time.time()
    first.server.signal(signal.SIGTERM)
    for person in people:
        person.line(" moving ")
    first.server.exit(within=10)
    moved = [person.line(f" open {second.address}") - at for person in people]
    print(f"\ndeploy: moved after {', '.join(f'{seconds:.1f}' for seconds in moved)} s")
    assert second.people == {"p0": "active", "p1": "active", "p2": "active"}
    with pytest.raises(AssertionError, match="not within"):
        second.news(lambda one: one["what"] == "leave" or one["state"] == "reconnecting", within=12)
    assert [second.told(f"p{number}") for number in range(3)] == [["join active"]] * 3


def test_redis_away_for_long_costs_nobody_and_soon_after_all_is_right(places: Places, enter: Enter) -> None:
    redis, first, second = places
    enter("ada", first)
    bob = enter("bob", second)
    first.joined("ada", "bob")
    second.joined("ada", "bob")
    redis.kill()
    enter("cleo", first)  # the other worker cannot know
    bob.say("bye")
    with pytest.raises(AssertionError, match="not within"):
        first.news(lambda one: one["what"] == "leave", within=18)
    assert first.people.keys() == {"ada", "bob", "cleo"}
    second.left("bob", within=1)
    assert second.people.keys() == {"ada"}
    redis.start()
    at = time.time()
    left = first.left("bob", within=15)
    second.joined("cleo", within=15)
    joined = next(one for one in second.seen if one["name"] == "cleo")
    took = max(left["at"], joined["at"]) - at
    print(f"\nRedis away: right again {took:.1f} s after it is back (10)")
    assert took <= 10
    assert first.people == second.people == {"ada": "active", "cleo": "active"}
