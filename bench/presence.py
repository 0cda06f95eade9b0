"""What it costs to know who is here: a thousand people on one topic, fifty joining and leaving a second, a hundred typing.

    python bench/presence.py [--people 1000] [--seconds 20]

Starts a server as a process of its own and holds a stream for each person, over loopback. The server's share of a core
is read from its own clock (/proc), so what holding the streams costs here does not count. Fails above 30 % of a core, or
25 KiB a second to each browser, or where an update with everybody present costs more than 1.3 times as much as with ten.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bs4 import BeautifulSoup

CPU, BYTES, RATIO = 0.30, 25 * 1024, 1.3
TICK = os.sysconf("SC_CLK_TCK")
APP = """
from jinja2 import Environment
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from htmx_rt import Realtime, RealtimeMiddleware, User

rt = Realtime(secret="a secret of thirty-two bytes or more", limits={"tracked_per_topic": 2000, "streams_per_user": 9},
              identify=lambda request: User(request.cookies["who"], "Person " + request.cookies["who"]))
environment = Environment(autoescape=True)
rt.install(environment)
page = environment.from_string('<head>{{ rt.head() }}</head>{{ rt.presence("room") }}{{ rt.typing("room") }}')
app = RealtimeMiddleware(Starlette(routes=[Route("/", lambda request: HTMLResponse(page.render()))]), rt=rt)
"""


class Person:
    """A page: its stream, and what it says."""

    def __init__(self, number: int, port: int) -> None:
        self.name = f"{number:04d}"
        self.port = port
        self.tab = secrets.token_hex(16)
        self.gen = 0
        self.bytes = 0
        self.cookies = f"who={self.name}"
        self.grants: list[str] = []
        self.here = ""
        self.writer: asyncio.StreamWriter | None = None
        self.reading: asyncio.Task[None] | None = None

    async def visit(self) -> None:
        """Fetch the page."""
        head, body = await self.ask("GET", "/")
        self.cookies += "".join(
            f"; {line.split(': ', 1)[1].split(';')[0]}"
            for line in head.split("\r\n")
            if line.lower().startswith("set-cookie")
        )
        found = BeautifulSoup(body, "html.parser").select("[rt-grant]")
        self.grants = [grant for one in found for grant in str(one["rt-grant"]).split()]
        self.here = next(str(one["rt-grant"]) for one in found if one.has_attr("rt-here"))

    async def join(self) -> None:
        """Open the stream, and say what the page shows."""
        self.gen += 1
        body = {"v": 1, "cursor": None, "tabs": [{"id": self.tab, "gen": self.gen, "vis": True, "fresh": self.grants}]}
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(self.raw("POST", "/_rt/stream", json.dumps(body).encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        self.reading = asyncio.create_task(self.read(reader))
        await self.beat(views={"here:room": ["avatars"]})

    async def read(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(65536):
            self.bytes += len(chunk)

    async def leave(self) -> None:
        """Say goodbye, and let go of the stream."""
        await self.beat(bye=True)
        assert self.writer is not None and self.reading is not None  # noqa: PT018
        self.writer.close()
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)

    async def beat(self, **more: object) -> None:
        one = {"id": self.tab, "gen": self.gen, "vis": True, "idle": False, "here": True} | more
        await self.ask("POST", "/_rt/beat", {"tabs": [one]})

    async def type(self, on: bool) -> None:
        word = {"tab": self.tab, "grant": self.here, "name": "typing", "data": {"on": on, "field": "text"}}
        await self.ask("POST", "/_rt/signal", word)

    def raw(self, method: str, path: str, body: bytes, *, close: bool = False) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", f"Cookie: {self.cookies}",
            "Content-Type: application/json", "Sec-Fetch-Site: same-origin", f"Connection: {'close' if close else 'keep-alive'}",
        ]  # fmt: skip
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def ask(self, method: str, path: str, body: object = None) -> tuple[str, str]:
        """Make a request over a connection that is kept for all."""
        async with line(self.port) as (reader, writer):
            writer.write(self.raw(method, path, json.dumps(body).encode() if body is not None else b""))
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(
                (int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-length")), 0
            )
            answer = (await reader.readexactly(length)).decode()
            assert head.split()[1] in ("200", "204"), (head, answer)
            return head, answer


_lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []


@asynccontextmanager
async def line(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Lend a connection, as a browser keeps one for its requests."""
    one = _lines.pop() if _lines else await asyncio.open_connection("127.0.0.1", port)
    yield one
    _lines.append(one)


def spent(pid: int) -> float:
    """Return the seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


async def every(seconds: float, job: object, until: float) -> None:
    """Begin `job` every so often, however long it takes."""
    tasks, due = set(), time.monotonic()
    while (due := due + seconds) < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.add(asyncio.create_task(job()))  # type: ignore[operator]
    await asyncio.gather(*tasks)


async def crowd(port: int, pid: int, people: int, seconds: float, rate: float) -> tuple[float, float, float]:
    """Return the share of a core, and the mean and the most bytes a second to a reader."""
    persons = [Person(number, port) for number in range(people + 100)]
    for start in range(0, len(persons), 50):
        await asyncio.gather(*(person.visit() for person in persons[start : start + 50]))
    staying, away = persons[:people], persons[people:]
    for start in range(0, people, 50):
        await asyncio.gather(*(person.join() for person in staying[start : start + 50]))
    await asyncio.sleep(3)
    # Half of those who come and go at a time are here. The first hundred type, the last half of all come and go.
    passing = staying[people // 2 :] + away
    inside, outside = passing[: len(passing) - 100], passing[len(passing) - 100 :]

    done = dict.fromkeys(("joins", "leaves", "words", "beats"), 0)

    async def come() -> None:
        if not outside:  # too busy here to keep up, which the figures say
            return
        person = outside.pop(0)
        await person.join()
        inside.append(person)
        done["joins"] += 1

    async def go() -> None:
        if not inside:
            return
        person = inside.pop(0)
        await person.leave()
        outside.append(person)
        done["leaves"] += 1

    typists = staying[:100]
    turn = iter(range(10**9))

    async def key() -> None:
        await typists[next(turn) % 100].type(True)
        done["words"] += 1

    beating = iter(range(10**9))

    async def alive() -> None:
        await staying[next(beating) % (people // 2)].beat()
        done["beats"] += 1

    readers = staying[:100]
    before, cpu, began = [one.bytes for one in readers], spent(pid), time.monotonic()
    until = began + seconds
    await asyncio.gather(
        every(2 / rate, come, until), every(2 / rate, go, until),
        every(1 / 200, key, until),  # each of a hundred every half second
        every(10 / people, alive, until),
    )  # fmt: skip
    took = time.monotonic() - began
    if min(done["joins"], done["leaves"]) < 0.45 * rate * took or done["words"] < 180 * took:
        print("This machine was too busy to ask for as much as that: the figures below do not count.")
    print("a second: " + ", ".join(f"{count / took:.0f} {what}" for what, count in done.items()))
    rates = [(one.bytes - first) / took for one, first in zip(readers, before, strict=True)]
    share = (spent(pid) - cpu) / took
    for one in persons:
        if one.reading is not None:
            one.reading.cancel()
            assert one.writer is not None
            one.writer.close()
    return share, statistics.mean(rates), max(rates)


def update(present: int, rounds: int = 300) -> float:
    """Return the milliseconds that one change costs with so many present: noted, drawn, and ready to be sent."""
    from jinja2 import Environment

    from htmx_rt import Realtime, User
    from htmx_rt.attendance import Ticket, Who
    from htmx_rt.topics import here_topic

    rt = Realtime(secret="a secret of thirty-two bytes or more", limits={"tracked_per_topic": 2000})
    rt.install(Environment(autoescape=True))
    whos = [Who(f"o{number}", User(f"u{number}", f"Person {number}")) for number in range(present)]
    for number, who in enumerate(whos):
        rt.presence.join({"room": Ticket()}, f"{number:032x}", 1, who, visible=True)

    def change(round_: int) -> None:
        number = round_ % present
        rt.presence.beat(f"{number:032x}", 1, whos[number], visible=True, idle=round_ // present % 2 == 0)
        people, tally = rt.presence.first("room", 5)
        rt.macros.picture(here_topic("room"), "avatars", people, tally, "en")

    for round_ in range(50):
        change(round_)
    times = []
    for round_ in range(rounds):
        began = time.perf_counter()
        change(round_)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


async def main(people: int, seconds: float, rate: float) -> int:
    load = os.getloadavg()
    print(f"{os.cpu_count()} cores, load {load[0]:.1f} before")
    pairs = [(update(10), update(1000)) for _ in range(5)]
    ratios = sorted(many / few for few, many in pairs)
    ratio = ratios[len(ratios) // 2]
    few, many = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"one update: {few:.3f} ms with 10 present, {many:.3f} ms with 1000, ratio {ratio:.2f} (at most {RATIO})")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bench_app.py").write_text(APP)
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "bench_app:app",
            "--port",
            "0",
            "--no-access-log",
            "--backlog",
            "4096",
        ]
        command += ["--timeout-keep-alive", "300", "--log-level", "info"]
        server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)  # noqa: ASYNC220
        try:
            assert server.stderr is not None
            port = 0
            for text in server.stderr:
                if "running on" in text:
                    port = int(text.split("http://127.0.0.1:")[1].split()[0])
                    break
            share, mean, most = await crowd(port, server.pid, people, seconds, rate)
        finally:
            server.kill()
            server.wait()
    print(
        f"{people} people, {rate / 2:g} joins and {rate / 2:g} leaves a second, 100 typing, {seconds:.0f} s: "
        f"{share * 100:.0f} % of a core (at most {CPU * 100:.0f}), "
        f"{mean / 1024:.1f} KiB/s to each browser, at most {most / 1024:.1f} (at most {BYTES / 1024:.0f})"
    )
    print(f"load {os.getloadavg()[0]:.1f} after")
    return int(share > CPU or most > BYTES or ratio > RATIO)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=50.0, help="joins and leaves a second")
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.people, options.seconds, options.rate)))
