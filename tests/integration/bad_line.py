"""A line between browsers and servers that does everything wrong that a line can, by chance and repeatably."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from urllib.parse import urlsplit

FATES = {
    "passed": 40,
    "delayed": 10,
    "cut before": 10,
    "cut in the request": 8,
    "cut after the request": 8,
    "answer dropped": 8,
    "cut in the answer": 8,
    "doubled": 8,
}  # in percent


class BadLine:
    """A TCP proxy in front of HTTP servers, one request a connection; `fates` counts what happened."""

    def __init__(self, addresses: list[str], chance: random.Random) -> None:
        self.fates: Counter[str] = Counter()
        self.port = 0
        self._targets = [(urlsplit(address).hostname, urlsplit(address).port) for address in addresses]
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._left: set[asyncio.Task[bytes]] = set()  # requests whose answers nobody waits for

    async def __aenter__(self) -> BadLine:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
                )
                writer.write(await self._answer(head + await reader.readexactly(length)))
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, request: bytes) -> bytes:
        fate = self._chance.choices(list(FATES), list(FATES.values()))[0]
        target, other = self._chance.sample(self._targets * 2, 2)
        part = self._chance.random()
        self.fates[fate] += 1
        if fate == "cut before":
            return b""
        if fate == "delayed":
            await asyncio.sleep(part * 0.05)
        if fate == "cut in the request":
            await self._forward(target, request[: int(part * len(request))], hurry=True)
            return b""
        if fate == "cut after the request":  # some servers notice that nobody is there any more, some do not
            self._leave(self._forward(target, request, hurry=part < 0.5))
            return b""
        if fate == "doubled":
            self._leave(self._forward(other, request))
        answer = await self._forward(target, request)
        if fate == "answer dropped":
            return b""
        return answer[: int(part * len(answer))] if fate == "cut in the answer" else answer

    def _leave(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._left.add(task)
        task.add_done_callback(self._left.discard)

    async def _forward(self, target: tuple[str | None, int | None], request: bytes, *, hurry: bool = False) -> bytes:
        reader, writer = await asyncio.open_connection(*target)
        try:
            writer.write(request)
            await writer.drain()
            return b"" if hurry else await reader.read()
        except OSError:
            return b""
        finally:
            writer.close()
