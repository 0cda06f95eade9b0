"""What was found: how bad it is, one sentence, and the cure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Level = Literal["ok", "warning", "problem", "unknown"]
_CODES: Final[dict[Level, int]] = {"ok": 0, "unknown": 0, "warning": 1, "problem": 2}
_MARKS: Final[dict[Level, str]] = {"ok": "ok     ", "unknown": "?      ", "warning": "WARNING", "problem": "PROBLEM"}


class Finding(NamedTuple):
    """One thing that was looked at; `unknown` is what could not be seen from here."""

    about: str
    level: Level
    text: str
    cure: str = ""


class Findings(list[Finding]):
    """All of them, in the order in which they were found."""

    def ok(self, about: str, text: str) -> None:
        """Add what is as it should be."""
        self.append(Finding(about, "ok", text))

    def warn(self, about: str, text: str, cure: str) -> None:
        """Add what works, and could be better."""
        self.append(Finding(about, "warning", text, cure))

    def fail(self, about: str, text: str, cure: str) -> None:
        """Add what people will suffer from."""
        self.append(Finding(about, "problem", text, cure))

    def unknown(self, about: str, text: str, cure: str = "") -> None:
        """Add what could not be seen from here."""
        self.append(Finding(about, "unknown", text, cure))

    @property
    def code(self) -> int:
        """The exit code: 0 where all is well, 1 with warnings, 2 with problems."""
        return max((_CODES[finding.level] for finding in self), default=0)


def as_text(findings: Iterable[Finding]) -> str:
    """Return findings as lines for a terminal."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]} {finding.about:<10} {finding.text}")
        lines += [" " * 19 + ("→ " if not number else "  ") + line for number, line in enumerate(_lines(finding.cure))]
    return "\n".join(lines) + "\n"


def _lines(cure: str) -> list[str]:
    return cure.splitlines()


def as_json(target: str, findings: Findings) -> str:
    """Return findings as one JSON object."""
    told = {"target": target, "code": findings.code, "findings": [finding._asdict() for finding in findings]}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"
