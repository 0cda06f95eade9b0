"""What every store owes the policies built on it; each implementation runs through all of it."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from htmx_rt.exceptions import ConfigurationError, StoreConflict, StoreUnavailable, TooLarge
from htmx_rt.redis_client import connector
from htmx_rt.stores import Item, MemoryStore, Store, connect
from htmx_rt.stores.base import MAX_KEY, MAX_LIFE, MAX_SCAN, MAX_VALUE, after_prefix
from htmx_rt.stores.redis import RedisStore
from htmx_rt.stores.sqlite import SqliteStore

from ..kit import Clock
from ..redis_kit import AOF, RedisServer, SpawnRedis

pytestmark = pytest.mark.anyio
Open = Callable[[], Store]  # another worker's store over the same data

HOSTILE = [
    "a",
    "ä",
    "a b",
    "a\nb",
    "a:b",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "*",
    "[a-z]",
    "{x}",
    "\x7f",
    "\U0010ffff",
    "𐍈",
    "\ue000",
    "ﬀ",
]


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture(params=["memory", "sqlite", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(kind: str, clock: Clock, tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    if kind == "memory":
        only = MemoryStore(clock=clock)
        return lambda: only
    if kind == "sqlite":
        return lambda: SqliteStore(str(tmp_path / "rt.db"), clock=clock)
    server: RedisServer = request.getfixturevalue("redis_server")
    name = f"t{random.randrange(10**12)}"
    return lambda: RedisStore(connector(server.url), name=name, clock=clock)


@pytest.fixture
async def store(opened: Open) -> AsyncIterator[Store]:
    store = opened()
    await store.start()
    yield store
    await store.stop()


async def test_what_was_put_is_there_until_it_is_deleted(store: Store, clock: Clock) -> None:
    assert await store.get("a") is None
    assert await store.put("a", b"one", ttl=60) == 1
    item = await store.get("a")
    assert item is not None
    assert (item.value, item.rev) == (b"one", 1)
    assert item.expires == pytest.approx(clock() + 60, abs=0.01)
    assert await store.put("a", b"two", ttl=60) == 2
    assert await store.delete("a") is True
    assert await store.delete("a") is False
    assert await store.get("a") is None


async def test_compare_and_set(store: Store) -> None:
    assert await store.put("a", b"1", ttl=60, rev=0) == 1
    with pytest.raises(StoreConflict) as caught:
        await store.put("a", b"2", ttl=60, rev=0)
    assert caught.value.present is not None
    assert caught.value.present[:2] == (b"1", 1)
    assert await store.put("a", b"2", ttl=60, rev=1) == 2
    with pytest.raises(StoreConflict):
        await store.delete("a", rev=1)
    assert await store.delete("a", rev=2) is True
    with pytest.raises(StoreConflict) as caught:
        await store.put("a", b"3", ttl=60, rev=2)
    assert caught.value.present is None
    assert await store.delete("a", rev=0) is False


async def test_what_has_expired_counts_as_absent(store: Store, clock: Clock) -> None:
    await store.put("a", b"1", ttl=10)
    await store.put("b", b"1", ttl=30)
    clock.advance(9.9)
    assert await store.get("a") is not None
    clock.advance(0.2)
    assert await store.get("a") is None
    assert [key for key, _ in await store.scan("")] == ["b"]
    assert await store.delete("a") is False
    assert await store.put("a", b"2", ttl=10, rev=0) == 1


async def test_time_passes_for_real(kind: str, opened: Open, clock: Clock) -> None:
    store = opened()
    store.clock = time.time
    await store.put("a", b"1", ttl=0.05)
    deadline = time.monotonic() + 5
    while await store.get("a") is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert await store.scan("") == []
    await store.stop()


async def test_a_change_renews_the_life(store: Store, clock: Clock) -> None:
    await store.put("a", b"1", ttl=10)
    clock.advance(8)
    await store.put("a", b"2", ttl=10)
    clock.advance(8)
    assert (await store.get("a")) is not None


async def test_scan_walks_a_prefix_in_order(store: Store) -> None:
    keys = [f"draft:ada:{number:03}" for number in range(25)]
    for key in random.sample(keys, len(keys)):
        await store.put(key, key.encode(), ttl=60)
    await store.put("draft:adb:000", b"", ttl=60)
    await store.put("draft:ad", b"", ttl=60)
    found: list[str] = []
    after = ""
    while page := await store.scan("draft:ada:", after=after, limit=7):
        assert len(page) <= 7
        found += [key for key, _ in page]
        after = found[-1]
    assert found == keys
    assert [key for key, _ in await store.scan("draft:ada:", upto="draft:ada:002")] == keys[:3]
    assert [key for key, _ in await store.scan("draft:ada:", after="draft:ada:022", upto="draft:adz")] == keys[23:]
    assert [key for key, _ in await store.scan("draft:ada:", after="a", limit=2)] == keys[:2]
    assert await store.scan("draft:ada:", after="draft:b") == []
    assert len(await store.scan("")) == 27


async def test_any_key_is_only_itself_and_sorts_by_code_point(store: Store) -> None:
    for key in random.sample(HOSTILE, len(HOSTILE)):
        await store.put(key, key.encode(), ttl=60)
        await store.put("p" + key + "\U0010ffff" * 2, b"", ttl=60)
    assert [key for key, _ in await store.scan("") if not key.startswith("p")] == sorted(HOSTILE)
    for key in HOSTILE:
        item = await store.get(key)
        assert item is not None
        assert item.value == key.encode()
        assert [found for found, _ in await store.scan("p" + key)] == sorted(
            "p" + other + "\U0010ffff" * 2 for other in HOSTILE if other.startswith(key)
        )


@pytest.mark.parametrize("value", [b"", b"\x00", b"\xff\xfe", bytes(range(256)), b"'); DROP TABLE rt_items; --"])
async def test_any_bytes_come_back_as_they_were(store: Store, value: bytes) -> None:
    await store.put("a", value, ttl=60)
    item = await store.get("a")
    assert item is not None
    assert item.value == value
    with pytest.raises(StoreConflict) as caught:
        await store.put("a", b"", ttl=60, rev=0)
    assert caught.value.present is not None
    assert caught.value.present.value == value


@pytest.mark.parametrize("key", ["", "a\x00b", "\ud800", "a" * (MAX_KEY + 1)])
async def test_a_bad_key_is_refused_everywhere(store: Store, key: str) -> None:
    for call in (store.get(key), store.put(key, b"", ttl=1), store.delete(key), store.fence(key)):
        with pytest.raises(ValueError, match="Bad key"):
            await call


async def test_bounds(store: Store) -> None:
    await store.put("a" * MAX_KEY, b"x" * MAX_VALUE, ttl=MAX_LIFE)
    with pytest.raises(TooLarge):
        await store.put("a", b"x" * (MAX_VALUE + 1), ttl=1)
    for ttl in (0, -1, float("nan"), float("inf"), MAX_LIFE + 1):
        with pytest.raises(ValueError, match="ttl"):
            await store.put("a", b"", ttl=ttl)
    for limit in (0, -1, MAX_SCAN + 1):
        with pytest.raises(ValueError, match="limit"):
            await store.scan("", limit=limit)


async def test_fences_only_grow(store: Store, clock: Clock) -> None:
    first = await store.fence("lock")
    assert first == round(clock() * 1000)
    assert await store.fence("lock") == first + 1
    clock.advance(-3600)  # a clock that was set back
    assert await store.fence("lock") == first + 2
    clock.advance(7200)
    assert await store.fence("lock") == round(clock() * 1000)
    assert await store.fence("other") == round(clock() * 1000)


async def test_a_fence_grows_after_everything_was_forgotten(
    kind: str, store: Store, clock: Clock, tmp_path: Path
) -> None:
    before = [await store.fence("lock") for _ in range(5)][-1]
    await store.stop()
    clock.advance(1)
    if kind == "memory":
        fresh: Store = MemoryStore(clock=clock)
    elif kind == "sqlite":
        fresh = SqliteStore(str(tmp_path / "another.db"), clock=clock)
    else:
        assert isinstance(store, RedisStore)
        fresh = RedisStore(store._connect, name=f"t{random.randrange(10**12)}", clock=clock)
    assert await fresh.fence("lock") > before
    await fresh.stop()


async def test_of_fifty_tasks_one_wins_each_revision(store: Store) -> None:
    await store.put("n", b"0", ttl=60)

    async def add() -> int:
        tries = 0
        while True:
            tries += 1
            item = await store.get("n")
            assert item is not None
            try:
                await store.put("n", str(int(item.value) + 1).encode(), ttl=60, rev=item.rev)
                return tries
            except StoreConflict:
                assert tries < 200

    await asyncio.gather(*(add() for _ in range(50)))
    item = await store.get("n")
    assert item is not None
    assert (item.value, item.rev) == (b"50", 51)
    fences = await asyncio.gather(*(store.fence("f") for _ in range(50)))
    assert len(set(fences)) == 50


async def test_it_can_be_stopped_and_used_again(opened: Open) -> None:
    store = opened()
    await store.start()
    await store.put("a", b"1", ttl=60)
    for _ in range(2):
        await store.stop()
    item = await store.get("a")
    assert item is not None
    assert item.value == b"1"
    await store.stop()


def test_two_loops_may_use_it_at_once(opened: Open) -> None:
    store = opened()
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        for number in range(3):
            assert first.run_until_complete(store.put("a", b"1", ttl=60)) == 2 * number + 1
            assert second.run_until_complete(store.put("a", b"2", ttl=60)) == 2 * number + 2
    finally:
        for loop in (first, second):
            loop.run_until_complete(store.stop())
            loop.close()


async def test_who_gives_up_waiting_breaks_nothing(store: Store) -> None:
    for _ in range(20):
        task = asyncio.create_task(store.put("a", b"x", ttl=60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert await store.put("b", b"x", ttl=60) == 1


OTHER = """
import asyncio, sys
from htmx_rt.exceptions import StoreConflict
from htmx_rt.stores import connect
async def main(url, name, count):
    store = connect(url, name=name)
    print(store.__class__.__name__, flush=True)
    sys.stdin.readline()
    for _ in range(count):
        while True:
            item = await store.get("n")
            try:
                await store.put("n", b"%d" % (int(item.value) + 1 if item else 1), ttl=60, rev=item.rev if item else 0)
                break
            except StoreConflict:
                pass
        print(await store.fence("f"), flush=True)
    if len(sys.argv) > 4:
        sys.stdin.readline()
    await store.stop()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def other(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() in ("SqliteStore", "RedisStore")
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_two_processes_share_one_truth(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    file = f"sqlite:///{tmp_path / 'rt.db'}"
    url = file if kind == "sqlite" else request.getfixturevalue("redis_server").url
    name = f"t{random.randrange(10**12)}"
    both = [other(url, name, "100") for _ in range(2)]
    for process in both:
        go(process)
    numbers = [[int(line) for line in process.communicate(timeout=60)[0].split()] for process in both]
    assert [len(each) for each in numbers] == [100, 100]
    assert all(each == sorted(each) for each in numbers)
    assert len({*numbers[0], *numbers[1]}) == 200

    async def total() -> Item | None:
        store = connect(url, name=name)
        try:
            return await store.get("n")
        finally:
            await store.stop()

    item = asyncio.run(total())
    assert item is not None
    assert item[:2] == (b"200", 200)


async def test_sqlite_keeps_what_was_put_when_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "rt.db"
    killed = other(f"sqlite:///{path}", "app", "20", "stay")
    go(killed)
    assert killed.stdout is not None
    fences = [int(killed.stdout.readline()) for _ in range(20)]
    killed.kill()
    killed.communicate()
    store = SqliteStore(str(path))
    item = await store.get("n")
    assert item is not None
    assert item[:2] == (b"20", 20)
    assert await store.fence("f") > fences[-1]
    await store.stop()


async def test_redis_keeps_what_was_put_when_it_is_killed(spawn_redis: SpawnRedis, clock: Clock) -> None:
    server = spawn_redis(*AOF)
    store = RedisStore(connector(server.url), clock=clock)
    for number in range(50):
        await store.put(f"a{number:02}", b"x", ttl=60)
    fence = await store.fence("f")
    server.kill()
    with pytest.raises(StoreUnavailable):
        await store.get("a00")
    server.start()
    assert [key for key, _ in await store.scan("a")] == [f"a{number:02}" for number in range(50)]
    assert await store.fence("f") == fence + 1
    server.kill()
    server.forget()
    server.start()
    clock.advance(0.01)
    assert await store.scan("") == []
    assert await store.fence("f") > fence + 1
    await store.stop()


async def test_names_of_expired_items_do_not_pile_up_in_redis(redis_server: RedisServer) -> None:
    name = f"t{random.randrange(10**12)}"
    store = RedisStore(connector(redis_server.url), name=name)
    await store.put("kept", b"", ttl=3600)
    for _ in range(5):
        await asyncio.gather(*(store.put(f"r{number}", b"", ttl=0.02) for number in range(40)))
        await asyncio.sleep(0.03)
        for number in range(3):
            await store.put(f"more{number}", b"", ttl=3600)
    assert int(redis_server.ask("ZCARD", f"{{htmx-rt:{name}}}:names")[1:]) < 60
    assert int(redis_server.ask("ZCARD", f"{{htmx-rt:{name}}}:due")[1:]) < 60
    for part in ("names", "due", "item:kept"):
        assert int(redis_server.ask("PTTL", f"{{htmx-rt:{name}}}:{part}")[1:]) > 0
    await store.stop()


def test_a_full_memory_store_says_so_and_goes_on(clock: Clock) -> None:
    store = MemoryStore(clock=clock, most=10_000)

    async def fill() -> None:
        for number in range(20):
            await store.put(f"k{number}", b"x" * 150, ttl=10)
        with pytest.raises(StoreUnavailable, match="full"):
            await store.put("k", b"x" * 2000, ttl=10)
        assert await store.put("k0", b"y", ttl=10) == 2
        clock.advance(11)
        assert await store.put("new", b"z" * 1000, ttl=10) == 1

    asyncio.run(fill())


def test_what_sorts_after_a_prefix() -> None:
    assert after_prefix("") is None
    assert after_prefix("\U0010ffff") is None
    assert after_prefix("ab") == "ac"
    assert after_prefix("a\U0010ffff") == "b"
    assert after_prefix("\ud7ff") == "\ue000"


def test_a_store_is_chosen_by_its_url_or_passed(tmp_path: Path) -> None:
    assert isinstance(connect("memory://", name="app"), MemoryStore)
    assert isinstance(connect(f"sqlite:///{tmp_path}/rt.db", name="app"), SqliteStore)
    assert isinstance(connect("redis://127.0.0.1/0", name="app"), RedisStore)
    own = MemoryStore()
    assert connect(own, name="app") is own
    for url in ("sqlite://", "sqlite:///", "mysql://x", ""):
        with pytest.raises(ConfigurationError, match="memory://"):
            connect(url, name="app")
