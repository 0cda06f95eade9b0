"""The comparison's client sees what is lost, comes twice or out of order; its gates hold in the median, or always."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import plot, report

ROOT = Path(__file__).resolve().parents[2]
READERS = 3

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="a C program for Linux"),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("load") / "load"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, ROOT / "bench" / "load.c"], check=True)
    return program


class Server:
    """Sends what is published as `faulty` makes of it: a list of messages for each."""

    def __init__(self, faulty: Callable[[int, bytes], list[bytes]]) -> None:
        self.faulty, self.count = faulty, 0
        self.readers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    self.readers.append(writer)
                    continue
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                body = await reader.readexactly(length)
                for message in self.faulty(self.count, body):
                    for one in self.readers:
                        one.write(message)
                self.count += 1
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def run(load: Path, folder: Path, faulty: Callable[[int, bytes], list[bytes]], **options: Any) -> dict[str, Any]:
    """Return what the client says of a server with that fault."""
    server = await asyncio.start_server(Server(faulty).serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    request = b"GET /sse HTTP/1.1\r\n\r\n"
    (folder / "readers").write_bytes((b"%d 0 %d 0\n" % (port, len(request)) + request) * READERS)
    given = {"readers": folder / "readers", "pids": os.getpid(), "port": port, "seconds": 0.3, "rate": 50, "timeout": 1}
    given |= {"warm": 2, "settle": 0.05} | options
    client = await asyncio.create_subprocess_exec(
        load, *(f"{name}={value}" for name, value in given.items()), stdout=subprocess.PIPE
    )
    told, _ = await client.communicate()
    server.close()
    figures: dict[str, Any] = json.loads(told)
    return figures


async def test_what_arrives_as_it_should_is_no_fault(load: Path, tmp_path: Path) -> None:
    figures = await run(load, tmp_path, lambda number, body: [body])
    assert figures["up"] == figures["still_up"] == READERS
    assert figures["published"] >= 10
    assert figures["deliveries"] == figures["published"] * READERS
    assert report.faults(figures) == 0
    assert 0 < figures["p50"] <= figures["p99"] < 1000


async def test_what_is_lost_is_counted(load: Path, tmp_path: Path) -> None:
    figures = await run(load, tmp_path, lambda number, body: [] if number == 5 else [body])
    assert (figures["lost"], figures["doubled"], figures["reordered"]) == (READERS, 0, 0)
    assert report.faults(figures) == READERS


async def test_what_comes_twice_is_counted(load: Path, tmp_path: Path) -> None:
    figures = await run(load, tmp_path, lambda number, body: [body, body] if number == 5 else [body])
    assert (figures["lost"], figures["doubled"], figures["reordered"]) == (0, READERS, 0)


async def test_what_comes_late_is_counted(load: Path, tmp_path: Path) -> None:
    kept: list[bytes] = []

    def swapped(number: int, body: bytes) -> list[bytes]:
        if number == 5:
            kept.append(body)
            return []
        return [body, *kept] if number == 6 else [body]

    figures = await run(load, tmp_path, swapped)
    assert (figures["lost"], figures["doubled"], figures["reordered"]) == (0, 0, READERS)


async def test_messages_are_found_however_they_are_cut(load: Path, tmp_path: Path) -> None:
    before = b""

    def cut(number: int, body: bytes) -> list[bytes]:
        nonlocal before
        text, before = before + body, b""
        if number % 2 == 0 and number > 2:
            text, before = text[:-20], text[-20:]  # in the middle of its number
        return [text]

    figures = await run(load, tmp_path, cut, batch=1, size=200)
    assert figures["lost"] in (0, READERS)  # the end of the last may still be kept
    assert (figures["doubled"], figures["reordered"]) == (0, 0)


async def test_several_at_once_are_counted_one_by_one(load: Path, tmp_path: Path) -> None:
    figures = await run(load, tmp_path, lambda number, body: [body], batch=8, rate=0, window=16)
    assert figures["published"] % 8 == 0
    assert figures["deliveries"] == figures["published"] * READERS
    assert report.faults(figures) == 0


async def test_readers_that_never_read_are_not_waited_for(load: Path, tmp_path: Path) -> None:
    figures = await run(load, tmp_path, lambda number, body: [body], stuck=1, rate=0, window=2)
    assert figures["published"] > 10
    assert figures["deliveries"] == figures["published"] * (READERS - 1)
    assert figures["lost"] == 0


def measured(**more: Any) -> report.Figures:
    return {
        "readers": 10, "up": 10, "still_up": 10, "deliveries": 1000, "published": 100, "cpu": [0.5], "seconds": 2.0, "p50": 1.0,
        "p99": 2.0, "lost": 0, "doubled": 0, "reordered": 0, "failed": 0, "connect_cpu": [0.1], "connect_s": 1.0, "held": 200,
        "held_before": 100, **more,
    }  # fmt: skip


def test_a_gate_takes_the_median_of_ratios_and_faults_count_in_each_round() -> None:
    run = report.Run(date="2026-01-01", machine="m", command="c")
    for number, (ours, theirs) in enumerate(((0.1, 0.9), (0.1, 0.7), (0.5, 4.5))):
        run.add(number, "fan", "kit", measured(cpu=[ours], lost=1 if number == 1 else 0))
        run.add(number, "fan", "naive", measured(cpu=[theirs]))
    results = {result.gate.what: result for result in report.judge(run)}
    ahead = results["SSE fan-out, 1000 × 1 KiB: against sse-starlette + broadcaster"]
    assert [round(value, 6) for value in ahead.values] == [9, 7, 9]
    assert ahead.passed is True
    faults = results["in all of it: lost, doubled, reordered, refused, cut off"]
    assert (faults.values, faults.passed) == ([0, 1, 0], False)
    assert results["idle WebSocket: KiB"].verdict == "not measured"
    assert report.Run.loads(run.dumps()) == run
    assert "| htmx-rt | 10,000 [2,000 – 10,000] |" in report.figures(run)


def test_workers_are_added_up_as_if_each_had_a_core() -> None:
    assert report.per_cpu(measured(cpu=[0.5, 0.5])) == 2 * report.per_cpu(measured(cpu=[1.0]))


def test_the_plot_is_xml_and_says_what_it_shows() -> None:
    drawn = plot.bars(
        "A <title>",
        "of three",
        [("Group", [("ours", [3.0, 2.0, 4.0], True), ("theirs", [1.0], False), ("none", [], False)])],
    )
    root = ElementTree.fromstring(drawn)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["A <title>", "of three", "Group", "ours", "3", "theirs", "1"]
    assert "Group: ours 3, theirs 1" in drawn
    assert "prefers-color-scheme:dark" in drawn
