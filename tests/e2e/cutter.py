"""A line between a browser and a server that can be cut at any byte."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


class Cutter:
    """A TCP proxy to `address`, running in a thread of its own."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._server = (parts.hostname, parts.port)
        self._down = False
        self._left = -1  # bytes that may still come down before the cut; -1 for all
        self._lines: set[asyncio.StreamWriter] = set()
        self._streams: set[asyncio.StreamWriter] = set()  # of those the ones that carry a stream now
        self._frozen: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cutter", daemon=True)
        self.address = ""

    @contextmanager
    def running(self) -> Iterator[Cutter]:
        """Listen on a free port, given by `address`."""
        self._thread.start()
        listener = self._call(asyncio.start_server(self._carry, "127.0.0.1", 0))
        self.address = "http://{}:{}".format(*listener.sockets[0].getsockname())
        try:
            yield self
        finally:
            listener.close()
            self._call(self._set(down=True))
            self._call(self._settled())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def cut(self, after: int = 0) -> None:
        """Break every line, once `after` more bytes have come down, and refuse new ones."""
        self._call(self._set(down=not after, left=after or -1))

    def freeze(self) -> None:
        """Let the open streams die without a word: nothing goes through their lines any more. New ones work."""
        self._call(self._freeze())

    def mend(self) -> None:
        """Carry again."""
        self._call(self._set(down=False))

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _set(self, *, down: bool, left: int = -1) -> None:
        self._down, self._left = down, left
        if down:
            for line in self._lines:
                line.transport.abort()

    async def _freeze(self) -> None:
        self._frozen |= self._streams

    async def _settled(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection(*self._server)
            self._lines |= {writer, up_writer}
            try:
                await asyncio.gather(self._carry_up(reader, up_writer, writer), self._carry_down(up_reader, writer))
            finally:
                self._lines -= {writer, up_writer}
                self._streams.discard(writer)
                self._frozen.discard(writer)
                writer.transport.abort()
                up_writer.transport.abort()

    async def _carry_up(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, browser: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                if chunk.startswith(b"POST /_rt/stream "):
                    self._streams.add(browser)
                server.write(chunk)
                await server.drain()
            server.write_eof()

    async def _carry_down(self, reader: asyncio.StreamReader, browser: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                if browser in self._frozen:
                    continue
                if 0 <= self._left <= len(chunk):
                    browser.write(chunk[: self._left])
                    await asyncio.sleep(0)  # let those bytes go before the line breaks
                    await self._set(down=True)
                    return
                self._left -= len(chunk) if self._left > 0 else 0
                browser.write(chunk)
                await browser.drain()
            browser.write_eof()
