"""This worker's copy of the log, kept in step with the one in Redis."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..log import Recalled, new_epoch
from .base import REVOCATION_LIFE, Mark
from .redis_scripts import JOIN, LIFE, MARK, RECALL, Found, Keys, entries, entry, mark_of, member, recalled

if TYPE_CHECKING:
    from .redis import RedisBus

log = logging.getLogger("htmx_rt")
_T = TypeVar("_T")

BLOCK: Final = 2000  # milliseconds; redis-py 8 gives up a read after 5 s
REPLY: Final = 2.0  # seconds any other call may take
CHUNK: Final = 500  # entries or topics in one call


class OutOfStep(Exception):
    """Raised if what was read does not follow from what is here; joining again decides."""


class Tail:
    """Follows the log of Redis from this worker's own position.

    An offset alone does not tell whether the log is still the one that was read: it may have been restored from an
    older copy and written further. So each entry names its batch and the batch before it, and the chain is checked
    at every step.
    """

    def __init__(self, bus: RedisBus, client: Any, keys: Keys, joined: Callable[[], None]) -> None:
        self.bus = bus
        self._client = client
        self._keys = keys
        self._joined = joined
        self._news = asyncio.Condition()
        self._in_step = False  # our copy is a part of the log, up to its head
        self._broken = False  # the log is not the one that we have a copy of
        self._last = b""  # batch of the entry at our head
        self._acknowledged = (0, b"")  # the newest message of our own: offset and batch

    async def follow(self) -> None:
        """Join, then take what comes for some seconds. Raised where Redis is away or the log is another: see above."""
        await self._join()
        self._joined()
        self.bus.tell()
        await self._notify()
        until = time.monotonic() + BLOCK / 1000
        while time.monotonic() < until:
            async with asyncio.timeout(BLOCK / 1000 + 2 * REPLY):
                place = {self._keys.log: f"{self.bus.log.head}-0"}
                reply = await self._client.xread(place, count=CHUNK, block=BLOCK)
            if not reply:
                return
            try:
                self._take(entries(reply))
            except ValueError as error:
                self._broken = True
                raise OutOfStep(str(error)) from None
            finally:
                self.bus.tell()
                await self._notify()

    def acknowledged(self, epoch: bytes, offset: int, batch: bytes) -> None:
        """Note that Redis has taken a message of ours: a log without it has lost something."""
        if self._in_step and epoch.decode() == self.bus.log.epoch:
            self._acknowledged = (offset, batch)

    def distrust(self) -> None:
        """Begin a new epoch at the next opportunity."""
        self._broken = True

    async def prepare(self, topics: list[str], offset: int) -> None:
        """Fetch what is known of `topics`, and wait until `offset` is here if it is anywhere."""
        async with self._news:
            await self._news.wait_for(lambda: self._in_step)
        for some in pieces(topics):
            epoch, head, found = await self._recall(some)
            if epoch == self.bus.log.epoch:
                self.bus.log.recall(found)
                self.bus.know(some)
            offset = min(offset, head)
        if not topics:
            _, head, _ = await self._recall(())
            offset = min(offset, head)
        async with self._news:
            await self._news.wait_for(lambda: self.bus.log.head >= offset)

    # Joining

    async def _join(self) -> None:
        """Make sure that our copy is of the log that Redis has now; begin a new epoch where Redis has lost some."""
        mine = self.bus.log
        known = mine.epoch if self._in_step else ""
        arguments = [
            known, mine.head, self._last, self._acknowledged[0], "1" if self._broken else "0", new_epoch(), LIFE,
        ]  # fmt: skip
        async with asyncio.timeout(2 * REPLY):  # the connection may have to be made first
            name, head, last = await JOIN.run(
                self._client, [self._keys.meta, self._keys.log, self._keys.newest], arguments
            )
        epoch = name.decode()
        self._broken = False
        if known == epoch:
            return
        lost = self._in_step and known != epoch
        await self._load(epoch, int(head), last)
        if lost:
            log.warning("The log began anew, as Redis has lost some of it; every page fetches its topics again.")
            await self._remind()

    async def _load(self, epoch: str, head: int, last: bytes) -> None:
        """Take the window as it is, at once: no reader is served from half of it."""
        found = await self._window(epoch, head)
        if found and (found[-1].offset, found[-1].batch) != (head, last):
            raise OutOfStep("The log was written anew while it was read.")
        mine = self.bus.log
        known: list[Recalled] = []
        if epoch == mine.epoch:
            for some in pieces(self.bus.known):
                known += (await self._recall(some))[2]
        else:
            self.bus.forget()
        marks = [mark async for mark in self._marks()]
        base = found[0].offset - 1 if found else head
        mine.restart(epoch, base, entries=[(each.offset, each.draft) for each in found], recalled=known)
        self._last, self._acknowledged, self._in_step = last, (0, b""), True
        self.bus.obey(marks)

    async def _window(self, epoch: str, head: int) -> list[Found]:
        """Return the unbroken end of the log up to `head`."""
        found: list[Found] = []
        first = "-"
        while True:
            async with asyncio.timeout(REPLY):
                chunk = await self._client.xrange(self._keys.log, first, str(head), count=CHUNK)
            for identity, fields in chunk:
                try:
                    each = entry(identity, fields)
                except ValueError:
                    found = []
                    continue
                if found and (each.offset != found[-1].offset + 1 or each.before != found[-1].batch):
                    found = []
                if each.epoch == epoch:
                    found.append(each)
            if len(chunk) < CHUNK:
                return found
            first = "(" + chunk[-1][0].decode()

    async def _marks(self) -> AsyncIterator[Mark]:
        oldest = self.bus.wall_clock() - REVOCATION_LIFE
        for key in (self._keys.browsers, self._keys.topics):
            start, count = 0, CHUNK
            while count == CHUNK:
                async with asyncio.timeout(REPLY):
                    pairs = await self._client.zrangebyscore(key, oldest, "+inf", start, CHUNK, withscores=True)
                for text, score in pairs:
                    if (mark := mark_of(text, float(score))) is not None:
                        yield mark
                start, count = start + CHUNK, len(pairs)

    async def _remind(self) -> None:
        """Tell Redis of the revocations that it may have lost."""
        marks = self.bus.revocations.all()
        for kind, key in (("browser", self._keys.browsers), ("topic", self._keys.topics)):
            for some in pieces([mark for mark in marks if mark.kind == kind]):
                async with asyncio.timeout(REPLY):
                    await self._client.zadd(key, {member(mark): mark.not_before for mark in some}, gt=True)
                    await self._client.pexpire(key, LIFE)

    async def _recall(self, topics: Sequence[str]) -> tuple[str, int, list[Recalled]]:
        keys = [self._keys.meta, self._keys.newest, *(self._keys.states(topic) for topic in topics)]
        async with asyncio.timeout(REPLY):
            answer = await RECALL.run(self._client, keys, topics)
        return recalled(topics, answer, now=self.bus.wall_clock(), oldest=self.bus.limits.state_age)

    # Following

    def _take(self, found: list[Found]) -> None:
        mine = self.bus.log
        for each in found:
            if each.epoch != mine.epoch:
                self._in_step = False
                raise OutOfStep("a new epoch")
            if each.offset != mine.head + 1:
                # Trimmed before we read it: what it was is lost to us, but not what it left behind.
                self._in_step = False
                raise OutOfStep(f"{each.offset} follows {mine.head}")
            offset, batch = self._acknowledged
            if each.before != self._last or (each.offset == offset and each.batch != batch):
                self._broken = True
                raise OutOfStep(f"{each.offset} is not what it was")
            mine.put(each.draft, each.offset)
            self._last = each.batch
            if each.kind == MARK and (mark := mark_of(each.body)) is not None:
                self.bus.obey([mark])

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


def pieces(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield `items` in the pieces that one call takes."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
