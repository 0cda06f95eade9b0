"""`docs/patterns.md` says where each pattern lives; this keeps it true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATTERNS = ROOT / "docs" / "patterns.md"
# A path in backticks inside a row of a table: `tests/test_log.py`, `js/src/order.js`, `examples/fastapi/`.
CELL = re.compile(r"`([\w.-]+(?:/[\w.{}*-]+)+/?)`")


@pytest.mark.skipif(not PATTERNS.exists(), reason="docs/patterns.md is not there")
def test_every_path_in_the_table_exists() -> None:
    rows = [line for line in PATTERNS.read_text("utf-8").splitlines() if line.startswith("|")]
    paths = {path for row in rows for path in CELL.findall(row)}
    assert paths, "the table names no paths"
    missing = sorted(path for path in paths if not any(ROOT.glob(path.rstrip("/"))))
    assert missing == []
