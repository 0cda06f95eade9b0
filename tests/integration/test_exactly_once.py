"""A thousand actions over a line that cuts, delays, doubles and drops: a thousand effects."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_line import BadLine
from servers import Server

from tests.fleet import read
from tests.redis_kit import RedisServer

pytestmark = pytest.mark.anyio
AT_ONCE = 40
WITHIN = 60.0  # seconds, all of it


@pytest.mark.parametrize(("store", "workers"), [("memory", 1), ("sqlite", 2), ("redis", 2)])
async def test_a_thousand_actions_have_a_thousand_effects(
    store: str, workers: int, spawn: Callable[..., Server], redis_server: RedisServer, tmp_path: Path
) -> None:
    count, seed = 1000, random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    effects = sqlite3.connect(tmp_path / "effects.db")
    effects.execute("PRAGMA journal_mode = WAL")
    effects.execute("CREATE TABLE effects (number INTEGER)")
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/rt.db", "redis": redis_server.url}[store]
    env = {"RT_STORE": url, "RT_EFFECTS": str(tmp_path / "effects.db"), "RT_NAME": f"once{secrets.token_hex(4)}"}
    options = ("once_app:app", "--port", "0", "--no-access-log", "--log-level", "info")
    servers = [spawn(*options, env=env) for _ in range(workers)]
    addresses = [server.address() for server in servers]
    page = await read(addresses[0], "GET", "/", headers={"Cookie": "who=ada"})
    cookie = "; ".join(["who=ada", *(value.split(";")[0] for name, value in page.headers if name == "set-cookie")])

    tries: Counter[str] = Counter()
    places = asyncio.Semaphore(AT_ONCE)
    async with BadLine(addresses, chance) as line, asyncio.timeout(WITHIN):

        async def act(number: int) -> None:
            async with places:
                key = secrets.token_hex(16)
                while (answer := await send(line.port, number, key, cookie)) != f"did {number}":
                    tries[answer] += 1
                    if answer == "409":
                        await asyncio.sleep(0.05)

        await asyncio.gather(*(act(number) for number in range(count)))

    found = Counter(number for (number,) in effects.execute("SELECT number FROM effects"))
    effects.close()
    print(dict(line.fates), dict(tries))
    assert {number: times for number, times in found.items() if times != 1} == {}
    assert sorted(found) == list(range(count))
    assert min(line.fates.values()) > 10  # else nothing was tried
    assert set(tries) <= {"", "409"}, tries


async def send(port: int, number: int, key: str, cookie: str) -> str:
    """Send an action; return what was answered, its status where that was no success, nothing where it was cut."""
    body = f"number={number}"
    lines = [
        "POST /act HTTP/1.1", "Host: localhost", "Connection: close", f"Cookie: {cookie}", f"Idempotency-Key: {key}",
        "RT-Tab: tab", "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", "", body,
    ]  # fmt: skip
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join(lines).encode())
        head, _, text = (await reader.read()).decode().partition("\r\n\r\n")
    except OSError:
        return ""
    finally:
        writer.close()
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    if len(text) != int(fields.get("content-length") or -1):
        return ""
    status = head.split(" ", 2)[1]
    return text if status == "200" else status
