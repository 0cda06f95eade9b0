"""What a receipt costs: the same app with and without, over each store, in one run.

    python bench/receipts.py [--rounds 12] [--requests 400]

Rounds with and without receipts take turns, in process and without a server, so that only the receipt is in the
difference. Starts a redis-server of its own. Fails where the median of the differences is above what is promised:
0.3 ms over SQLite, 0.5 ms over Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import statistics
import sys
import tempfile
import time
from typing import Any

from bus import redis_server

from htmx_rt import Realtime, RealtimeMiddleware

PROMISED = {"memory": 0.1, "sqlite": 0.3, "redis": 0.5}  # milliseconds a request, median
SECRET = "a secret of thirty-two bytes or more"
BODY = b"<li id='task-7'>" + b"x" * 500 + b"</li>"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The least there is: it reads the body and answers with a row."""
    await receive()
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


class Site:
    """The app behind the middleware, and a browser that it knows."""

    def __init__(self, store: str, *, receipts: bool) -> None:
        self.rt = Realtime(secret=SECRET, store=store, receipts=receipts, name="receipts")
        self.app = RealtimeMiddleware(app, rt=self.rt)
        state = self.rt.identity.open({"type": "http", "scheme": "http", "headers": []})
        self.rt.identity.tell(state, "ada")
        ((_, cookie),) = self.rt.identity.seal(state)
        self.cookie = cookie.partition(b";")[0]

    async def round(self, requests: int) -> list[float]:
        """Make that many requests, one after the other; return how long each took, in ms."""
        return [await self.request() for _ in range(requests)]

    async def request(self) -> float:
        """Make a request; return how long it took, in ms."""
        headers = [
            (b"host", b"localhost"), (b"cookie", self.cookie), (b"rt-tab", b"0" * 32), (b"hx-request", b"true"),
            (b"idempotency-key", secrets.token_hex(16).encode()), (b"content-length", b"0"),
        ]  # fmt: skip
        scope = {"type": "http", "method": "POST", "scheme": "http", "path": "/tasks", "headers": headers}
        start = time.perf_counter()
        await self.app(scope, _receive, _send)
        return (time.perf_counter() - start) * 1000


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: object) -> None:
    pass


async def measure(store: str, rounds: int, requests: int) -> tuple[float, float, float]:
    """Return medians in ms: without receipts, with them, and of the differences of rounds."""
    logging.disable(logging.WARNING)  # of two apps of one name in one process
    plain, kept = Site(store, receipts=False), Site(store, receipts=True)
    await plain.rt.start()
    await kept.rt.start()
    for site in (plain, kept):
        await site.round(100)
    without, having, differences = [], [], []
    for _ in range(rounds):
        one, two = await plain.round(requests), await kept.round(requests)
        without += one
        having += two
        differences.append(statistics.median(two) - statistics.median(one))
    await plain.rt.stop()
    await kept.rt.stop()
    return statistics.median(without), statistics.median(having), statistics.median(differences)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args()
    missed = []
    print(f"load {os.getloadavg()[0]:.1f}; medians of {options.rounds} rounds of {options.requests} requests, in ms")
    print("store     without    with   receipt   ratio  promised")
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
        for name, url in (("memory", "memory://"), ("sqlite", f"sqlite:///{folder}/rt.db"), ("redis", redis)):
            without, having, cost = asyncio.run(measure(url, options.rounds, options.requests))
            print(f"{name:<8} {without:8.3f} {having:7.3f} {cost:9.3f} {having / without:7.1f} {PROMISED[name]:9.1f}")
            if cost > PROMISED[name]:
                missed.append(name)
    if missed:
        sys.exit(f"Above what is promised: {', '.join(missed)}.")


if __name__ == "__main__":
    main()
