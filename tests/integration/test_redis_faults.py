"""Everything that can happen to Redis and to workers, under load, with the real thing.

What must hold each time: every message once and in order or a visible resync, an acknowledged one never lost silently,
pages that do not wait for Redis, and all of it right again within ten seconds. `RT_SEED=…` repeats a run.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable

import pytest
from crowd import Crowd, Workers, seed_of
from servers import Server
from visitor import Visitor

from htmx_rt import protocol
from tests.redis_kit import AOF, AOF_EVERY_SECOND, Proxy, RedisServer, SpawnRedis

Spawn = Callable[..., Server]
Visit = Callable[..., Visitor]


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def through(workers: Workers, what: str, fault: Callable[[Crowd], Awaitable[None]], *, before: int = 100) -> Crowd:
    """Let a crowd live through `fault`, and judge what they saw."""

    async def run() -> Crowd:
        async with Crowd(workers, seed=seed_of()) as crowd:
            print(f"{what}: seed {crowd.seed}")
            await crowd.acknowledge(before)
            await fault(crowd)
            seconds = await crowd.right_again()
            await crowd.acknowledge(50)
            await crowd.settle()
            crowd.verdict(f"{what}: right again after {seconds:.1f} s")
            return crowd

    try:
        return asyncio.run(run())
    except BaseException:
        print(workers.output[-8000:])
        raise


def test_a_worker_killed_at_random_twenty_times(spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int]) -> None:
    workers = Workers(spawn, spawn_redis().url, *ports)

    async def fault(crowd: Crowd) -> None:
        for _ in range(20):
            await crowd.acknowledge(crowd.random.randrange(1, 40))
            place = crowd.random.randrange(2)
            await asyncio.to_thread(workers.kill, place)
            await crowd.acknowledge(crowd.random.randrange(1, 20))
            await asyncio.to_thread(workers.restart(place).address)

    crowd = through(workers, "workers killed", fault)
    # The log outlives the workers: whatever was missed is replayed, and nobody has to fetch anything.
    assert {why for reader in crowd.readers for why in reader.why} <= {"failed"}


@pytest.mark.parametrize("options", [AOF, AOF_EVERY_SECOND], ids=["always", "everysec"])
def test_redis_killed_and_restarted_with_its_data(
    spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int], options: tuple[str, ...]
) -> None:
    server = spawn_redis(*options)

    async def fault(crowd: Crowd) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)

    crowd = through(Workers(spawn, server.url, *ports), "Redis restarted with its data", fault)
    if options == AOF:
        assert {why for reader in crowd.readers for why in reader.why} <= {"failed"}


def test_redis_killed_and_restarted_without_its_data(
    spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int]
) -> None:
    server = spawn_redis()

    async def fault(crowd: Crowd) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    crowd = through(Workers(spawn, server.url, *ports), "Redis restarted empty", fault)
    assert all("epoch" in reader.why for reader in crowd.readers)


def test_redis_restored_from_an_older_copy(spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int]) -> None:
    server = spawn_redis()

    async def fault(crowd: Crowd) -> None:
        assert server.ask("SAVE") == "+OK"
        shutil.copy(server.folder / "dump.rdb", server.folder / "older.rdb")
        await crowd.acknowledge(100)
        await asyncio.to_thread(server.kill)
        shutil.copy(server.folder / "older.rdb", server.folder / "dump.rdb")
        await asyncio.to_thread(server.start)

    crowd = through(Workers(spawn, server.url, *ports), "Redis from an older copy", fault)
    assert all("epoch" in reader.why for reader in crowd.readers)


def test_redis_stopped(spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int]) -> None:
    """For 7 seconds: longer than every time-out there is, so that 20 would not be different."""
    server = spawn_redis()

    async def fault(crowd: Crowd) -> None:
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(7)
        server.signal(signal.SIGCONT)

    through(Workers(spawn, server.url, *ports), "Redis stopped", fault)


def test_redis_out_of_memory(spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int]) -> None:
    server = spawn_redis()

    async def fault(crowd: Crowd) -> None:
        before = crowd.refused
        assert server.ask("CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "noeviction") == "+OK"
        await crowd.until(lambda: crowd.refused >= before + 20)
        assert server.ask("CONFIG", "SET", "maxmemory", "0") == "+OK"
        await crowd.until(lambda: all("failed" in reader.why for reader in crowd.readers), within=10)

    crowd = through(Workers(spawn, server.url, *ports), "Redis out of memory", fault)
    assert {why for reader in crowd.readers for why in reader.why} == {"failed"}


def test_redis_read_only(spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int]) -> None:
    server = spawn_redis()

    async def fault(crowd: Crowd) -> None:
        before = crowd.refused
        assert server.ask("REPLICAOF", "127.0.0.1", "1") == "+OK"
        await crowd.until(lambda: crowd.refused >= before + 20)
        assert server.ask("REPLICAOF", "NO", "ONE") == "+OK"
        await crowd.until(lambda: all("failed" in reader.why for reader in crowd.readers), within=10)

    crowd = through(Workers(spawn, server.url, *ports), "Redis read-only", fault)
    assert {why for reader in crowd.readers for why in reader.why} == {"failed"}


def test_redis_slow(
    spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int], proxy: Callable[[RedisServer], Proxy]
) -> None:
    line = proxy(spawn_redis())

    async def fault(crowd: Crowd) -> None:
        line.delay = 0.3
        await crowd.acknowledge(10)
        assert crowd.refused == 0  # slow is not away
        await asyncio.to_thread(workers.kill, 0)  # and it can be joined
        await asyncio.to_thread(workers.restart(0).address)
        await crowd.acknowledge(10)
        line.delay = 0

    workers = Workers(spawn, line.url, *ports)
    through(workers, "Redis slow", fault)


def test_a_sign_out_and_a_revocation_reach_the_other_worker(
    spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int], visit: Visit
) -> None:
    workers = Workers(spawn, spawn_redis().url, *ports)
    here, there = (visit(address) for address in workers.addresses())
    for visitor in (here, there):
        visitor.http.cookies.set("who", "ada")
    page = here.get("/")
    there.http.cookies.update(here.http.cookies)
    with there.stream(page) as stream:
        here.http.post("/revoke", content="bob")
        here.http.post("/revoke", content="ada")
        assert stream.event(protocol.REVOKED, within=2).data["topics"] == ["board:1"]
    page = here.get("/")
    with there.stream(page) as stream:
        here.http.post("/out")
        assert stream.event(protocol.STOP, within=2).data["why"] == "signed-out"


def test_a_worker_that_starts_later_knows_who_has_signed_out(
    spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int], visit: Visit
) -> None:
    workers = Workers(spawn, spawn_redis().url, *ports)
    ada = visit(workers.addresses()[0])
    ada.http.cookies.set("who", "ada")
    page = ada.get("/")
    stolen = dict(ada.http.cookies)
    ada.http.post("/out")
    workers.kill(1)
    address = workers.restart(1).address()
    thief = visit(address)
    thief.http.cookies.update({name: value for name, value in stolen.items() if name != "who"})
    response = thief.http.send(thief.opening(page))
    assert response.status_code in (401, 403)


def test_an_app_starts_without_redis_and_becomes_live_when_it_is_there(
    spawn: Spawn, spawn_redis: SpawnRedis, ports: tuple[int, int], visit: Visit
) -> None:
    server = spawn_redis()
    server.kill()
    workers = Workers(spawn, server.url, *ports)
    for worker in workers.servers:
        worker.line(re.compile("Redis cannot be reached yet"))
    assert visit(workers.addresses()[0]).get("/").status == 200
    server.start()

    async def nothing(crowd: Crowd) -> None:
        pass

    through(workers, "Redis came later", nothing)
