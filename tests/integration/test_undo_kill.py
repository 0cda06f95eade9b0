"""Workers killed before, within and after the time of what was deferred: no effect twice, and the truth about each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from servers import Server

from tests.fleet import read
from tests.postgres_kit import postgres_server
from tests.redis_kit import AOF, SpawnRedis

pytestmark = pytest.mark.anyio
LIMITS = {"undo_lease": 1.0, "undo_per_person": 1000, "receipt_lease": 2.0}
Spawn = Callable[..., Server]


class Pair:
    """Two workers, of which at least one lives."""

    def __init__(self, spawn: Spawn, env: dict[str, str]) -> None:
        self._spawn = spawn
        self._env = env
        self.cookie = "who=ada"
        self.workers = [self._start(), self._start()]
        self.addresses = [worker.address() for worker in self.workers]

    def _start(self) -> Server:
        return self._spawn("undo_app:app", "--port", "0", "--no-access-log", env=self._env)

    async def kill(self, number: int) -> None:
        """Kill one at once, and start another in its place."""
        self.workers[number].signal(signal.SIGKILL)
        self.workers[number] = await asyncio.to_thread(self._start)
        self.addresses[number] = await asyncio.to_thread(self.workers[number].address)

    async def ask(self, method: str, path: str, **headers: str) -> str:
        """Ask whoever answers."""
        own = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
        if method == "POST":
            own["Idempotency-Key"] = secrets.token_hex(16)
        async with asyncio.timeout(20):
            while True:
                for address in self.addresses:
                    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                        page = await read(address, method, path, headers=own | headers)
                        self.cookie = "; ".join(
                            ["who=ada", *(value.split(";")[0] for name, value in page.headers if name == "set-cookie")]
                        ) if "set-cookie" in dict(page.headers) else self.cookie  # fmt: skip
                        if page.status in (200, 409) and page.text:
                            return page.text
                await asyncio.sleep(0.05)


@pytest.fixture(params=["sqlite", "redis and postgresql"])
async def env(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    own = {"RT_NAME": f"kill{secrets.token_hex(4)}", "RT_LIMITS": json.dumps(LIMITS)}
    if request.param == "sqlite":
        effects = f"sqlite+aiosqlite:///{tmp_path}/effects.db"
        yield own | {"RT_STORE": f"sqlite:///{tmp_path}/rt.db", "RT_EFFECTS": effects}
        return
    spawn_redis: SpawnRedis = request.getfixturevalue("spawn_redis")
    with postgres_server() as effects:
        yield own | {"RT_STORE": spawn_redis(*AOF).url, "RT_EFFECTS": effects}


@pytest.mark.parametrize(("items", "kills"), [(20, 6), pytest.param(48, 60, marks=pytest.mark.soak)])
async def test_workers_are_killed_at_any_moment(env: dict[str, str], spawn: Spawn, items: int, kills: int) -> None:
    seed = random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    pair = Pair(spawn, env)
    await pair.ask("GET", "/")
    await pair.ask("POST", "/create")

    async def kill() -> None:
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0, 1.0))
            await pair.kill(chance.randrange(2))

    killing = asyncio.create_task(kill())
    undone: set[tuple[str, int]] = set()
    for item in range(items):
        for kind in ("charge", "mail"):
            id = await pair.ask("POST", f"/defer/{kind}/{item}")
            if chance.random() < 0.2:
                answer = json.loads(await pair.ask("POST", f"/_rt/undo/{id}"))
                if answer.get("state") == "undone":
                    undone.add((kind, item))
        await asyncio.sleep(chance.uniform(0, 0.4))
    await killing

    async with asyncio.timeout(30):
        while True:
            found = json.loads(await pair.ask("GET", "/_rt/undo"))
            if not any(one["state"] in ("pending", "running") for one in found):
                break
            await asyncio.sleep(0.2)
    counts = Counter({(kind, item): count for kind, item, count in json.loads(await pair.ask("GET", "/counts"))})
    states = Counter((one["action"], one["state"]) for one in found)
    print(dict(states))

    assert len(found) == 2 * items
    assert all(count == 1 for count in counts.values()), (seed, counts)
    assert not undone & set(counts), seed
    # With a mark in the transaction: exactly once, and known to be.
    assert {state for action, state in states if action == "charge"} <= {"done", "undone"}, (seed, states)
    assert states["charge", "done"] == sum(kind == "charge" for kind, _ in counts), seed
    # Without: at most once, and "done" only what is.
    assert {state for action, state in states if action == "mail"} <= {"done", "undone", "unknown"}, (seed, states)
    mails = sum(kind == "mail" for kind, _ in counts)
    assert states["mail", "done"] <= mails <= states["mail", "done"] + states["mail", "unknown"], seed
