"""A rolling restart of two workers behind nginx over Redis, under open streams: who comes back when, and what is lost.

    python bench/rolling.py [--streams 200] [--csv rolling-restart.csv] [--svg docs/images/rolling-restart.svg]

Starts redis-server, nginx and the workers itself, publishes a number every 50 ms throughout, restarts both workers one
after the other as a deploy does, and draws reconnects per second. Fails where a promise of a deploy is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.rolling import Outcome, rolling_restart  # noqa: E402

SHARE = 0.3  # of the streams that may come back in one second
EXIT = 1.0  # seconds a worker may take to end
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 300, 48, 64, 44


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streams", type=int, default=200)
    options.add_argument("--csv", type=Path, help="write reconnects per second")
    options.add_argument("--svg", type=Path, help="draw them")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(rolling_restart(Path(folder), given.streams))
    print(f"streams                        {outcome.streams}")
    print(
        f"published                      {outcome.published}, lost {outcome.lost}, out of order {outcome.out_of_order}"
    )
    print(f"workers ended after            {', '.join(f'{seconds:.2f} s' for seconds in outcome.exits)}")
    print(f"reconnects                     {len(outcome.reconnects)}, {outcome.busiest} in the busiest second")
    print(f"pages that saw an outage       {outcome.outages}")
    if given.csv:
        write_csv(given.csv, outcome)
    if given.svg:
        given.svg.parent.mkdir(parents=True, exist_ok=True)
        given.svg.write_text(draw(outcome))
    broken = [
        what
        for what, bad in (
            ("messages were lost", outcome.lost),
            ("messages came out of order", outcome.out_of_order),
            ("a worker took too long to end", max(outcome.exits) >= EXIT),
            ("too many came back at once", outcome.busiest > SHARE * outcome.streams),
            ("pages saw an outage", outcome.outages),
        )
        if bad
    ]
    if broken:
        sys.exit("; ".join(broken))


def write_csv(path: Path, outcome: Outcome) -> None:
    """Write one line a second."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["second", "reconnects", "workers_restarted"])
        for second, reconnects in enumerate(outcome.per_second()):
            writer.writerow([second, reconnects, sum(second <= moment < second + 1 for moment in outcome.restarts)])


def draw(outcome: Outcome) -> str:
    """Return a plain SVG: a bar a second, a line at the most there may be, a mark where a worker was restarted."""
    bars = outcome.per_second()
    most = SHARE * outcome.streams
    top = max(most, *bars) * 1.15
    wide, high = WIDTH - LEFT - 16, HEIGHT - TOP - BOTTOM
    step = wide / len(bars)

    def x(second: float) -> float:
        return round(LEFT + second * step, 1)

    def y(count: float) -> float:
        return round(TOP + high * (1 - count / top), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13" fill="#1c2430">',
        f'<title id="title">Reconnects per second while two workers restart under {outcome.streams} streams</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">Reconnects per second during a rolling restart</text>',
        f'<text x="{LEFT}" y="43" fill="#5b6675">{outcome.streams} streams, two workers behind nginx over Redis; '
        f"{outcome.published} messages published meanwhile, {outcome.lost} lost</text>",
    ]
    for count in range(0, int(top) + 1, max(1, round(top / 5 / 10) * 10)):
        parts.append(f'<path d="M{LEFT} {y(count)}H{WIDTH - 16}" stroke="#e3e7ec"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(count) + 4}" text-anchor="end" fill="#5b6675">{count}</text>')
    for second, count in enumerate(bars):
        if count:
            parts.append(
                f'<rect x="{x(second) + 2}" y="{y(count)}" width="{round(step - 4, 1)}" '
                f'height="{round(y(0) - y(count), 1)}" rx="2" fill="#2f6feb"/>'
            )
        parts.append(
            f'<text x="{x(second + 0.5)}" y="{HEIGHT - 24}" text-anchor="middle" fill="#5b6675">{second}</text>'
        )
    parts.append(f'<path d="M{LEFT} {y(most)}H{WIDTH - 16}" stroke="#b42318" stroke-dasharray="5 4"/>')
    parts.append(
        f'<text x="{WIDTH - 16}" y="{y(most) - 6}" text-anchor="end" fill="#b42318">'
        f"at most {SHARE:.0%} of the streams</text>"
    )
    for number, moment in enumerate(outcome.restarts, 1):
        parts.append(f'<path d="M{x(moment) + 0.5} {TOP - 8}V{y(0)}" stroke="#5b6675" stroke-dasharray="2 3"/>')
        parts.append(f'<text x="{x(moment) + 5}" y="{TOP}" fill="#5b6675">worker {number} restarts</text>')
    parts.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 7}" text-anchor="middle" fill="#5b6675">seconds</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
