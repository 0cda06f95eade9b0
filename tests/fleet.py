"""Many pages at once, without browsers: each holds one raw stream and does as the extension does.

What it takes from the extension (`js/src/connection.js`): a farewell moves it, at the moment the server names; what
is refused is tried again after Retry-After and a little more; a move is an outage once two seconds have passed since
its first refused try; a line that ends without a farewell is an outage at once.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import secrets
import time
from collections import Counter
from urllib.parse import urlsplit

from htmx_rt import protocol
from htmx_rt.testing import Page, Parser

GRACE = 2.0  # seconds
NUMBER = re.compile(r'id="row-(\d+)"')


async def ask(
    address: str, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int, list[tuple[str, str]]]:
    """Make a request on a connection of its own; return it with status and headers read, the body not."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except BaseException:
        writer.close()
        raise
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
    return reader, writer, int(head[0].split()[1]), pairs


async def read(address: str, method: str, path: str, **options: object) -> Page:
    """Make a request and read all of the answer."""
    headers = {"Connection": "close"} | dict(options.pop("headers", None) or {})  # type: ignore[call-overload]
    reader, writer, status, pairs = await ask(address, method, path, headers=headers, **options)  # type: ignore[arg-type]
    try:
        return Page(status, pairs, (await reader.read()).decode(), path)
    finally:
        writer.close()


class Tab:
    """One page and its stream."""

    def __init__(self, fleet: Fleet, page: Page) -> None:
        self.fleet = fleet
        self.page = page
        self.cookies = "; ".join(value.split(";")[0] for name, value in page.headers if name == "set-cookie")
        self.cursor: str | None = None
        self.seen: list[int] = []  # numbers, in the order they came
        self.states: list[str] = []
        self.refused: list[str] = []  # why tries failed
        self.epochs: list[str] = []
        self.builds: list[str] = []

    async def live(self) -> None:
        """Hold the stream until cancelled."""
        refused_at, wait = 0.0, 0.0
        while True:
            await asyncio.sleep(wait)
            outcome, detail = await self._once()
            if outcome == "moved":
                self._become("moving")
                refused_at, wait = 0.0, detail
            elif outcome == "ended":
                self._become("disconnected")
                wait = random.uniform(0.1, 0.5)
            else:
                refused_at = refused_at or time.monotonic()
                if self.states[-1:] == ["moving"] and time.monotonic() - refused_at > GRACE:
                    self._become("disconnected")
                wait = detail + random.uniform(0.1, 0.5)

    def _become(self, state: str) -> None:
        if self.states[-1:] != [state]:
            self.states.append(state)

    async def _once(self) -> tuple[str, float]:
        """Open the stream once and read it to its end; return how it ended, and how long to wait."""
        key = "fresh" if self.cursor is None else "grants"
        body = {"v": protocol.VERSION, "cursor": self.cursor}
        body["tabs"] = [{"id": self.page.tab, "gen": 1, "vis": True, key: list(self.page.grants.values())}]  # type: ignore[assignment]
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"}
        try:
            reader, writer, status, pairs = await ask(
                self.fleet.address,
                "POST",
                "/_rt/stream",
                body=json.dumps(body).encode(),
                headers=headers | {"Cookie": self.cookies},
            )
        except (OSError, asyncio.IncompleteReadError) as error:
            self.refused.append(type(error).__name__)
            return "refused", 0.0
        try:
            if status != 200:
                self.refused.append(str(status))
                return "refused", float(dict(pairs).get("retry-after", 0))
            return await self._read(reader)
        except OSError:
            return "ended", 0.0
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[str, float]:
        parser, replayed = Parser(), list[int]()
        while chunk := await self._chunk(reader):
            events = parser.feed(chunk)
            for event in events:
                if event.name == protocol.HELLO:
                    if self.states:
                        self.fleet.reconnects.append(time.monotonic())
                    self._become("connected")
                    self.builds.append(event.data["build"])
                    self.fleet.opened.release()
                elif event.name == protocol.OPS:
                    replayed += [int(n) for operation in event.data["ops"] for n in NUMBER.findall(operation[-1])]
                    if event.id is not None:  # a live one; what is replayed has none
                        self._take(replayed, event.id)
                elif event.name == protocol.RESYNC:
                    self.fleet.resyncs[event.data["why"]] += 1
                elif event.name == protocol.BYE:
                    wait = event.data.get("at")
                    return "moved", (random.uniform(0, event.data["in"]) if wait is None else wait) / 1000
            if parser.cursor is not None:
                self._take(replayed, parser.cursor)
        return "ended", 0.0

    def _take(self, numbers: list[int], cursor: str) -> None:
        """Note what came, up to `cursor`: a replay that was cut off counts for nothing, as it comes again."""
        self.seen += numbers
        numbers.clear()
        self.cursor = cursor
        self.fleet.news()

    async def _chunk(self, reader: asyncio.StreamReader) -> bytes:
        """Return the next chunk of a chunked body; nothing at its end, or where it was cut."""
        try:
            size = int(await reader.readuntil(b"\r\n"), 16)
            return (await reader.readexactly(size + 2))[:-2]
        except (asyncio.IncompleteReadError, ValueError):
            return b""


class Fleet:
    """Tabs behind one address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.tabs: list[Tab] = []
        self.reconnects: list[float] = []  # when, by the monotonic clock
        self.resyncs: Counter[str] = Counter()
        self.opened = asyncio.Semaphore(0)
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def board(self, count: int) -> None:
        """Open `count` pages, each in a browser of its own, and wait for their streams."""
        while len(self.tabs) < count:
            pages = [read(self.address, "GET", "/") for _ in range(min(20, count - len(self.tabs)))]
            tabs = [Tab(self, page) for page in await asyncio.gather(*pages)]
            self.tabs += tabs
            self._tasks += [asyncio.create_task(tab.live()) for tab in tabs]
        for _ in range(count):
            await asyncio.wait_for(self.opened.acquire(), 20)

    def news(self) -> None:
        """Something came; whoever waits in `heard` looks again."""
        self._news.set()

    async def heard(self, number: int, within: float) -> None:
        """Wait until every tab has seen `number`."""
        async with asyncio.timeout(within):
            while any(number not in tab.seen[-50:] for tab in self.tabs):
                self._news.clear()
                await self._news.wait()

    async def leave(self) -> None:
        """Close every tab."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def publish(self, until: asyncio.Event, every: float) -> int:
        """Publish numbers from 1 on until told to stop; return the last. What fails is tried again."""
        number = 0
        while not until.is_set():
            number += 1
            path, key = f"/publish/{number}", {"Idempotency-Key": secrets.token_hex(16)}
            while True:
                try:
                    if (await read(self.address, "POST", path, headers=key)).status == 200:
                        break
                except (OSError, asyncio.IncompleteReadError):
                    pass
            await asyncio.sleep(every)
        return number
