"""A bus over encode/broadcaster, for those who have it already. At most once; prefer `bus="redis://…"`.

    from broadcaster import Broadcast
    rt = Realtime(bus=BroadcasterBus(lambda: Broadcast("postgres://…")), …)

What you give up: there is no common log, so each worker has an epoch of its own, and a page that opens its stream on
another worker than the one that rendered it fetches its topics again (sticky sessions spare it that). What is
published while the backend is away is lost for other workers, silently to their readers until the next echo is missed;
then they fetch again. Order between workers is not kept. Revocations do not reach workers that start later.
broadcaster 0.3.1 queues without bound, never reconnects (we make a new one when our own echo fails to come back), and
its Redis backend delivers nothing with redis-py 8.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ..buses.base import Bus, Mark, Revocations
from ..exceptions import BusUnavailable
from ..frames import Draft
from ..log import Log, new_epoch
from ..types import Limits

if TYPE_CHECKING:
    from broadcaster import Broadcast

log = logging.getLogger("htmx_rt")

ECHO: Final = 5.0  # seconds between words to ourselves; twice that without one means that nobody is heard
SENDING: Final = 5.0  # seconds the backend may take for a message
WAITING: Final = 1_000  # messages on their way to the backend


class BroadcasterBus(Bus):
    """Carries messages at most once, over the channel `htmx-rt:<name>` of whatever `make` returns, e.g. `Broadcast(url)`."""

    shared = True

    def __init__(
        self, make: Callable[[], Broadcast], limits: Limits | None = None, *, name: str = "app", echo: float = ECHO
    ) -> None:
        super().__init__()
        self.log = Log(limits or Limits())
        self.revocations = Revocations(limits or Limits())
        self._make = make
        self._channel = f"htmx-rt:{name}"
        self._echo = echo
        self._worker = secrets.token_hex(4)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._broadcast: Broadcast | None = None
        self._heard = asyncio.Event()
        self._waiting = 0

    async def start(self) -> None:
        """Connect on the running loop, which stays the one that talks to the backend."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self._run())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), 2 * self._echo)

    async def stop(self) -> None:
        if self._loop is asyncio.get_running_loop() and self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._loop = self._task = None

    def publish(self, draft: Draft) -> Future[int]:
        offset = self.log.append(draft).offset
        for listener in self._listeners:
            listener.grown()
        parts = [draft.topic, draft.head.decode(), draft.tail.decode(), draft.state]
        return self._send("m", parts, offset)

    def signal(self, topic: str, frame: bytes) -> None:
        for listener in self._listeners:
            listener.signalled(topic, frame)
        self._send("s", [topic, frame.decode()], None)

    def revoke(self, mark: Mark) -> Future[None]:
        self._obey(mark)
        return self._send("x", list(mark), None)

    def _obey(self, mark: Mark) -> None:
        if self.revocations.add(mark):
            for listener in self._listeners:
                listener.marked(mark)

    def _send(self, kind: str, parts: list[Any], value: Any) -> Future[Any]:
        """Send to the others; the future holds `value` once the backend has taken it."""
        future: Future[Any] = Future()
        loop = self._loop
        if loop is None or loop.is_closed() or self._waiting >= WAITING:
            why = "the bus was not started" if loop is None else "too much waits to be sent"
            future.set_exception(BusUnavailable(f"Other workers do not hear of this: {why}."))
            return future
        self._waiting += 1
        text = json.dumps([self._worker, kind, *parts])
        sending = asyncio.run_coroutine_threadsafe(self._pass_on(text), loop)

        def done(sent: Future[None]) -> None:
            self._waiting -= 1
            error = BusUnavailable("The bus was stopped.") if sent.cancelled() else sent.exception()
            if error is None:
                future.set_result(value)
            else:
                log.warning("Other workers were not told: %s", error)
                future.set_exception(BusUnavailable(f"Other workers do not hear of this: {error}."))

        sending.add_done_callback(done)
        return future

    async def _pass_on(self, text: str) -> None:
        if self._broadcast is None:
            raise BusUnavailable("the backend cannot be reached")
        async with asyncio.timeout(SENDING):
            await self._broadcast.publish(self._channel, text)

    async def _run(self) -> None:
        while True:
            try:
                async with self._make() as broadcast, broadcast.subscribe(self._channel) as subscriber:
                    self._broadcast = broadcast
                    listening = asyncio.create_task(self._listen(subscriber))
                    try:
                        await self._watch()
                    finally:
                        self._broadcast = None
                        listening.cancel()
                        await asyncio.gather(listening, return_exceptions=True)
            except Exception as error:
                log.error("broadcaster delivers nothing (%s); a new one is made.", error or type(error).__name__)
            # Something may have been missed, and nobody can tell what.
            self.log.restart(new_epoch(), self.log.head)
            for listener in self._listeners:
                listener.grown()
            await asyncio.sleep(min(1.0, self._echo))

    async def _watch(self) -> None:
        """Return never. Raised where our own words do not come back: `TimeoutError`."""
        while True:
            self._heard.clear()
            await self._pass_on(json.dumps([self._worker, "echo"]))
            try:
                async with asyncio.timeout(2 * self._echo):
                    await self._heard.wait()
            except TimeoutError:
                raise TimeoutError("its own echo did not come back") from None
            await asyncio.sleep(self._echo)

    async def _listen(self, subscriber: Any) -> None:
        while True:
            event = await subscriber.get()
            try:
                worker, kind, *parts = json.loads(event.message)
                if worker == self._worker:
                    self._heard.set()
                else:
                    self._take(kind, parts)
            except (ValueError, TypeError, AttributeError, KeyError):
                log.warning("Something on %r is none of ours: %.80r", self._channel, event.message)

    def _take(self, kind: str, parts: list[Any]) -> None:
        if kind == "m":
            topic, head, tail, state = parts
            self.log.append(Draft(topic, head.encode(), tail.encode(), state))
            for listener in self._listeners:
                listener.grown()
        elif kind == "s":
            topic, frame = parts
            for listener in self._listeners:
                listener.signalled(topic, frame.encode())
        elif kind == "x":
            self._obey(Mark(*parts))
