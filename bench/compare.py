"""How this kit compares: with sse-starlette + broadcaster, nchan, bare uvloop, node's ws and socket.io, in one run.

    python bench/compare.py [--quick] [--rounds 3] [--only fan,idle] [--systems kit,naive] [--json FILE] [--write]

Each round measures each scenario on each system in turn, the server on the first core and the client (bench/load.c) on
the second, so that whatever else the machine does troubles all alike; what counts are ratios within a round, by CPU time
of the server's threads. Readers of the kit are people with a page, a cookie, grants and presence. Fails where a gate is
missed. Latencies and connections a second need a quiet machine. Linux, two cores, a C compiler.

--quick is one round of a second each. --write puts table and plot into docs/, which a whole run of `make bench-compare`
does. --from FILE tells of a run that was kept, and measures nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import report  # noqa: E402
from bench.systems import CLIENT_CORE, SYSTEMS, Line, Missing, Server, System, running, versions  # noqa: E402
from bench.systems.people import Person, visit  # noqa: E402
from tests.cluster import redis  # noqa: E402

READERS, CROWD = 1000, 5000
WIDE = 50  # topics that one request publishes to
LARGE = 16 * 1024  # bytes of a message where readers are stuck
Figures = dict[str, Any]


class Bench:
    """The client, and how long it measures."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self._load = folder / "load"
        self._runs = 0
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            sys.exit("No C compiler: the client is a C program. Debian: apt-get install gcc libc6-dev")
        subprocess.run([compiler, "-O2", "-o", self._load, ROOT / "bench" / "load.c"], check=True)

    def load(self, **options: Any) -> Figures:
        """Run the client."""
        arguments = [f"{name}={value}" for name, value in options.items()]
        done = subprocess.run(
            [self._load, *arguments], capture_output=True, text=True, timeout=900,
            preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}) if "floor" not in options else None,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"The client ended: {done.stderr[-500:]}")
        figures: Figures = json.loads(done.stdout)
        if done.stderr:
            figures["said"] = done.stderr[-500:]
        return figures

    def read(self, servers: list[Server], line: Line | None, **options: Any) -> Figures:
        """Have readers read from `servers` in turn, while messages are published. They are of topics of their own, or
        they would be given first what was published to the readers before them, and by nchan and us they would be.
        """
        assert line is not None
        server, count, topics = servers[0], options.pop("readers", READERS), options.get("topics", 1)
        self._runs += 1
        name = f"t{self._runs}-"
        if server.system.kit:
            people = visit(server.port, count, name, topics)
            ports = [server.port for server in servers]
            readers = [person.reader(line, ports[number % len(ports)]) for number, person in enumerate(people)]
            if act := options.pop("act", None):
                options["acts"] = self.acts(people, server.port, *act)
        else:
            readers = server.readers(line, count, name, topics)
        path = self.folder / "readers"
        with path.open("wb") as file:
            for one in readers:
                file.write(b"%d %d %d %d\n" % (one.port, one.topic, len(one.first), len(one.second)))
                file.write(one.first + one.second)
        # The first process has no readers where it has workers below it, which is how nginx does it.
        pids = ",".join(str(pid) for server in servers for pid in server.pids[-1:])
        told = {"then": line.then} if line.then else {}
        try:
            figures = self.load(readers=path, expect=line.expect, name=name, **told, pids=pids, **options)
        except RuntimeError as error:
            raise RuntimeError(f"{error}{''.join(server.said for server in servers)}") from None
        if figures["up"] < count or ("port" in options and not figures["deliveries"]):
            words = figures.get("said", "") + "".join(server.said for server in servers)
            raise RuntimeError(
                f"{figures['up']} of {count} readers came up, {figures.get('deliveries')} deliveries: {words}"
            )
        return figures

    def acts(self, people: list[Person], port: int, each: int, seconds: float) -> Path:
        """Write down what people do: `each` acts, evenly in `seconds`, and a sign of life every ten."""
        chance, todo = random.Random(1), []
        for number, person in enumerate(people):
            offset, beat = chance.random() * seconds / each, chance.random() * 10
            todo += [(offset + turn * seconds / each, number, person.post(port, f"Act {turn} of {number}. " + "x" * 100))
                     for turn in range(each)]  # fmt: skip
            todo += [(beat + turn * 10, number, person.beat(port))
                     for turn in range(int((seconds - beat) // 10) + 1)]  # fmt: skip
        path = self.folder / "acts"
        with path.open("wb") as file:
            for due, number, act in sorted(todo):
                file.write(b"%.4f %d %d\n" % (due, number, len(act)) + act)
        return path


# Scenarios: each yields figures by the name they are kept under.

Scenario = Callable[[Bench, System], Iterator[tuple[str, Figures]]]


def thousand(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """1000 readers of one topic, 1 KiB: as fast as it goes, 8 at a time, 20 a second; and of 1000 topics, 50 at a time."""
    if system.sse is None:
        return
    with running(system, bench.folder) as server:
        common = {"port": server.port, "seconds": bench.seconds}
        yield "fan", bench.read([server], system.sse, **common)
        if system.batches:
            yield "burst", bench.read([server], system.sse, **common, batch=8, window=16)
        yield "paced", bench.read([server], system.sse, **common, rate=20)
        if system.batches:
            yield "wide", bench.read([server], system.sse, **common, topics=READERS, spread=WIDE)


def floor(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """What the kernel takes for one bare write() of as many bytes, to each of 1000 sockets."""
    if system.name == "raw":
        yield "floor", bench.load(floor=READERS, size=1100, seconds=bench.seconds)


def sockets(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """1000 readers of one topic over WebSocket."""
    if system.websocket is None:
        return
    with running(system, bench.folder) as server:
        yield "ws-fan", bench.read([server], system.websocket, port=server.port, seconds=bench.seconds)


def idle(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """5000 readers with a topic each: what opening and holding them costs, then a publish to each in turn."""
    if system.sse is None or system.name == "fast":
        return
    with running(system, bench.folder) as server:
        yield "idle", bench.read(
            [server], system.sse, readers=CROWD, topics=CROWD, inflight=512, settle=1.5, publishers=8,
            port=server.port, seconds=bench.seconds,
        )  # fmt: skip


def idle_sockets(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """5000 WebSockets with a topic each, at rest."""
    if system.websocket is None or system.name == "fast":
        return
    with running(system, bench.folder) as server:
        yield "ws-idle", bench.read([server], system.websocket, readers=CROWD, topics=CROWD, inflight=512, settle=1.5)


def stuck(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """1000 readers, 16 KiB: 100 of them never read, the core half busy and near saturation."""
    if system.name != "kit":
        return
    large = {"size": LARGE, "receive_buffer": 16384}
    for name, share in (("half", 0.5), ("near", 0.87)):
        for count in (0, READERS // 10):
            with running(system, bench.folder) as server:
                common = {**large, "port": server.port}
                # What fills a core, each process tells for itself, as two of the same differ by half: from messages
                # that come one by one, as then, and not from what can be joined where they come faster.
                few = bench.read([server], system.sse, **common, seconds=1, rate=20)
                whole = few["deliveries"] / sum(few["cpu"]) / READERS  # messages a second
                rate = round(whole * share, 1)
                # Twice as long, as the last percent of a few dozen messages is chance.
                yield (
                    f"stuck-{name}-{count}",
                    bench.read([server], system.sse, **common, stuck=count, rate=rate, seconds=2 * bench.seconds),
                )


def acting(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """1000 people on one page, present and streaming, who all act: 10 posts each in 30 s."""
    if system.name != "kit":
        return
    each, seconds = (10, 30.0) if bench.seconds > 1 else (2, 6.0)
    with running(system, bench.folder) as server:
        figures = bench.read([server], system.sse, port=server.port, act=(each, seconds))
        yield "acting", figures | {"wanted": each * READERS}


def workers(bench: Bench, system: System) -> Iterator[tuple[str, Figures]]:
    """1000 readers of one topic, 8 messages under way, at one worker over Redis; twice both at two."""
    if system.name != "kit":
        return
    for count in (1, 2):
        with ExitStack() as stack:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            address = stack.enter_context(redis(place))
            servers = [
                stack.enter_context(running(system, bench.folder, BUS=address, STORE=address)) for _ in range(count)
            ]
            figures = bench.read(
                servers,
                system.sse,
                port=servers[0].port,
                seconds=bench.seconds,
                readers=count * READERS,
                window=8 * count,
            )
            yield f"redis-{count}", figures


SCENARIOS: dict[str, Scenario] = {
    "floor": floor, "thousand": thousand, "sockets": sockets, "idle": idle, "idle-sockets": idle_sockets,
    "stuck": stuck, "acting": acting, "workers": workers,
}  # fmt: skip


def measure(options: argparse.Namespace, folder: Path) -> report.Run:
    """Measure everything that was asked for, round by round."""
    bench = Bench(folder, 1.0 if options.quick else options.seconds)
    run = report.Run(
        date=datetime.date.today().isoformat(), machine=machine(), load=os.getloadavg()[0],
        command=" ".join(["bench/compare.py", *sys.argv[1:]]),
    )  # fmt: skip
    missing: set[str] = set()
    began = time.monotonic()
    for number in range(1 if options.quick else options.rounds):
        for title in options.only:
            for name in options.systems:
                if name in missing:
                    continue
                try:
                    for scenario, figures in SCENARIOS[title](bench, SYSTEMS[name]):
                        run.add(number, scenario, name, figures)
                        print(f"{number + 1} {scenario:16} {name:9} {report.one_line(figures)}", flush=True)
                except Missing as why:
                    missing.add(name)
                    print(f"SKIPPED: {SYSTEMS[name].label}: {why}", flush=True)
                except (RuntimeError, ValueError, OSError, AssertionError, subprocess.TimeoutExpired) as error:
                    run.failed.append(f"{title}, {SYSTEMS[name].label}: {error}")
                    print(f"FAILED: {run.failed[-1]}", flush=True)
            run.versions, run.minutes = versions(folder), (time.monotonic() - began) / 60
            options.json.write_text(run.dumps())  # whatever becomes of the rest
    run.skipped = [SYSTEMS[name].label for name in missing]
    return run


def machine() -> str:
    """Return what this machine is, in a line."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "unknown processor",
    )
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores, {cpu}, {pages:.0f} GiB, Linux {os.uname().release.split('-')[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SCENARIOS), help=", ".join(SCENARIOS))
    parser.add_argument("--systems", type=lambda text: text.split(","), default=list(SYSTEMS), help=", ".join(SYSTEMS))
    parser.add_argument(
        "--json", type=Path, default=Path(tempfile.gettempdir()) / "compare.json", help="where it is kept"
    )
    parser.add_argument("--write", action="store_true", help="put table and plot into docs/")
    parser.add_argument("--from", dest="kept", type=Path, help="tell of a run that was kept")
    options = parser.parse_args()
    for given, known in ((options.only, SCENARIOS), (options.systems, SYSTEMS)):
        if unknown := set(given) - set(known):
            parser.error(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    if options.kept:
        run = report.Run.loads(options.kept.read_text())
    else:
        if sys.platform != "linux" or (os.cpu_count() or 1) < 2:
            sys.exit("This takes Linux and two cores: the server has one to itself, and its time is read from /proc.")
        os.sched_setaffinity(0, {CLIENT_CORE})
        if os.getloadavg()[0] > report.QUIET:
            print(f"The machine is busy (load {os.getloadavg()[0]:.1f}): ratios of CPU time still hold, times do not.")
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            run = measure(options, Path(folder))
        options.json.write_text(run.dumps())
    results = report.judge(run)
    print("\n" + report.table(run, results) + "\n\n" + report.figures(run))
    if options.write:
        report.write(run, results, ROOT / "docs")
    print(f"\nKept in {options.json}." if not options.kept else "")
    sys.exit(1 if run.failed or any(result.passed is False for result in results) else 0)


if __name__ == "__main__":
    main()
