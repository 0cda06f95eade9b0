"""The store of many workers: Redis 6.2 or later, compare and set by one script."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import NoScriptError, RedisError

from ..exceptions import StoreUnavailable
from .base import Clock, Item, Store, after_prefix, conflict

REPLY: Final = 2.0  # seconds any call may take
CONNECTING: Final = 2.0  # seconds more for the first call of a connection
AGAIN: Final = 0.5  # seconds in which nobody waits anew for a Redis that has just not answered
_AWAY: Final = (RedisError, OSError, TimeoutError)

# Times of keys are Redis's own; "expires" is by the workers' clock. Each change removes some names that are overdue.
_SWEEP: Final = """
local function sweep()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local due = redis.call('ZRANGEBYSCORE', KEYS[3], 0, now, 'LIMIT', 0, 100)
  if #due > 0 then
    redis.call('ZREM', KEYS[2], unpack(due))
    redis.call('ZREM', KEYS[3], unpack(due))
  end
  return now
end
"""
# KEYS 1 item 2 names in order 3 names by expiry; ARGV 1 name 2 wanted revision or "" 3 now in Unix ms
_FIND: Final = """
local found = redis.call('HMGET', KEYS[1], 'rev', 'value', 'expires')
local rev = tonumber(found[1]) or 0
if rev > 0 and tonumber(found[3]) <= tonumber(ARGV[3]) then rev = 0 end
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= rev then return {0, rev, found[2] or '', found[3] or '0'} end
"""
# ARGV 4 value 5 life in ms 6 expiry in Unix ms
_PUT: Final = f"""{_SWEEP}{_FIND}
redis.call('HSET', KEYS[1], 'rev', rev + 1, 'value', ARGV[4], 'expires', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[3], sweep() + ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
for i = 2, 3 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[i], ARGV[5]) end
end
return {{1, rev + 1}}
"""
_DELETE: Final = f"""{_FIND}
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[1])
return {{1, rev}}
"""
_FORGET: Final = f"{_SWEEP}return sweep()"
# KEYS 1 fence; ARGV 1 Unix ms 2 life in ms
_FENCE: Final = """
local number = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', number), 'PX', ARGV[2])
return string.format('%.0f', number)
"""
_FENCE_LIFE: Final = 30 * 24 * 3600 * 1000  # milliseconds


class RedisStore(Store):
    """Keeps items in Redis. `connect` makes a `redis.asyncio` client, such as `Redis.from_url(…)`.

    Several loops may use it: each has a client of its own, let go of by `stop` on that loop.
    """

    survives = True  # as far as Redis itself does

    def __init__(self, connect: Callable[[], Any], *, name: str = "app", clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._connect = connect
        self._clients: dict[
            tuple[int, asyncio.AbstractEventLoop], Any
        ] = {}  # by process, too: sockets cannot be shared
        self._away_until = 0.0  # of the monotonic clock
        self._tag = f"{{htmx-rt:{name}}}:"  # one hash slot
        self._names, self._due = self._tag + "names", self._tag + "due"

    async def start(self) -> None:
        self._client()

    async def stop(self) -> None:
        client = self._clients.pop((os.getpid(), asyncio.get_running_loop()), None)
        if client is not None:
            await client.aclose()

    async def get(self, key: str) -> Item | None:
        self.check(key)
        found = await self._look(lambda redis: redis.hmget(self._item(key), "value", "rev", "expires"))
        return self._live(*found)

    async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
        self.check(key, value, ttl)
        life, expires = max(1, round(ttl * 1000)), self._now() + max(1, round(ttl * 1000))
        return await self._change(_PUT, key, rev, value, life, expires)

    async def delete(self, key: str, *, rev: int | None = None) -> bool:
        self.check(key)
        return await self._change(_DELETE, key, rev) > 0

    async def scan(
        self, prefix: str, *, after: str = "", upto: str | None = None, limit: int = 100
    ) -> list[tuple[str, Item]]:
        self.check_scan(prefix, after, upto, limit)
        last = after_prefix(prefix)
        high = "+" if last is None else f"({last}"
        if upto is not None and (last is None or upto < last):
            high = f"[{upto}"
        low = f"({after}" if after >= prefix and after else f"[{prefix}"
        found: list[tuple[str, Item]] = []
        swept = False
        while len(found) < limit:
            names = await self._look(partial(self._page, low=low, high=high, limit=limit))
            if not names:
                break
            keys = [name.decode() for name in names]
            items = [self._live(*value) for value in await self._look(partial(self._read, keys=keys))]
            found += [(key, item) for key, item in zip(keys, items, strict=True) if item is not None]
            if None in items and not swept:  # names of what has expired
                swept = True
                await self._ask(lambda redis: redis.eval(_FORGET, 3, self._tag, self._names, self._due))
            low = f"({keys[-1]}"
        return found[:limit]

    async def fence(self, name: str) -> int:
        self.check(name)
        key, now = self._tag + "fence:" + name, self._now()
        return int(await self._ask(lambda redis: redis.eval(_FENCE, 1, key, now, _FENCE_LIFE)))

    def _now(self) -> int:
        return round(self.clock() * 1000)

    def _item(self, key: str) -> str:
        return self._tag + "item:" + key

    def _live(self, value: bytes | None, rev: Any, expires: Any) -> Item | None:
        if value is None or int(expires) <= self._now():
            return None
        return Item(value, int(rev), int(expires) / 1000)

    async def _change(self, script: str, key: str, rev: int | None, *more: Any) -> int:
        wanted = "" if rev is None else rev
        keys = (self._item(key), self._names, self._due)
        done, now, *there = await self._ask(partial(_run, script, keys, (key, wanted, self._now(), *more)))
        if done:
            return int(now)
        assert rev is not None
        raise conflict(key, rev, Item(there[0], int(now), int(there[1]) / 1000) if now else None)

    async def _page(self, redis: Any, *, low: str, high: str, limit: int) -> list[bytes]:
        return list(await redis.zrangebylex(self._names, low, high, start=0, num=limit))

    async def _read(self, redis: Any, *, keys: list[str]) -> list[Any]:
        pipe = redis.pipeline(transaction=False)
        for key in keys:
            pipe.hmget(self._item(key), "value", "rev", "expires")
        return list(await pipe.execute())

    def _client(self) -> Any:
        here = (os.getpid(), asyncio.get_running_loop())
        client = self._clients.get(here)
        if client is None:
            for process, loop in tuple(self._clients):
                if process == here[0] and loop.is_closed():
                    self._clients.pop((process, loop), None)
            client = self._clients[here] = self._connect()
        return client

    async def _look(self, call: Callable[[Any], Any]) -> Any:
        """Ask what may be asked twice: a connection may have died unnoticed while nobody used it."""
        try:
            return await self._ask(call)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, NotConnected):
                raise
            return await self._ask(call)

    async def _ask(self, call: Callable[[Any], Any]) -> Any:
        if time.monotonic() < self._away_until:
            raise StoreUnavailable("Redis has just not answered in time.")
        try:
            async with asyncio.timeout(REPLY + CONNECTING):
                return await call(self._client())
        except _AWAY as error:
            if isinstance(error, TimeoutError) or "imeout" in type(error).__name__:
                self._away_until = time.monotonic() + AGAIN
            raise StoreUnavailable(f"Redis cannot be used: {error or type(error).__name__}.") from error


async def _run(script: str, keys: tuple[str, ...], args: tuple[Any, ...], redis: Any) -> Any:
    """Run a script by its digest; by its text where this Redis does not know it, as after a restart."""
    try:
        return await redis.evalsha(_digest(script), len(keys), *keys, *args)
    except NoScriptError:
        return await redis.eval(script, len(keys), *keys, *args)


@cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
