"""How fast the Redis bus is: publish → bytes offered to a reader on another worker, and publishes a second.

    python bench/bus.py [--messages 20000]

Starts a redis-server and a second worker as processes of their own; all on this machine. Fails where the median is
above the promised 5 ms, or fewer than 6 000 messages a second get through the script.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from htmx_rt.buses import connect
from htmx_rt.frames import draft
from htmx_rt.hub import Hub
from htmx_rt.reader import Reader
from htmx_rt.types import Limits

LATENCY, RATE = 5.0, 6000.0  # milliseconds, median; messages a second
STAMP = re.compile(rb'"at":([\d.]+)')
ROW = "<li id='row-7'>" + "x" * 270 + "</li>"


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a server that keeps nothing; yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--save", "", "--dir", folder]
        server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait(10)


async def read(url: str, count: int) -> None:
    """The other worker: one reader on one hub; prints how long each message took."""
    limits = Limits.of({"heartbeat": 600})
    bus = connect(url, limits)
    await bus.start()
    hub = Hub(asyncio.get_running_loop(), bus, limits)
    reader = Reader(hub, topics={"a": time.time()}, user=None, browser="b", iat=time.time())
    hub.add(reader)
    print("ready", flush=True)
    took: list[float] = []
    while len(took) < count:
        chunk, _ = await reader.next()
        now = time.monotonic()
        took += [(now - float(stamp)) * 1000 for stamp in STAMP.findall(chunk)]
    print(json.dumps(took), flush=True)
    hub.remove(reader)
    hub.close()
    await bus.stop()


async def measure(url: str, messages: int) -> tuple[list[float], float, float]:
    """Return latencies in ms, and messages a second: all at once, and one after the other."""
    limits = Limits()
    bus = connect(url, limits)
    await bus.start()
    count = 500
    other = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, __file__, "--read", url, "--messages", str(count)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    for _ in range(count):
        await asyncio.wrap_future(
            bus.publish(draft("a", "rt:ops", {"at": time.monotonic(), "ops": [["append", "#rows", ROW]]}))
        )
        await asyncio.sleep(0.005)
    took = json.loads(await asyncio.to_thread(other.stdout.readline))
    other.wait(10)

    message = draft("a", "rt:ops", {"ops": [["append", "#rows", ROW]]})

    def publish() -> float:
        start, futures = time.perf_counter(), []
        for number in range(messages):
            futures.append(bus.publish(message))
            if number >= 5000:
                futures[number - 5000].result(30)
        futures[-1].result(30)
        return messages / (time.perf_counter() - start)

    at_once = await asyncio.to_thread(publish)
    start = time.perf_counter()
    for _ in range(2000):
        await asyncio.wrap_future(bus.publish(message))
    in_turn = 2000 / (time.perf_counter() - start)
    await bus.stop()
    return took, at_once, in_turn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        asyncio.run(read(options.read, options.messages))
        return 0
    with redis_server() as url:
        took, at_once, in_turn = asyncio.run(measure(url, options.messages))
    median = statistics.median(took)
    print(
        f"publish → reader on another worker: p50 {median:.2f} ms, p95 {statistics.quantiles(took, n=20)[-1]:.2f} ms, "
        f"worst {max(took):.1f} ms ({len(took)} messages; promised p50 ≤ {LATENCY:.0f} ms)\n"
        f"through the script: {at_once:,.0f} messages/s from one thread of a worker that reads its own too "
        f"(promised ≥ {RATE:,.0f}), {in_turn:,.0f}/s where each is awaited before the next"
    )
    return 0 if median <= LATENCY and at_once >= RATE else 1


if __name__ == "__main__":
    sys.exit(main())
