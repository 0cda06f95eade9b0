"""Many workers over one Redis: joining late, losing it, and getting another one back than was left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from htmx_rt.buses import Mark
from htmx_rt.buses import outbox as outbox_module
from htmx_rt.buses.redis import RedisBus
from htmx_rt.exceptions import BusUnavailable
from htmx_rt.frames import Draft
from htmx_rt.types import Limits

from ..redis_kit import AOF, Proxy, RedisServer, SpawnRedis
from .kit import Listener, OpenBus, frames, message, resync, states

pytestmark = pytest.mark.anyio


def key(bus: object, rest: str) -> str:
    return f"{{htmx-rt:{bus.name}}}:{rest}"  # type: ignore[attr-defined]


async def accepted(bus: RedisBus, draft: Draft) -> int:
    """Publish until Redis takes it: it is back before every connection to it is."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(BusUnavailable):
                return await asyncio.wrap_future(bus.publish(draft))
            await asyncio.sleep(0.01)


# Joining


async def test_all_workers_have_one_order(redis_server: RedisServer, open_bus: OpenBus) -> None:
    buses = [open_bus(redis_server.url) for _ in range(3)]
    for bus in buses:
        await bus.start()
    listeners = [Listener(bus) for bus in buses]

    def publish(place: int) -> None:
        for number in range(100):
            buses[place % 3].publish(message("a", f"{place}:{number}")).result(10)

    threads = [threading.Thread(target=publish, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    for bus, listener in zip(buses, listeners, strict=True):
        await listener.until(lambda: bus.log.head == 600)  # noqa: B023
    assert frames(buses[0]) == frames(buses[1]) == frames(buses[2])
    assert len({bus.log.epoch for bus in buses}) == 1


async def test_a_worker_that_joins_late_has_the_window_the_states_and_the_marks(
    redis_server: RedisServer, open_bus: OpenBus
) -> None:
    limits = Limits.of({"window": 10})
    first = open_bus(redis_server.url, limits)
    await first.start()
    now = time.time()
    for number in range(3):
        first.publish(message("old", number)).result(5)
    first.publish(message("a", "v1", state="s")).result(5)
    first.publish(message("a", "v2", state="s")).result(5)
    for number in range(20):
        first.publish(message("b", number)).result(5)
    first.revoke(Mark("browser", "abc", None, now)).result(5)
    first.revoke(Mark("topic", "a", "ada", now, "signed-out")).result(5)

    late = open_bus(redis_server.url, limits)
    await late.start()
    assert late.log.position == (first.log.epoch, 27)
    assert frames(late)[-3] == message("b", 19).frame(25)
    assert late.revocations.browser("abc") == now
    assert late.revocations.topic("a", "ada") == now
    await late.prepare({"a": 0, "old": 0, "b": 0, "never": 0})
    assert states(late) == [(5, "s")]
    # Exactly the stale: whoever saw the newest message of a topic has missed nothing of it.
    assert resync(late, "old", 2) == "trimmed"
    assert resync(late, "old", 3) is None
    assert resync(late, "never", 0) is None
    assert resync(late, "b", 10) == "trimmed"
    assert resync(late, "b", 17) is None
    # Until it was asked, nothing is known of a topic.
    assert resync(late, "unasked", 3) == "trimmed"


async def test_a_topic_that_was_forgotten_counts_as_stale(redis_server: RedisServer, open_bus: OpenBus) -> None:
    limits = Limits.of({"window": 10, "trimmed_topics": 20})
    first = open_bus(redis_server.url, limits)
    await first.start()
    for number in range(50):
        first.publish(message(f"t{number}")).result(5)
    late = open_bus(redis_server.url, limits)
    await late.start()
    await late.prepare({"t3": 0, "t35": 0, "t45": 0})
    assert int(redis_server.ask("ZCARD", key(first, "newest"))[1:]) == 21
    assert resync(late, "t3", 4) == "trimmed"
    assert resync(late, "t3", 31) is None  # above all that was forgotten
    assert resync(late, "t35", 35) == "trimmed"
    assert resync(late, "t35", 36) is None
    assert resync(late, "t45", 40) is None


async def test_a_lost_record_of_topics_makes_all_of_them_stale(redis_server: RedisServer, open_bus: OpenBus) -> None:
    limits = Limits.of({"window": 5})
    first = open_bus(redis_server.url, limits)
    await first.start()
    for _ in range(20):
        first.publish(message("b")).result(5)
    redis_server.ask("DEL", key(first, "newest"))  # as a Redis that evicts keys does
    first.publish(message("b")).result(5)
    late = open_bus(redis_server.url, limits)
    await late.start()
    await late.prepare({"a": 0})
    assert resync(late, "a", 10) == "trimmed"
    assert resync(late, "a", 20) is None


async def test_a_reader_from_a_faster_worker_finds_what_it_has_seen(
    redis_server: RedisServer, open_bus: OpenBus
) -> None:
    fast, slow = open_bus(redis_server.url), open_bus(redis_server.url)
    await fast.start()
    await slow.start()
    for number in range(1, 101):
        assert await asyncio.wrap_future(fast.publish(message("a", state="s" if number % 2 else None))) == number
        await slow.prepare({"a": number})
        assert slow.log.head >= number
    await slow.prepare({"a": 10_000})  # nobody's: it does not wait for what does not exist
    assert states(slow)[-1] == (99, "s")


async def test_readers_that_open_while_a_worker_joins_wait_for_it(
    redis_server: RedisServer, open_bus: OpenBus, proxy: Callable[[RedisServer], Proxy]
) -> None:
    first = open_bus(redis_server.url)
    await first.start()
    first.publish(message("a", state="s")).result(5)
    line = proxy(redis_server)
    line.delay = 0.02
    late = open_bus(line.url)
    await late.prepare({"a": 1})
    assert states(late) == [(1, "s")]


async def test_names_keep_apart(redis_server: RedisServer, open_bus: OpenBus) -> None:
    one, other = open_bus(redis_server.url), open_bus(redis_server.url, name="another")
    await one.start()
    await other.start()
    listener, stranger = Listener(one), Listener(other)
    one.publish(message()).result(5)
    one.signal("a", b"x")
    one.revoke(Mark("browser", "abc", None, time.time())).result(5)
    await listener.until(lambda: one.log.head == 2 and listener.signals)
    assert other.log.head == 0
    assert (stranger.signals, stranger.marks) == ([], [])
    assert one.log.epoch != other.log.epoch


# Bounds


async def test_every_key_expires_and_the_log_is_bounded(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus = open_bus(redis_server.url, Limits.of({"window": 30, "window_bytes": 20_000, "states_per_topic": 4}))
    await bus.start()
    for number in range(100):
        bus.publish(message("a", "x" * 100))
        bus.publish(message("b", number, state=f"s{number % 9}")).result(5)
    bus.revoke(Mark("browser", "abc", None, time.time()))
    bus.revoke(Mark("topic", "a", None, time.time())).result(5)
    assert bus.publish(message()).result(5) == 203
    assert int(redis_server.ask("XLEN", key(bus, "log"))[1:]) == 30
    assert int(redis_server.ask("HLEN", key(bus, "state:b"))[1:]) == 4
    for part in ("meta", "log", "newest", "marks:browser", "marks:topic", "state:b"):
        assert 0 < int(redis_server.ask("PTTL", key(bus, part))[1:]) <= 25 * 3600 * 1000
    for _ in range(20):
        last = bus.publish(message("a", "x" * 5000)).result(5)
    assert last == 223
    assert int(redis_server.ask("XLEN", key(bus, "log"))[1:]) == 3
    assert bus.publish(message("a", "x" * 50_000)).result(5) == 224  # one may always exceed it
    assert int(redis_server.ask("XLEN", key(bus, "log"))[1:]) == 1


async def test_what_waits_is_bounded(open_bus: OpenBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MESSAGES", 100)
    bus = open_bus("redis://127.0.0.1:1/0", Limits.of({"window_bytes": 50_000, "revocations": 20}))
    futures = [bus.outbox.add(outbox_module.Waiting(message(), outbox_module.Future())) for _ in range(150)]
    assert futures == [True] * 100 + [False] * 50
    large = open_bus("redis://127.0.0.1:1/0", Limits.of({"window_bytes": 50_000}))
    kept = [
        large.outbox.add(outbox_module.Waiting(message("a", "x" * 20_000), outbox_module.Future())) for _ in range(9)
    ]
    assert kept == [True] * 3 + [False] * 6
    marks = [bus.outbox.mark(Mark("browser", f"b{number}", None, 1.0)) for number in range(50)]
    assert sum(future.done() for future in marks) == 30
    for number in range(5000):
        bus.outbox.signal("a", b"%d" % number)
    assert len(bus.outbox.take_signals()) == outbox_module.SIGNALS


# Redis restarts


async def test_redis_killed_and_restarted_with_its_data_loses_nothing(
    spawn_redis: SpawnRedis, open_bus: OpenBus, caplog: pytest.LogCaptureFixture
) -> None:
    server = spawn_redis(*AOF)
    one, other = open_bus(server.url), open_bus(server.url)
    await one.start()
    await other.start()
    listeners = [Listener(one), Listener(other)]
    epoch = one.log.epoch
    for number in range(100):
        one.publish(message("a", number)).result(5)
    server.kill()
    before = time.monotonic()
    with pytest.raises(BusUnavailable):
        one.publish(message("refused", "lost?")).result(5)
    assert time.monotonic() - before < 3
    before = time.monotonic()
    with pytest.raises(BusUnavailable):
        one.publish(message("refused")).result(5)
    assert time.monotonic() - before < 0.2  # known to be away: nobody waits
    server.start()
    for bus, listener in zip((one, other), listeners, strict=True):
        # What was refused is fetched again by its readers.
        await listener.until(lambda: any(b"rt:resync" in frame and b'"refused"' in frame for frame in frames(bus)))  # noqa: B023
    assert await accepted(one, message("a", "after")) > 100
    await listeners[1].until(lambda: message("a", "after").tail in frames(other)[-1])
    assert one.log.epoch == other.log.epoch == epoch
    texts = [frame for frame in frames(other) if b'"t":"a"' in frame]
    assert texts[:100] == [message("a", number).frame(number + 1) for number in range(100)]
    assert len(texts) == 101
    assert sum("Redis is away" in text for text in caplog.messages) <= 2 * 2  # said once, not all the time


async def test_redis_restarted_without_its_data_begins_a_new_epoch(spawn_redis: SpawnRedis, open_bus: OpenBus) -> None:
    server = spawn_redis()
    one, other = open_bus(server.url), open_bus(server.url)
    await one.start()
    await other.start()
    listeners = [Listener(one), Listener(other)]
    epoch, now = one.log.epoch, time.time()
    for _ in range(10):
        one.publish(message("a", state="s")).result(5)
    one.revoke(Mark("browser", "abc", None, now)).result(5)
    await listeners[1].until(lambda: other.log.head == 11)
    server.kill()
    server.start()
    for bus, listener in zip((one, other), listeners, strict=True):
        await listener.until(lambda: bus.log.epoch != epoch)  # noqa: B023
    await listeners[0].until(lambda: one.log.epoch == other.log.epoch)
    await accepted(one, message("a", "new"))
    # Sign-outs are known to workers that start later, although Redis has lost them.
    late = open_bus(server.url)
    deadline = time.monotonic() + 5
    while late.revocations.browser("abc") != now:
        assert time.monotonic() < deadline
        await late.stop()
        await late.start()
    await late.prepare({"a": 0})
    assert states(late) == []


def restored(server: RedisServer) -> RedisServer:
    """Start what `server` saved, elsewhere."""
    copy = RedisServer(server.folder.with_name("copy"))
    copy.folder.mkdir()
    shutil.copy(server.folder / "dump.rdb", copy.folder / "dump.rdb")
    return copy.start()


async def test_an_older_copy_of_redis_begins_a_new_epoch(spawn_redis: SpawnRedis, open_bus: OpenBus) -> None:
    server = spawn_redis()
    bus = open_bus(server.url)
    await bus.start()
    listener = Listener(bus)
    epoch = bus.log.epoch
    for number in range(10):
        bus.publish(message("a", number, state="s")).result(5)
    assert server.ask("SAVE") == "+OK"
    for number in range(10):
        bus.publish(message("a", number, state="s")).result(5)
    await listener.until(lambda: bus.log.head == 20)
    server.kill()
    server.start()
    await listener.until(lambda: bus.log.epoch != epoch)
    # The old value of the state is older than what pages show.
    await bus.prepare({"a": 0})
    assert states(bus) == []


async def test_an_older_copy_that_was_written_further_is_not_taken_for_the_same(
    spawn_redis: SpawnRedis, open_bus: OpenBus
) -> None:
    server = spawn_redis()
    bus = open_bus(server.url)
    await bus.start()
    listener = Listener(bus)
    epoch = bus.log.epoch
    for _ in range(10):
        bus.publish(message("a", "common")).result(5)
    assert server.ask("SAVE") == "+OK"
    for _ in range(10):
        bus.publish(message("a", "lost")).result(5)
    await listener.until(lambda: bus.log.head == 20)
    server.kill()
    copy = restored(server)
    try:
        run = subprocess.run(
            ["redis-cli", "-p", str(copy.port), "INFO", "server"], capture_output=True, text=True, check=True
        ).stdout.split("run_id:")[1][:40]
        copy.ask("HSET", key(bus, "meta"), "run", run)  # somebody vouched for it, wrongly
        elsewhere = open_bus(copy.url)
        await elsewhere.start()
        assert elsewhere.log.position == (epoch, 10)
        for _ in range(30):
            elsewhere.publish(message("a", "rewritten")).result(5)
        assert elsewhere.log.epoch == epoch
        assert copy.ask("SAVE") == "+OK"
    finally:
        copy.kill()
    shutil.copy(copy.folder / "dump.rdb", server.folder / "dump.rdb")
    server.start()
    # Same epoch, higher head, and yet another history: found by the chain.
    await listener.until(lambda: bus.log.epoch != epoch)


async def test_who_starts_on_an_older_copy_trusts_no_old_position(spawn_redis: SpawnRedis, open_bus: OpenBus) -> None:
    server = spawn_redis()
    first = open_bus(server.url)
    await first.start()
    first.publish(message()).result(5)
    epoch = first.log.epoch
    second = open_bus(server.url)
    await second.start()
    assert second.log.epoch == epoch  # Redis has not been restarted
    assert server.ask("SAVE") == "+OK"
    await first.stop()
    await second.stop()
    server.kill()
    server.start()
    late = open_bus(server.url)
    await late.start()
    assert late.log.epoch != epoch
    assert late.publish(message()).result(5) == 2


async def test_an_acknowledged_message_that_redis_lost_before_anybody_read_it(
    spawn_redis: SpawnRedis, open_bus: OpenBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = spawn_redis()
    bus = open_bus(server.url)
    await bus.start()
    listener = Listener(bus)
    bus.publish(message()).result(5)
    await listener.until(lambda: bus.log.head == 1)
    assert server.ask("SAVE") == "+OK"
    epoch = bus.log.epoch
    link = bus._link
    assert link is not None
    assert link._tail is not None
    link._tail.acknowledged(epoch.encode(), 2, b"lost")  # as if its answer had come, and then the end
    server.kill()
    server.start()
    await listener.until(lambda: bus.log.epoch != epoch)


async def test_a_worker_cut_off_for_longer_than_the_window_resyncs_what_is_stale(
    redis_server: RedisServer, open_bus: OpenBus, proxy: Callable[[RedisServer], Proxy]
) -> None:
    limits = Limits.of({"window": 20})
    line = proxy(redis_server)
    bus, cut = open_bus(redis_server.url, limits), open_bus(line.url, limits)
    await bus.start()
    await cut.start()
    listener = Listener(cut)
    bus.publish(message("quiet")).result(5)
    bus.publish(message("busy")).result(5)
    bus.publish(message("a", 1, state="s")).result(5)
    await listener.until(lambda: cut.log.head == 3)
    await cut.prepare({"quiet": 0, "busy": 0, "a": 0})
    epoch = cut.log.epoch
    line.cut()
    bus.publish(message("a", 2, state="s")).result(5)
    for _ in range(30):
        bus.publish(message("busy")).result(5)
    line.mend()
    await listener.until(lambda: cut.log.head == 34)
    assert cut.log.epoch == epoch
    assert resync(cut, "quiet", 3) is None
    assert resync(cut, "busy", 3) == "trimmed"
    assert states(cut) == [(4, "s")]
    assert frames(cut) == frames(bus)


async def test_a_worker_cut_off_for_a_moment_catches_up(
    redis_server: RedisServer, open_bus: OpenBus, proxy: Callable[[RedisServer], Proxy]
) -> None:
    line = proxy(redis_server)
    bus, cut = open_bus(redis_server.url), open_bus(line.url)
    await bus.start()
    await cut.start()
    listener = Listener(cut)
    for round_ in range(1, 6):
        line.cut()
        for number in range(50):
            bus.publish(message("a", number)).result(5)
        line.mend()
        await listener.until(lambda: cut.log.head == 50 * round_)  # noqa: B023
    assert frames(cut) == frames(bus)


# Redis refuses


async def test_scripts_flushed_under_load_run_each_message_once(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus = open_bus(redis_server.url)
    await bus.start()
    listener = Listener(bus)
    futures = []
    for number in range(2000):
        futures.append(bus.publish(message("a", number)))
        if number % 50 == 0:
            redis_server.ask("SCRIPT", "FLUSH")
    assert [future.result(10) for future in futures] == list(range(1, 2001))
    await listener.until(lambda: bus.log.head == 2000)
    assert frames(bus) == [message("a", number).frame(number + 1) for number in range(2000)]


@pytest.mark.parametrize("trouble", ["memory", "read-only"])
async def test_a_message_that_redis_refuses_is_resynced_later(
    spawn_redis: SpawnRedis, open_bus: OpenBus, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = spawn_redis()
    bus, other = open_bus(server.url), open_bus(server.url)
    await bus.start()
    await other.start()
    listener = Listener(other)
    bus.publish(message("a", 1)).result(5)
    epoch = bus.log.epoch
    if trouble == "memory":
        assert server.ask("CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "noeviction") == "+OK"
    else:
        assert server.ask("REPLICAOF", "127.0.0.1", "1") == "+OK"
    futures = [bus.publish(message(f"t{number}")) for number in range(5)]
    for future in futures:
        with pytest.raises(BusUnavailable, match=r"maxmemory|read only|cannot be reached"):
            future.result(5)
    mark = bus.revoke(Mark("browser", "abc", None, time.time()))
    assert bus.revocations.browser("abc") > 0
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(mark)), 1.5)
    assert not mark.done()
    if trouble == "memory":
        assert server.ask("CONFIG", "SET", "maxmemory", "0") == "+OK"
    else:
        assert server.ask("REPLICAOF", "NO", "ONE") == "+OK"
    await listener.until(
        lambda: other.revocations.browser("abc") and sum(b"rt:resync" in each for each in frames(other)) >= 5
    )
    assert bus.publish(message("a", 2)).result(5) >= 7
    assert bus.log.epoch == epoch
    assert sum("refuses messages" in text for text in caplog.messages) == 1


async def test_nobody_waits_for_a_redis_that_is_not_there(open_bus: OpenBus, caplog: pytest.LogCaptureFixture) -> None:
    bus = open_bus("redis://127.0.0.1:1/0")
    before = time.monotonic()
    await bus.start()
    assert time.monotonic() - before < 3
    for _ in range(3):
        before = time.monotonic()
        with pytest.raises(BusUnavailable):
            bus.publish(message()).result(5)
        await bus.prepare({"a": 0})
        assert time.monotonic() - before < 1
    assert any("cannot be reached yet" in text for text in caplog.messages)


async def test_marks_set_while_redis_is_away_reach_the_others_when_it_is_back(
    spawn_redis: SpawnRedis, open_bus: OpenBus
) -> None:
    server = spawn_redis(*AOF)
    one, other = open_bus(server.url), open_bus(server.url)
    await one.start()
    await other.start()
    listener = Listener(other)
    server.kill()
    now = time.time()
    futures = [one.revoke(Mark("browser", f"b{number}", None, now)) for number in range(150)]
    assert one.revocations.browser("b149") == now
    server.start()
    await listener.until(lambda: len(listener.marks) == 150)
    for future in futures:
        future.result(5)


async def test_a_stranger_in_the_log_is_not_read_for_ever(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus = open_bus(redis_server.url)
    await bus.start()
    listener = Listener(bus)
    bus.publish(message()).result(5)
    epoch = bus.log.epoch
    redis_server.ask("XADD", key(bus, "log"), "*", "hello", "world")
    await listener.until(lambda: bus.log.epoch != epoch)
    await accepted(bus, message("a", "after"))
    await listener.until(lambda: bus.log.head == 2)
    assert frames(bus) == [message("a", "after").frame(2)]


async def test_a_mark_of_a_later_version_is_passed_over(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus = open_bus(redis_server.url)
    redis_server.ask("ZADD", key(bus, "marks:browser"), str(time.time()), '["planet","earth",null,"x",7]')
    await bus.start()
    assert bus.publish(message()).result(5) == 1


async def test_a_listener_that_fails_stops_nobody(
    redis_server: RedisServer, open_bus: OpenBus, caplog: pytest.LogCaptureFixture
) -> None:
    bus = open_bus(redis_server.url)
    await bus.start()

    class Broken(Listener):
        def grown(self) -> None:
            self.growths += 1
            if self.growths == 1:
                raise RuntimeError("broken")

    broken = Broken(bus)
    bus.publish(message()).result(5)
    listener = Listener(bus)
    bus.publish(message()).result(5)
    await listener.until(lambda: bus.log.head == 2)
    assert broken.growths >= 1
    assert any(record.levelno == logging.ERROR for record in caplog.records)


# The end, and processes


async def test_stopping_sends_what_waits(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus, other = open_bus(redis_server.url), open_bus(redis_server.url)
    await bus.start()
    await other.start()
    listener = Listener(other)
    futures = [bus.publish(message("a", number)) for number in range(1000)]
    await bus.stop()
    assert [future.result(0) for future in futures] == list(range(1, 1001))
    await listener.until(lambda: other.log.head == 1000)


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


async def test_a_script_may_publish_and_end(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus = open_bus(redis_server.url)
    await bus.start()
    listener = Listener(bus)
    program = """
import sys
from htmx_rt.buses import connect
from htmx_rt.frames import draft
from htmx_rt.types import Limits
bus = connect(sys.argv[1], Limits(), name=sys.argv[2])
for number in range(200):
    bus.publish(draft("a", "rt:ops", {"n": number}))
"""
    await asyncio.to_thread(run, program, redis_server.url, bus.name)
    await listener.until(lambda: bus.log.head == 200)


async def test_a_fork_has_a_thread_of_its_own(redis_server: RedisServer, open_bus: OpenBus) -> None:
    bus = open_bus(redis_server.url)
    await bus.start()
    listener = Listener(bus)
    program = """
import asyncio, os, sys
from htmx_rt.buses import connect
from htmx_rt.frames import draft
from htmx_rt.types import Limits
bus = connect(sys.argv[1], Limits(), name=sys.argv[2])

def publish(who, count):
    futures = [bus.publish(draft("a", "rt:ops", {"who": who, "n": n})) for n in range(count)]
    assert sorted(f.result(10) for f in futures) == [f.result() for f in futures]

publish("parent", 50)
epoch = bus.log.epoch
waiting = [bus.publish(draft("a", "rt:ops", {"who": "parent", "n": 50 + n})) for n in range(50)]
child = os.fork()
if child == 0:
    publish("child", 100)
    asyncio.run(bus.stop())
    os._exit(0)
assert [f.result(10) for f in waiting]
publish("parent", 50)
_, status = os.waitpid(child, 0)
assert status == 0, status
publish("parent", 50)
asyncio.run(bus.stop())
"""
    await asyncio.to_thread(run, program, redis_server.url, bus.name)
    await listener.until(lambda: bus.log.head == 300)
    assert sum(b"child" in frame for frame in frames(bus)) == 100


def test_two_loops_share_one_thread(redis_server: RedisServer) -> None:
    program = """
import asyncio, sys, threading
from htmx_rt.buses import connect
from htmx_rt.frames import draft
from htmx_rt.types import Limits
bus = connect(sys.argv[1], Limits(), name="two-loops")
async def work():
    await bus.start()
    for _ in range(50):
        await asyncio.wrap_future(bus.publish(draft("a", "rt:ops", {})))
        await bus.prepare({"a": bus.log.head + 1})
threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum("htmx-rt" in t.name for t in threading.enumerate()), bus.publish(draft("a", "rt:ops", {})).result(5))
asyncio.run(bus.stop())
print(sum("htmx-rt" in t.name for t in threading.enumerate()))
"""
    assert run(program, redis_server.url).split() == ["1", "201", "0"]
