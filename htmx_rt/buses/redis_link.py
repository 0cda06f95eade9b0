"""The thread that talks to Redis for one worker: it sends, it tails the log, it carries signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError, RedisError

from ..exceptions import BusUnavailable
from ..frames import Draft
from ..log import new_epoch
from .base import REVOCATION_LIFE, Mark
from .redis import MARK, MESSAGE, Waiting

if TYPE_CHECKING:
    from .redis import RedisBus

log = logging.getLogger("htmx_rt")

BLOCK: Final = 2000  # milliseconds; redis-py's own time-out is 5 s
REPLY: Final = 2.0  # seconds any other call may take
RETRY: Final = (0.1, 1.0)  # seconds between attempts while Redis is away: the first, the longest
LIFE: Final = 25 * 3600 * 1000  # milliseconds; every key expires
BATCH: Final = 100  # messages in one round trip
AWAY: Final = (RedisError, OSError, TimeoutError)
_PUBLISH: Final = files("htmx_rt.buses").joinpath("publish.lua").read_text()
_RENEW: Final = files("htmx_rt.buses").joinpath("renew.lua").read_text()


class Link:
    """Connections to Redis, on a thread and loop of their own."""

    def __init__(self, bus: RedisBus) -> None:
        self.bus = bus
        self.joined: Future[None] = Future()  # done once the log is here for the first time
        self.loop = asyncio.new_event_loop()
        tag = f"{{htmx-rt:{bus.name}}}:"
        self._meta, self._log, self._newest = tag + "meta", tag + "log", tag + "newest"
        self._marks, self._channel, self._states = tag + "marks", tag + "signals", tag + "state:"
        self._event = asyncio.Event()
        self._head = asyncio.Condition()
        self._in_step = False
        self._thread = threading.Thread(target=self._run, name=f"htmx-rt-{bus.name}-redis", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self.loop.call_soon_threadsafe(self._event.set)

    def close(self) -> None:
        """End the thread."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join(timeout=REPLY + 1)

    # The thread

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._main = self.loop.create_task(self._all())
        try:
            with contextlib.suppress(asyncio.CancelledError):
                self.loop.run_until_complete(self._main)
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _all(self) -> None:
        self._client = self.bus.connect()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._again(self._tail))
                group.create_task(self._again(self._listen))
                group.create_task(self._send())
        finally:
            self.bus.refuse(self.bus.outbox, "the bus was stopped")
            self.bus.outbox.clear()
            await self._client.aclose()

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` for ever; after each failure wait a little longer, up to a second."""
        delay = RETRY[0]
        while True:
            started = self.loop.time()
            try:
                await work()
            except AWAY as error:
                if self.bus.up:
                    log.warning("Redis is away (%s); trying again until it is back.", error or type(error).__name__)
                self.bus.up = False
                if self.loop.time() - started > RETRY[1]:
                    delay = RETRY[0]
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, RETRY[1])

    # Sending

    async def _send(self) -> None:
        outbox, signals = self.bus.outbox, self.bus.signals
        while True:
            await self._event.wait()
            self._event.clear()
            while outbox or signals:
                batch = [outbox.popleft() for _ in range(min(BATCH, len(outbox)))]
                words = [signals.popleft() for _ in range(min(BATCH, len(signals)))]
                try:
                    async with asyncio.timeout(REPLY):
                        replies = await self._round_trip(batch, words)
                except AWAY as error:
                    self.bus.up = False
                    self._fail(batch, error)
                    break
                for waiting, reply in zip(batch, replies, strict=True):
                    if isinstance(reply, Exception):
                        self._fail([waiting], reply)
                    elif not waiting.future.done():
                        waiting.future.set_result(reply[1] if waiting.kind == MESSAGE else None)

    def _fail(self, batch: list[Waiting], error: object) -> None:
        # Marks are kept until every worker knows of them; messages fail those who wait for them.
        self.bus.refuse([waiting for waiting in batch if waiting.kind == MESSAGE], error)
        self.bus.outbox.extendleft(reversed([waiting for waiting in batch if waiting.kind == MARK]))

    async def _round_trip(self, batch: list[Waiting], words: list[tuple[str, bytes]]) -> list[Any]:
        replies = await self._pipeline(batch, words)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            # Redis was restarted: none of the batch was run, as all of it is the same script.
            await self._client.script_load(_PUBLISH)
            replies = await self._pipeline(batch, [])
        return replies[: len(batch)]

    async def _pipeline(self, batch: list[Waiting], words: list[tuple[str, bytes]]) -> list[Any]:
        pipe = self._client.pipeline(transaction=False)
        sha = self._client.register_script(_PUBLISH).sha
        limits, now = self.bus.limits, time.time()
        for kind, draft, _, mark in batch:
            keys = (self._meta, self._log, self._newest, self._states + draft.topic)
            body = json.dumps(mark) if mark is not None else draft.tail
            pipe.evalsha(
                sha, len(keys), *keys, new_epoch(), kind, draft.topic, draft.head, body, draft.state or "",
                limits.window, limits.window_bytes, limits.states_per_topic, limits.trimmed_topics, LIFE,
            )  # fmt: skip
        for kind, _, _, mark in batch:
            if kind == MARK and mark is not None:
                pipe.zadd(self._marks, {json.dumps(mark): mark.not_before})
                pipe.zremrangebyscore(self._marks, 0, now - REVOCATION_LIFE)
                pipe.pexpire(self._marks, LIFE)
        for topic, frame in words:
            pipe.publish(self._channel, topic.encode() + b"\0" + frame)
        return list(await pipe.execute(raise_on_error=False))

    # The log

    async def _tail(self) -> None:
        async with asyncio.timeout(REPLY * 2):
            await self._join()
        if not self.bus.up or not self.joined.done():
            self.bus.came_back()
            self._event.set()
        if not self.joined.done():
            self.joined.set_result(None)
        until = self.loop.time() + BLOCK / 1000
        while self.loop.time() < until:
            reply = await self._client.xread({self._log: f"{self.bus.log.head}-0"}, count=500, block=BLOCK)
            if not reply:
                return
            for identity, fields in _entries(reply):
                if fields[b"e"].decode() != self.bus.log.epoch:
                    self._in_step = False
                    return
                self._take(identity, fields)
            self.bus.tell()
            async with self._head:
                self._head.notify_all()

    async def _join(self) -> None:
        """Make sure that our copy is of the log that Redis has now; begin a new epoch where Redis has lost some."""
        mine = self.bus.log
        epoch, head = await self._client.hmget(self._meta, "epoch", "head")
        if epoch is None or (self._in_step and epoch.decode() == mine.epoch and int(head) < mine.head):
            if self._in_step:
                log.warning("Redis has lost messages; every page fetches its topics again.")
            old = mine.epoch if epoch is not None else ""
            epoch, head = await self._client.eval(
                _RENEW, 3, self._meta, self._log, self._newest, old, new_epoch(), LIFE
            )
        if self._in_step and epoch.decode() == mine.epoch:
            return
        first, found = "-", []
        while chunk := await self._client.xrange(self._log, first, "+", count=500):
            found += [(_offset(identity), fields) for identity, fields in chunk]
            first = "(" + chunk[-1][0].decode()
        found = [(offset, fields) for offset, fields in found if fields[b"e"] == epoch]
        self.bus.forget()
        mine.restart(epoch.decode(), found[0][0] - 1 if found else int(head))
        for offset, fields in found:
            mine.put(_draft(fields), offset)
        for mark in await self._client.zrangebyscore(self._marks, time.time() - REVOCATION_LIFE, "+inf"):
            self.bus.obey(Mark(*json.loads(mark)))
        self._in_step = True
        self.bus.tell()

    def _take(self, offset: int, fields: dict[bytes, bytes]) -> None:
        self.bus.log.put(_draft(fields), offset)
        if fields[b"k"] == MARK.encode():
            self.bus.obey(Mark(*json.loads(fields[b"b"])))

    async def prepare(self, topics: list[str], offset: int) -> None:
        """Fetch the states of `topics` and where each was last spoken of, and wait for `offset` to arrive here."""
        if not self.bus.up or not self._in_step:
            raise BusUnavailable("Redis is away.")
        try:
            if topics:
                pipe = self._client.pipeline(transaction=False)
                pipe.zmscore(self._newest, topics)
                for topic in topics:
                    pipe.hgetall(self._states + topic)
                newest, *states = await pipe.execute()
                for topic, last, names in zip(topics, newest, states, strict=True):
                    self.bus.log.recall(
                        topic, int(last or 0), [_state(topic, name, value) for name, value in names.items()]
                    )
                self.bus.know(topics)
            _, head = await self._client.hmget(self._meta, "epoch", "head")
        except AWAY as error:
            raise BusUnavailable(str(error)) from None
        wanted = min(offset, int(head or 0))
        async with self._head:
            await self._head.wait_for(lambda: self.bus.log.head >= wanted)

    # Signals

    async def _listen(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe(self._channel)
            while True:
                message = await listener.get_message(timeout=BLOCK / 1000)
                if message is not None:
                    topic, _, frame = message["data"].partition(b"\0")
                    self.bus.deliver_signal(topic.decode(), frame)


def _entries(reply: Any) -> list[tuple[int, dict[bytes, bytes]]]:
    # A list in RESP2, a dict in RESP3.
    streams = reply.values() if isinstance(reply, dict) else [entries for _, entries in reply]
    flat = [
        entry for entries in streams for entry in (entries[0] if entries and isinstance(entries[0], list) else entries)
    ]
    return [(_offset(identity), fields) for identity, fields in flat]


def _offset(identity: bytes) -> int:
    return int(identity.partition(b"-")[0])


def _draft(fields: dict[bytes, bytes]) -> Draft:
    if fields[b"k"] != MESSAGE.encode():
        return Draft("", b"", b"")
    return Draft(fields[b"t"].decode(), fields[b"h"], fields[b"b"], fields[b"s"].decode() or None)


def _state(topic: str, name: bytes, value: bytes) -> tuple[int, Draft]:
    offset, size, rest = value.split(b":", 2)
    return int(offset), Draft(topic, rest[: int(size)], rest[int(size) :], name.decode())
