"""Redis Cluster, Sentinel, and the versions of redis-py that are supported."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from htmx_rt.buses import Mark
from htmx_rt.buses.redis import RedisBus
from htmx_rt.redis_client import connector
from htmx_rt.stores.redis import RedisStore
from htmx_rt.types import Limits

from ..redis_kit import AOF, RedisServer, SpawnRedis, free_port
from .kit import Listener, message, states

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


async def prove(make: Callable[[], Any], *, signals: bool = True) -> None:
    """Let two workers meet over clients that `make` makes."""
    one, other = RedisBus(make, Limits()), RedisBus(make, Limits())
    listener = Listener(other)
    await one.start()
    await other.start()
    try:
        for number in range(5):
            one.publish(message("a", number, state="s" if number == 3 else None)).result(5)
        one.revoke(Mark("browser", "abc", None, time.time())).result(5)
        await listener.until(lambda: other.log.head == 6 and listener.marks)
        await other.prepare({"a": 0, "b": 6})
        assert states(other) == [(4, "s")]
        # The client for clusters hears signals from redis-py 8 on.
        if signals:
            one.signal("a", b"frame")
            await listener.until(lambda: listener.signals)
    finally:
        await one.stop()
        await other.stop()
    store = RedisStore(make)
    assert await store.put("k", b"v", ttl=60, rev=0) == 1
    assert [key for key, _ in await store.scan("")] == ["k"]
    assert await store.fence("f") > 0
    await store.stop()


@pytest.mark.parametrize("client", ["plain", "cluster"])
async def test_all_keys_live_in_one_slot_of_a_cluster(spawn_redis: SpawnRedis, client: str) -> None:
    """One node with all slots: a script that touched two slots would be refused all the same."""
    server = spawn_redis("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    assert server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383") == "+OK"
    deadline = time.monotonic() + 10
    while not server.ask("SET", "probe", "1").startswith("+OK"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    if client == "plain":
        await prove(connector(server.url))
    else:
        hears = hasattr(redis.asyncio.RedisCluster, "pubsub")
        await prove(lambda: redis.asyncio.RedisCluster.from_url(server.url), signals=hears)


async def test_sentinel_leads_to_the_new_master(spawn_redis: SpawnRedis, tmp_path: Path) -> None:
    """The master is killed; Sentinel makes the replica master, and the bus goes on there."""
    master = spawn_redis(*AOF)
    spawn_redis("--replicaof", "127.0.0.1", str(master.port))
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor board 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds board 300\nsentinel failover-timeout board 3000\n"
    )
    sentinel = subprocess.Popen(["redis-server", str(settings), "--sentinel"], stdout=subprocess.DEVNULL)
    watcher = redis.asyncio.Sentinel([("127.0.0.1", port)], socket_timeout=1)

    def connect() -> Any:  # called on the loop that uses it, so nothing of another loop may be in it
        return redis.asyncio.Sentinel([("127.0.0.1", port)], socket_timeout=1).master_for("board", socket_timeout=5)

    bus = RedisBus(connect, Limits())
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                await watcher.discover_master("board")
                if await watcher.discover_slaves("board"):
                    break
            except redis.exceptions.RedisError:
                pass
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        await bus.start()
        listener = Listener(bus)
        for _ in range(10):
            bus.publish(message("a")).result(5)
        await listener.until(lambda: bus.log.head == 10)
        master.kill()
        deadline = time.monotonic() + 20
        while True:
            try:
                await asyncio.wrap_future(bus.publish(message("a", "after")))
                break
            except Exception:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        # Replication is asynchronous: either all had arrived and the log goes on, or a new epoch has begun.
        await listener.until(lambda: any(b"after" in entry.frame for entry in bus.log._entries.values()))
    finally:
        sentinel.kill()
        sentinel.wait(10)
        await bus.stop()
        for client in watcher.sentinels:
            await client.aclose()


@pytest.mark.matrix
@pytest.mark.parametrize("version", ["5.1.0", "6.*", "7.*", "8.*"])
def test_every_supported_version_of_redis_py(version: str, tmp_path: Path, redis_server: RedisServer) -> None:
    """The contract suites of buses and stores, with redis-py of that version before the installed one."""
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "lib"), f"redis=={version}"],
        check=True, timeout=120,
    )  # fmt: skip
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'lib'}{os.pathsep}{ROOT}"}
    found = subprocess.run(
        [sys.executable, "-c", "import redis; print(redis.__version__)"],
        env=environment, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert found.split(".")[0] == version.split(".")[0]
    suites = ["tests/buses/test_contract.py", "tests/buses/test_redis.py", "tests/stores/test_contract.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "redis", *suites],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    print(f"redis-py {found}: {done.stdout.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout[-5000:]
