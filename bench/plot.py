"""Bars as SVG, drawn by hand: readable on light and on dark, wide enough for a page and narrow enough for a phone."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 720, 210, 70, 66, 20, 10
STYLE = """\
.paper{fill:#fff}text{font:13px system-ui,sans-serif;fill:#1c2430}.soft{fill:#5b6675}.title{font-size:15px;font-weight:600}
.head{font-weight:600}.ours{fill:#2f6feb}.theirs{fill:#8a94a3}.spread{stroke:#1c2430;stroke-width:1.5;fill:none}
@media(prefers-color-scheme:dark){text{fill:#e6eaf0}.soft{fill:#a3adba}.ours{fill:#6ea0ff}.theirs{fill:#7d8794}
.spread{stroke:#e6eaf0}.paper{fill:#12161c}}
"""

Bar = tuple[str, Sequence[float], bool]  # label, values, whether it is ours


def bars(title: str, subtitle: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Return a plot of groups of bars, the longest first; each as long as its median, with a line from least to most."""
    groups = [
        (name, sorted((bar for bar in members if bar[1]), key=lambda bar: -statistics.median(bar[1])))
        for name, members in groups
    ]
    groups = [(name, members) for name, members in groups if members]
    most = max((max(values) for _, members in groups for _, values, _ in members), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / most
    parts: list[str] = []
    y = TOP
    for name, members in groups:
        parts.append(f'<text class="head" x="16" y="{y + 14}">{escape(name)}</text>')
        y += BAR + GAP
        for label, values, ours in members:
            middle, least, largest = statistics.median(values), min(values), max(values)
            length, center = round(middle * scale, 1), y + BAR / 2
            parts.append(f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>')
            parts.append(
                f'<rect class="{"ours" if ours else "theirs"}" x="{LEFT}" y="{y}" width="{length}" height="{BAR}" rx="2"/>'
            )
            if largest > least:
                start, end = round(LEFT + least * scale, 1), round(LEFT + largest * scale, 1)
                parts.append(
                    f'<path class="spread" d="M{start} {center - 4}v8M{start} {center}H{end}M{end} {center - 4}v8"/>'
                )
            shown = LEFT + round(largest * scale, 1) + 8
            parts.append(f'<text class="soft" x="{shown}" y="{y + 15}">{middle:,.0f}</text>')
            y += BAR + GAP
        y += GAP
    told = "; ".join(
        f"{name}: " + ", ".join(f"{label} {statistics.median(values):,.0f}" for label, values, _ in members)
        for name, members in groups
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" '
            'aria-labelledby="title told">',
            f'<title id="title">{escape(title)}</title><desc id="told">{escape(told)}</desc>',
            f"<style>{STYLE.strip()}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{y}" rx="8"/>',
            f'<text class="title" x="16" y="26">{escape(title)}</text>',
            f'<text class="soft" x="16" y="46">{escape(subtitle)}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )
