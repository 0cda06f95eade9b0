"""What the documentation shows is what the examples contain, and its links lead somewhere."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .doc_kit import EXAMPLES, ROOT, pages

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
SHOWN = {"python": "*.py", "jinja": "*.html", "css": "*.css", "js": "*.js", "nginx": "*.conf"}
SPOKEN = {"", "sh", "text"}  # commands and headers


def blocks() -> Iterator[object]:
    for page in pages():
        for number, (language, code) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")), 1):
            yield pytest.param(language, code, id=f"{page.relative_to(ROOT)}:{number}")


def without_margin(lines: list[str]) -> list[str]:
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).split("\n")


def contains(source: Path, wanted: list[str]) -> bool:
    """Tell whether `wanted` stands in `source`, line by line, indented or not."""
    lines = source.read_text(encoding="utf-8").split("\n")
    first = wanted[0].strip()
    return any(
        line.strip() == first and without_margin(lines[number : number + len(wanted)]) == wanted
        for number, line in enumerate(lines)
    )


@pytest.mark.parametrize(("language", "code"), list(blocks()))
def test_a_block_is_part_of_an_example(language: str, code: str) -> None:
    assert language in SHOWN or language in SPOKEN, f"Add {language} to one of the lists."
    if language not in SHOWN:
        return
    wanted = without_margin(code.rstrip("\n").split("\n"))
    sources = [*EXAMPLES.rglob(SHOWN[language]), *(ROOT / "examples").rglob(SHOWN[language])]
    assert any(contains(source, wanted) for source in sources), f"No example contains:\n{code}"


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link) and not leads(page, link)]
    assert broken == []


def leads(page: Path, link: str) -> bool:
    """Tell whether the file and the heading of a relative link are there."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or anchor in map(slug, HEADING.findall(target.read_text(encoding="utf-8")))
