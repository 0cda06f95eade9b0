"""What bench/compare.py says of a run: gates, tables, the page in docs/ and its plot."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from . import plot
from .systems import SYSTEMS

Figures = dict[str, Any]
Metric = Callable[[Figures], float]


@dataclass
class Run:
    """Everything that was measured, and where."""

    date: str
    machine: str
    command: str
    minutes: float = 0.0
    load: float = 0.0  # of the machine before
    versions: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    measured: list[tuple[int, str, str, Figures]] = field(default_factory=list)  # round, scenario, system

    def add(self, number: int, scenario: str, system: str, figures: Figures) -> None:
        self.measured.append((number, scenario, system, figures))

    def one(self, number: int, scenario: str, system: str) -> Figures | None:
        """Return what a system did in a round."""
        return next((figures for *key, figures in self.measured if key == [number, scenario, system]), None)

    @property
    def rounds(self) -> list[int]:
        return sorted({number for number, *_ in self.measured})

    def values(self, scenario: str, system: str, metric: Metric) -> list[float]:
        """Return a figure of each round that has it."""
        found = (self.one(number, scenario, system) for number in self.rounds)
        return [metric(figures) for figures in found if figures is not None]

    def ratios(self, top: tuple[str, str], bottom: tuple[str, str], metric: Metric) -> list[float]:
        """Return how many times `bottom` each round's `top` is; both are a scenario and a system."""
        pairs = ((self.one(number, *top), self.one(number, *bottom)) for number in self.rounds)
        return [metric(a) / metric(b) for a, b in pairs if a is not None and b is not None and metric(b)]

    def dumps(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def loads(cls, text: str) -> Run:
        kept = json.loads(text)
        kept["measured"] = [tuple(one) for one in kept["measured"]]
        return cls(**kept)


# What is read off the figures of one measurement


def per_cpu(figures: Figures) -> float:
    """Deliveries for each second of a core; of several workers together, each with a core to itself."""
    share: float = figures["deliveries"] / len(figures["cpu"])
    return float(sum(share / used for used in figures["cpu"]))


def busy(figures: Figures) -> float:
    return float(sum(figures["cpu"]) / figures["seconds"])


def publishes_per_cpu(figures: Figures) -> float:
    return float(figures["published"] / sum(figures["cpu"]))


def connects_per_cpu(figures: Figures) -> float:
    return float(figures["up"] / sum(figures["connect_cpu"]))


def held(figures: Figures) -> float:
    """KiB that a connection takes."""
    return float((figures["held"] - figures["held_before"]) / figures["up"])


def faults(figures: Figures) -> float:
    """What was lost, doubled or out of order, refused or cut off."""
    broken = figures["readers"] - min(figures["up"], figures["still_up"]) if "readers" in figures else 0
    return float(broken + sum(figures.get(name, 0) for name in ("lost", "doubled", "reordered", "failed")))


def p50(figures: Figures) -> float:
    return float(figures["p50"])


def p99(figures: Figures) -> float:
    return float(figures["p99"])


class Gate(NamedTuple):
    """What has to be reached."""

    what: str
    of: Callable[[Run], list[float]]
    least: float | None = None
    most: float | None = None
    form: str = "{:.2f}×"
    stretch: bool = False  # told, but no failure
    always: bool = False  # in each round, and not in the median


def ratio(top: str, scenario: str, bottom: str, metric: Metric = per_cpu) -> Callable[[Run], list[float]]:
    return lambda run: run.ratios((scenario, top), (scenario, bottom), metric)


def figure(system: str, scenario: str, metric: Metric) -> Callable[[Run], list[float]]:
    return lambda run: run.values(scenario, system, metric)


def dearer(system: str) -> Callable[[Run], list[float]]:
    """How many bare writes a delivery costs."""
    return lambda run: [1 / one for one in run.ratios(("fan", system), ("floor", "raw"), per_cpu)]


def troubled(share: str) -> Callable[[Run], list[float]]:
    return lambda run: run.ratios((f"stuck-{share}-100", "kit"), (f"stuck-{share}-0", "kit"), p99)


def all_faults(run: Run) -> list[float]:
    ours = [one for one in run.measured if one[2] in ("kit", "fast")]
    return [sum(faults(figures) for at, *_, figures in ours if at == number) for number in run.rounds] if ours else []


GATES = (
    Gate("SSE fan-out, 1000 × 1 KiB: against sse-starlette + broadcaster", ratio("kit", "fan", "naive"), least=8),
    Gate("the same, accelerated", ratio("fast", "fan", "naive"), least=12, stretch=True),
    Gate("SSE fan-out: against nchan", ratio("kit", "fan", "nchan"), least=0.65),
    Gate("the same, accelerated", ratio("fast", "fan", "nchan"), least=1, stretch=True),
    Gate("a delivery, in bare `write()`s of the kernel", dearer("kit"), most=2.1),
    Gate("the same, accelerated", dearer("fast"), most=1.45, stretch=True),
    Gate("bursts of 8 in a tick: deliveries a CPU-second", figure("kit", "burst", per_cpu), least=1e6, form="{:,.0f}"),
    Gate("the same, stretch", figure("kit", "burst", per_cpu), least=1.3e6, form="{:,.0f}", stretch=True),
    Gate("1000 readers × 20/s: p50 against nchan", ratio("kit", "paced", "nchan", p50), most=1),
    Gate("1000 readers × 20/s: p99 against sse-starlette", ratio("kit", "paced", "naive", p99), most=0.125, form="{:.3f}×"),
    Gate("1000 readers × 20/s: share of the core", figure("kit", "paced", busy), most=0.25, form="{:.1%}"),
    Gate("the same, stretch", figure("kit", "paced", busy), most=0.22, form="{:.1%}", stretch=True),
    Gate("idle SSE stream, all told: KiB", figure("kit", "idle", held), most=15.5, form="{:.1f} KiB"),
    Gate("the same, stretch", figure("kit", "idle", held), most=10, form="{:.1f} KiB", stretch=True),
    Gate("idle SSE stream: against sse-starlette", ratio("kit", "idle", "naive", held), most=0.33),
    Gate("connects a CPU-second, with grants and presence: against sse-starlette",
         ratio("kit", "idle", "naive", connects_per_cpu), least=4.5),
    Gate("the same: a CPU-second", figure("kit", "idle", connects_per_cpu), least=8000, form="{:,.0f}", stretch=True),
    Gate("5000 topics × 1 reader, publishes: against sse-starlette",
         ratio("kit", "idle", "naive", publishes_per_cpu), least=2.7),
    Gate("the same: against nchan", ratio("kit", "idle", "nchan", publishes_per_cpu), least=0.6, stretch=True),
    Gate("publishes to 50 of 1000 topics by one request: against sse-starlette",
         ratio("kit", "wide", "naive", publishes_per_cpu), least=2.7, stretch=True),
    Gate("WebSocket fan-out: against Starlette + broadcaster", ratio("kit", "ws-fan", "naive"), least=3.5),
    Gate("WebSocket fan-out: against socket.io", ratio("kit", "ws-fan", "socketio"), least=0.95),
    Gate("WebSocket fan-out, accelerated: against nchan", ratio("fast", "ws-fan", "nchan"), least=0.9, stretch=True),
    Gate("idle WebSocket: KiB", figure("kit", "ws-idle", held), most=21, form="{:.1f} KiB"),
    Gate("10 % stuck, core half busy: p99 of the others", troubled("half"), most=1.2),
    Gate("10 % stuck, near saturation: p99 of the others", troubled("near"), most=2),
    Gate("1000 people act, 10 posts each in 30 s: succeed",
         figure("kit", "acting", lambda one: (one["published"] - one["failed"] - one["posts"] + one["replies"]) / one["wanted"]),
         least=1, form="{:.2%}", always=True),
    Gate("the same: process", figure("kit", "acting", lambda one: one["held_after"] / 1024), most=500, form="{:.0f} MiB",
         always=True),
    Gate("two workers over Redis: against one, each with a core",
         lambda run: run.ratios(("redis-2", "kit"), ("redis-1", "kit"), per_cpu), least=1.8),
    Gate("the same: against one without Redis",
         lambda run: run.ratios(("redis-2", "kit"), ("fan", "kit"), per_cpu), least=1.8, stretch=True),
    Gate("in all of it: lost, doubled, reordered, refused, cut off", all_faults, most=0, form="{:.0f}", always=True),
)  # fmt: skip


class Result(NamedTuple):
    """What became of a gate; `passed` is None where it was not measured, or is a stretch that was missed."""

    gate: Gate
    values: list[float]
    passed: bool | None

    @property
    def verdict(self) -> str:
        if not self.values:
            return "not measured"
        if self.passed:
            return "yes"
        return "not yet" if self.gate.stretch else "NO"


def judge(run: Run) -> list[Result]:
    """Look at each gate."""
    results = []
    for gate in GATES:
        values = gate.of(run)
        if not values:
            results.append(Result(gate, [], None))
            continue
        counts = values if gate.always else [statistics.median(values)]
        reached = all(one >= gate.least if gate.least is not None else one <= (gate.most or 0) for one in counts)
        results.append(Result(gate, values, True if reached else None if gate.stretch else False))
    return results


def spread(values: Iterable[float], form: str) -> str:
    """Return the median, and the least and the most."""
    values = list(values)
    if not values:
        return "–"
    middle = form.format(statistics.median(values))
    return middle + (f" [{form.format(min(values))} – {form.format(max(values))}]" if len(values) > 1 else "")


def table(run: Run, results: list[Result]) -> str:
    """Return the gates as Markdown."""
    lines = [
        "| what | median [least – most] of " + f"{len(run.rounds)} | gate | reached |",
        "|---|---|---|---|",
    ]
    for gate, values, _ in results:
        sign, bound = ("≥", gate.least) if gate.least is not None else ("≤", gate.most)
        wanted = f"{'stretch ' if gate.stretch else ''}{sign} {gate.form.format(bound)}"
        lines.append(f"| {gate.what} | {spread(values, gate.form)} | {wanted} | {{}} |")
    return "\n".join(
        [*lines[:2], *(line.format(result.verdict) for line, result in zip(lines[2:], results, strict=True))]
    )


COLUMNS: tuple[tuple[str, str, tuple[tuple[str, Metric, str], ...]], ...] = (
    ("fan", "SSE fan-out: 1000 readers, 1 KiB, 8 messages under way", (
        ("deliveries a CPU-second", per_cpu, "{:,.0f}"), ("µs of CPU a delivery", lambda one: 1e6 / per_cpu(one), "{:.2f}"),
        ("p99 ms", p99, "{:.1f}"))),
    ("burst", "Bursts of 8 messages published in a tick", (
        ("deliveries a CPU-second", per_cpu, "{:,.0f}"), ("µs of CPU a delivery", lambda one: 1e6 / per_cpu(one), "{:.2f}"))),
    ("paced", "1000 readers, 20 messages a second", (
        ("p50 ms", p50, "{:.1f}"), ("p99 ms", p99, "{:.1f}"), ("share of the core", busy, "{:.0%}"))),
    ("idle", "5000 readers with a topic each, SSE", (
        ("KiB a reader", held, "{:.1f}"), ("µs of CPU a connect", lambda one: 1e6 / connects_per_cpu(one), "{:.0f}"),
        ("connects a second", lambda one: one["up"] / one["connect_s"], "{:,.0f}"),
        ("µs of CPU a publish", lambda one: 1e6 / publishes_per_cpu(one), "{:.0f}"))),
    (
        "wide",
        "1000 readers with a topic each, SSE; each request publishes to 50 topics",
        (("µs of CPU a publish", lambda one: 1e6 / publishes_per_cpu(one), "{:.1f}"), ("p99 ms", p99, "{:.1f}")),
    ),
    ("ws-fan", "WebSocket fan-out: 1000 readers, 1 KiB", (
        ("deliveries a CPU-second", per_cpu, "{:,.0f}"), ("µs of CPU a delivery", lambda one: 1e6 / per_cpu(one), "{:.2f}"),
        ("p99 ms", p99, "{:.1f}"))),
    ("ws-idle", "5000 WebSockets at rest", (
        ("KiB a reader", held, "{:.1f}"), ("µs of CPU a connect", lambda one: 1e6 / connects_per_cpu(one), "{:.0f}"))),
    *((f"stuck-{share}-{count}", f"{count} of 1000 readers stuck, 16 KiB, {text}", (
        ("p50 ms", p50, "{:.1f}"), ("p99 ms", p99, "{:.1f}"), ("share of the core", busy, "{:.0%}")))
      for share, text in (("half", "core half busy"), ("near", "near saturation")) for count in (0, 100)),
)  # fmt: skip


def figures(run: Run) -> str:
    """Return what each system did, scenario by scenario, as Markdown."""
    parts = []
    for scenario, title, columns in COLUMNS:
        rows = []
        for system in SYSTEMS.values():
            if run.values(scenario, system.name, faults):
                cells = [spread(run.values(scenario, system.name, metric), form) for _, metric, form in columns]
                wrong = sum(run.values(scenario, system.name, faults))
                rows.append(f"| {system.called(scenario)} | {' | '.join(cells)} | {wrong:.0f} |")
        if rows:
            names = " | ".join(name for name, *_ in columns)
            parts += [
                f"### {title}",
                "",
                f"| system | {names} | faults |",
                "|---|" + "---|" * (len(columns) + 1),
                *rows,
                "",
            ]
    return "\n".join(parts)


def one_line(figures: Figures) -> str:
    """Return what one measurement found, for somebody who waits."""
    words = []
    if figures.get("up"):
        words.append(f"connect {1e6 / connects_per_cpu(figures):.0f} µs, {held(figures):.1f} KiB")
    if figures.get("deliveries"):
        words.append(f"{1e6 / per_cpu(figures):.2f} µs a delivery")
    if figures.get("p99"):
        words.append(f"p50 {p50(figures):.1f} p99 {p99(figures):.1f} ms, core {busy(figures):.0%}")
        words.append(f"client {figures['client_busy']:.0%}")
    if faults(figures):
        counts = {name: figures.get(name) for name in ("lost", "doubled", "reordered", "failed", "up", "still_up")}
        words.append(f"FAULTS {counts} {figures.get('said', '')}")
    return " · ".join(words)


QUIET = 1.5  # load up to which times by the clock are worth something
MARKS = "<!-- measured -->", "<!-- /measured -->"


def write(run: Run, results: list[Result], docs: Path) -> None:
    """Put the tables into the page that is about them, and draw its plot."""
    page = docs / "explanation" / "performance.md"
    before, _, rest = page.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    told = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    lines = [
        MARKS[0], f"Measured on {run.date} by `make bench-compare` in {run.minutes:.0f} minutes: {run.machine}; {told}.",
        *([f"**The machine was busy (load {run.load:.0f})**: times by the clock count for nothing here, ratios for little."]
          if run.load > QUIET else []),
        *(f"Not measured: {label}." for label in run.skipped), *(f"Failed: {what.splitlines()[0][:160]}." for what in run.failed), "",
        table(run, results), "", figures(run).strip(), MARKS[1],
    ]  # fmt: skip
    page.write_text(before + "\n".join(lines) + after)
    (docs / "images" / "compare.svg").write_text(
        plot.bars(
            "Deliveries for each second of a core",
            f"1000 readers, 1 KiB messages, 8 of them under way; in thousands, median of {len(run.rounds)}, and the spread",
            [
                (title, [(system.called(scenario), [one / 1000 for one in run.values(scenario, system.name, per_cpu)], system.kit)
                         for system in SYSTEMS.values()])
                for title, scenario in (("Server-sent events", "fan"), ("WebSocket", "ws-fan"))
            ],
        )
    )  # fmt: skip
