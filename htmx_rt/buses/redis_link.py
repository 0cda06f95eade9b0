"""The thread that talks to Redis for one worker: it sends, it follows the log, it carries signals."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import logging
import os
import random
import secrets
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TimedOut

from ..exceptions import BusUnavailable
from ..frames import base36, resync_draft
from ..log import new_epoch
from .base import Mark
from .outbox import Waiting, settle
from .redis_scripts import PUBLISH, SIGNAL, Keys, publishing
from .redis_tail import REPLY, OutOfStep, Tail

if TYPE_CHECKING:
    from .redis import RedisBus

log = logging.getLogger("htmx_rt")

RETRY: Final = (0.1, 1.0)  # seconds between attempts while Redis is away: the first, the longest
FLUSH: Final = 1.0  # seconds in which what waits is sent when we stop
MEND: Final = 1.0  # seconds between attempts to resync what was refused
SILENCE: Final = 10.0  # seconds without a signal until the subscription is asked whether it is there
GONE: Final = (NotConnected, TimedOut, OSError, TimeoutError)
AWAY: Final = (RedisError, OSError, TimeoutError)


class Link:
    """Connections to Redis, on a thread and loop of their own."""

    def __init__(self, bus: RedisBus) -> None:
        self.bus = bus
        self.joined: Future[None] = Future()  # done once the log is here for the first time
        self.listening: Future[None] = Future()  # done once signals are heard
        self._keys = Keys(bus.name)
        self._name = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._work, self._words = asyncio.Event(), asyncio.Event()
        self._sending = asyncio.Lock()
        self._ending = asyncio.Event()
        self._client: Any = None
        self._tail: Tail | None = None
        self._trouble = ""  # what Redis refuses messages for
        self._thread = threading.Thread(target=self._run, name=f"htmx-rt-{bus.name}-redis", daemon=True)
        self._thread.start()
        self._process = os.getpid()
        atexit.register(self.close)  # a script may publish and end

    def wake(self) -> None:
        """There is something to send."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._loop.call_soon_threadsafe(self._wake)

    def prepare(self, topics: list[str], offset: int) -> Future[None]:
        """Fetch the states of `topics`, and wait until `offset` is here. Raised where Redis is away: `BusUnavailable`."""
        asked = self._prepare(topics, offset)
        try:
            return asyncio.run_coroutine_threadsafe(asked, self._loop)
        except RuntimeError:
            asked.close()
            raise BusUnavailable("The bus was stopped.") from None

    def close(self) -> None:
        """Send what waits, end the thread, and wait for it."""
        atexit.unregister(self.close)
        if os.getpid() != self._process:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout=FLUSH + REPLY)

    # The thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._all())
        except BaseException:
            log.exception("The thread that talks to Redis has ended; nothing is sent any more.")
            self.bus.up = False
        finally:
            rest = asyncio.all_tasks(self._loop)
            for task in rest:
                task.cancel()
            if rest:
                self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _all(self) -> None:
        self._client = self.bus.connect()
        self._tail = tail = Tail(self.bus, self._client, self._keys, self._came_back)
        jobs = (tail.follow, self._listen, self._send, self._speak, self._mend)
        tasks = [asyncio.create_task(self._again(job, vital=job == tail.follow)) for job in jobs]
        try:
            await self._ending.wait()
            if self.bus.up:
                with contextlib.suppress(TimeoutError, *AWAY):
                    async with asyncio.timeout(FLUSH):
                        await self._send_all()
                        self._words.set()  # the last of them may say that this worker ends
                        await self._speak()
        finally:
            self._ending.set()
            waiting = set(tasks)
            while waiting:  # redis-py loses a cancellation now and then
                for task in waiting:
                    task.cancel()
                _, waiting = await asyncio.wait(waiting, timeout=0.05)
            sentinel = getattr(getattr(self._client, "connection_pool", None), "sentinel_manager", None)
            for client in (self._client, *getattr(sentinel, "sentinels", ())):
                with contextlib.suppress(*AWAY):
                    await client.aclose()
            if self.bus._link in (None, self):  # else its successor sends the rest
                self.bus.outbox.refuse_messages("the bus was stopped")
                self.bus.outbox.refuse_marks("the bus was stopped")

    async def _again(self, job: Callable[[], Awaitable[None]], *, vital: bool) -> None:
        """Do `job` for ever; after each failure wait a little longer, up to a second."""
        delay = RETRY[0]
        while not self._ending.is_set():
            started = self._loop.time()
            try:
                await job()
                continue
            except OutOfStep as error:
                log.debug("Out of step with the log: %s", error)
            except AWAY as error:
                if vital:
                    self._lost(error)
                    await self._drop()
            except Exception:
                log.exception("Talking to Redis failed; trying again.")
            if self._loop.time() - started > RETRY[1]:
                delay = RETRY[0]
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, RETRY[1])

    def _lost(self, error: BaseException) -> None:
        if self.bus.up:
            log.warning("Redis is away (%s); trying again until it is back.", error or type(error).__name__)
        self.bus.up = False
        self.bus.outbox.refuse_messages("Redis cannot be reached")  # rather than let them wait for who knows how long

    async def _drop(self) -> None:
        """Let go of connections that nobody uses: they are as dead as the one that failed, and would fail once each."""
        pool = getattr(self._client, "connection_pool", None)
        if pool is not None:
            with contextlib.suppress(*AWAY):
                await pool.disconnect(inuse_connections=False)

    def _came_back(self) -> None:
        if not self.bus.up:
            log.info("Redis is back.")
        self.bus.up = True
        settle(self.joined, None)
        self._wake()

    def _wake(self) -> None:
        self._work.set()
        self._words.set()

    # Sending

    async def _send(self) -> None:
        await self._work.wait()
        self._work.clear()
        await self._send_all()

    async def _send_all(self) -> None:
        async with self._sending:
            while batch := self.bus.outbox.take():
                if not await self._post(batch):
                    return

    async def _post(self, batch: list[Waiting]) -> bool:
        """Put `batch` into the log, or tell all who wait that it is not known to be there; return whether Redis answers."""
        assert self._tail is not None
        name = f"{self._name}{base36(next(self._numbers))}"
        keys, arguments = publishing(
            self._keys, self.bus.limits, [waiting.item for waiting in batch],
            epoch=new_epoch(), batch=name, now=self.bus.wall_clock(),
        )  # fmt: skip
        try:
            async with asyncio.timeout(REPLY):
                epoch, first = await PUBLISH.run(self._client, keys, arguments)
        except GONE as error:
            self.bus.outbox.refuse(batch, error or "Redis did not answer in time")
            self._lost(error)
            return False
        except RedisError as error:  # it answers, and will not: out of memory, read-only, not the master
            if not self._trouble:
                log.error("Redis refuses messages (%s); their topics are fetched again when it takes them.", error)
            self._trouble = str(error)
            self.bus.outbox.refuse(batch, error)
            return not any(isinstance(waiting.item, Mark) for waiting in batch)  # those are tried again, not at once
        except BaseException:
            self.bus.outbox.refuse(batch, "the bus was stopped")
            raise
        self._trouble = ""
        self._tail.acknowledged(epoch, first + len(batch) - 1, name.encode())
        for place, waiting in enumerate(batch):
            settle(waiting.future, None if isinstance(waiting.item, Mark) else first + place)
        return True

    async def _mend(self) -> None:
        """Resync what was refused, and send again the marks that were."""
        await asyncio.sleep(MEND)
        outbox = self.bus.outbox
        if not self.bus.up:
            outbox.refuse_messages("Redis cannot be reached")  # what came just when it was lost
        elif outbox.waiting:
            self._work.set()
        if outbox.flooded and self._tail is not None:
            outbox.flooded = False
            self._tail.distrust()
        while self.bus.up and (topics := outbox.soiled()):
            batch = [Waiting(resync_draft(topic, "failed"), Future()) for topic in topics]
            if not await self._post(batch) or self._trouble:
                return

    # Signals

    async def _speak(self) -> None:
        await self._words.wait()
        self._words.clear()
        words = [topic.encode() + b"\0" + frame for topic, frame in self.bus.outbox.take_signals()]
        if words:
            async with asyncio.timeout(REPLY):
                await SIGNAL.run(self._client, [self._keys.channel], words)

    async def _listen(self) -> None:
        await asyncio.shield(asyncio.wrap_future(self.joined))  # a cluster's client has to find its nodes first
        if not hasattr(self._client, "pubsub"):
            log.error("%s of this redis-py hears no signals; redis-py 8 does.", type(self._client).__name__)
            settle(self.listening, None)
            await self._ending.wait()
            return
        async with self._client.pubsub() as listener:
            async with asyncio.timeout(2 * REPLY):
                await listener.subscribe(self._keys.channel)
            asked = False
            while True:
                message = await listener.get_message(ignore_subscribe_messages=False, timeout=SILENCE)
                if message is None:
                    if asked:
                        raise TimeoutError("the subscription is dead")
                    async with asyncio.timeout(REPLY):
                        await listener.ping()
                    asked = True
                    continue
                asked = False
                if message["type"] == "subscribe":
                    settle(self.listening, None)
                elif message["type"] == "message":
                    topic, _, frame = message["data"].partition(b"\0")
                    self.bus.deliver_signal(topic.decode(), frame)

    async def _prepare(self, topics: list[str], offset: int) -> None:
        if self._tail is None or not self.bus.up:
            raise BusUnavailable("Redis is away.")
        try:
            await self._tail.prepare(topics, offset)
        except AWAY as error:
            raise BusUnavailable(str(error)) from None
        except asyncio.CancelledError:
            raise BusUnavailable("The bus was stopped.") from None
