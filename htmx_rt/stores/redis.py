"""The store of many workers: Redis 6.2 or later, compare and set by one script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from redis.exceptions import RedisError

from ..exceptions import StoreUnavailable
from .base import Clock, Item, Store, after_prefix, conflict

REPLY: Final = 2.0  # seconds any call may take
_AWAY: Final = (RedisError, OSError, TimeoutError)

# KEYS 1 item 2 index; ARGV 1 name 2 wanted revision or "" 3 value 4 life in ms 5 expiry in Unix ms
_PUT: Final = """
local found = redis.call('HMGET', KEYS[1], 'rev', 'value', 'expires')
local rev = tonumber(found[1]) or 0
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= rev then return {0, rev, found[2] or '', found[3] or '0'} end
redis.call('HSET', KEYS[1], 'rev', rev + 1, 'value', ARGV[3], 'expires', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
return {1, rev + 1}
"""
_DELETE: Final = """
local found = redis.call('HMGET', KEYS[1], 'rev', 'value', 'expires')
local rev = tonumber(found[1]) or 0
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= rev then return {0, rev, found[2] or '', found[3] or '0'} end
redis.call('ZREM', KEYS[2], ARGV[1])
return {1, redis.call('DEL', KEYS[1])}
"""
# KEYS 1 fence; ARGV 1 Unix ms 2 life in ms
_FENCE: Final = """
local number = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', number), 'PX', ARGV[2])
return string.format('%.0f', number)
"""
_FENCE_LIFE: Final = 30 * 24 * 3600 * 1000  # milliseconds


class RedisStore(Store):
    """Keeps items in Redis. `connect` makes a `redis.asyncio` client, such as `Redis.from_url(…)`."""

    survives = True  # as far as Redis itself does

    def __init__(self, connect: Callable[[], Any], *, name: str = "app", clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._connect = connect
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tag = f"{{htmx-rt:{name}}}:"  # one hash slot
        self._index = self._tag + "index"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._client, self._loop = self._connect(), loop

    async def stop(self) -> None:
        client, self._client, self._loop = self._client, None, None
        if client is not None:
            await client.aclose()

    async def get(self, key: str) -> Item | None:
        found = await self._ask(lambda redis: redis.hmget(self._item(key), "value", "rev", "expires"))
        return _item(*found)

    async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
        self.check(key, value, ttl)
        life = max(1, round(ttl * 1000))
        wanted = "" if rev is None else rev
        expires = round((self.clock() + ttl) * 1000)
        answer = await self._ask(
            lambda redis: redis.eval(_PUT, 2, self._item(key), self._index, key, wanted, value, life, expires)
        )
        return self._settle(key, rev, answer)

    async def delete(self, key: str, *, rev: int | None = None) -> bool:
        wanted = "" if rev is None else rev
        answer = await self._ask(lambda redis: redis.eval(_DELETE, 2, self._item(key), self._index, key, wanted))
        return bool(self._settle(key, rev, answer))

    async def scan(
        self, prefix: str, *, after: str = "", upto: str | None = None, limit: int = 100
    ) -> list[tuple[str, Item]]:
        last = min(upto, after_prefix(prefix)) if upto is not None else after_prefix(prefix)
        low = f"({after}" if after >= prefix and after else f"[{prefix}"
        found: list[tuple[str, Item]] = []
        while len(found) < limit:
            names = await self._ask(partial(self._names, low=low, last=last, limit=limit))
            if not names:
                break
            keys = [name.decode() for name in names]
            values = await self._ask(partial(self._read, keys=keys))
            gone = [key for key, value in zip(keys, values, strict=True) if value[0] is None]
            if gone:  # expired: only the index still knew them
                await self._ask(partial(self._forget, keys=gone))
            found += [
                (key, item) for key, value in zip(keys, values, strict=True) if (item := _item(*value)) is not None
            ]
            low = f"({keys[-1]}"
        return found[:limit]

    async def fence(self, name: str) -> int:
        self.check(name)
        now = round(self.clock() * 1000)
        return int(await self._ask(lambda redis: redis.eval(_FENCE, 1, self._tag + "fence:" + name, now, _FENCE_LIFE)))

    def _item(self, key: str) -> str:
        return self._tag + "item:" + key

    async def _names(self, redis: Any, *, low: str, last: str, limit: int) -> list[bytes]:
        return list(await redis.zrangebylex(self._index, low, f"[{last}", start=0, num=limit))

    async def _forget(self, redis: Any, *, keys: list[str]) -> None:
        await redis.zrem(self._index, *keys)

    async def _read(self, redis: Any, *, keys: list[str]) -> list[Any]:
        pipe = redis.pipeline(transaction=False)
        for key in keys:
            pipe.hmget(self._item(key), "value", "rev", "expires")
        return list(await pipe.execute())

    def _settle(self, key: str, rev: int | None, answer: list[Any]) -> int:
        if answer[0] == 1:
            return int(answer[1])
        assert rev is not None
        present = _item(answer[2], answer[1], answer[3]) if answer[1] else None
        raise conflict(key, rev, present)

    async def _ask(self, call: Callable[[Any], Any]) -> Any:
        await self.start()
        try:
            async with asyncio.timeout(REPLY):
                return await call(self._client)
        except _AWAY as error:
            raise StoreUnavailable(f"Redis cannot be used: {error or type(error).__name__}.") from None


def _item(value: bytes | None, rev: Any, expires: Any) -> Item | None:
    return None if value is None else Item(value, int(rev), int(expires) / 1000)
