"""The house has floors: a file imports only from a lower one, or along its own in the order given here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "htmx_rt"
FLOORS = [
    "protocol exceptions types topics frames log fragments operations entities paths catalogue buckets diff marks merge rows badges bones etags paging filenames sniff pace",
    "accelerator lines texts plain signing request_state identity drain sockets solitude transactions redis_client buses stores assets eventual",
    "leases people gossip attendance faces sight watchers presence speech visitors sections reader gallery crowds whispers rounds hub views grants publishing receipts deferred undo undo_runner drafts lock_record locks answering bases panel reverts savers editing guards declarations templating likeness skeletons progress_record progress_shelf progress_voice progress_start progress_alone progress progresses notifications validation upload_disk upload_forms uploads services scribe macros lifecycle",
    "realtime",
    "endpoints",
    "actions middleware",
    "__init__",
    "testing contrib doctor",
    "__main__",
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the rooms of the package that the file `path` imports, wherever in it."""
    package = ("htmx_rt", *path.parts[:-1])
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module or "").split(".")) if node.module else base
            if module[:1] == ("htmx_rt",):
                yield from [module[1]] if len(module) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "htmx_rt" and len(parts) > 1:
                    yield parts[1]


def test_every_file_has_a_floor() -> None:
    assert {room(path) for path in FILES} <= set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_imports_only_from_below_or_from_beside_it(path: Path) -> None:
    for other in imported(path):
        assert FLOOR[other] <= FLOOR[room(path)], f"{path} imports {other}"
        assert other not in ("testing", "contrib") or other == room(path), f"{path} imports {other}"


def test_rooms_of_one_floor_do_not_import_each_other_in_a_circle() -> None:
    edges: dict[str, set[str]] = {}
    for path in FILES:
        edges.setdefault(room(path), set()).update(other for other in imported(path) if other != room(path))
    remaining = dict(edges)
    while remaining:
        free = [name for name, others in remaining.items() if not others & set(remaining)]
        assert free, f"a circle among {sorted(remaining)}"
        for name in free:
            del remaining[name]


def test_what_newcomers_are_told_of_the_floors_is_so() -> None:
    page = (ROOT.parent / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| (.*?) \|", page, re.MULTILINE)
    told = {name: int(number) for number, names in rows for name in re.findall(r"`(\w+)/?`", names)}
    assert len(told) > 30
    assert told.items() <= FLOOR.items()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_stays_small(path: Path) -> None:
    limit = 420 if room(path) == "testing" else 320
    assert len((ROOT / path).read_text("utf-8").splitlines()) <= limit
