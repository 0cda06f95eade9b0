"""What the worst input costs: twice as much of it at most a little more than twice as many steps, counted, not timed."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from starlette.datastructures import FormData

from htmx_rt.bases import Posted, strong_tags
from htmx_rt.merge import members, merge_fields, number, text, whole, words
from htmx_rt.panel import describe, echo

Work = Callable[[], object]


def steps(work: Work, most: int = 20_000_000, *, of: str = "opcode") -> int:
    """Return how many instructions, or lines, of Python `work` runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = of == "opcode"
        count += event == of
        assert count < most, "that is too much"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def grows(make: Callable[[int], Work], size: int) -> float:
    """Return how many times the steps twice the size takes."""
    return steps(make(2 * size)) / steps(make(size))


def asked_about(fields: Any, merger: Any) -> Work:
    base, mine, theirs = fields
    return lambda: describe(merge_fields(base, mine, theirs, merger), {}, merger)


def one(merger: Any, base: Any, mine: Any, theirs: Any) -> Work:
    return asked_about(([{"f": base}, {"f": mine}, {"f": theirs}]), {"f": merger})


def every_second(number: int, mark: str) -> str:
    return "".join(f"{mark if line % 2 else ''}{line}\n" for line in range(number))


def shuffled(number: int, seed: int) -> str:
    lines = [f"{line}\n" for line in range(number)]
    random.Random(seed).shuffle(lines)
    return "".join(lines)


TEXTS: dict[str, Callable[[int], tuple[str, str, str]]] = {
    "every second line": lambda n: (every_second(n, ""), every_second(n, "m"), every_second(n, "t")),
    "nothing in common": lambda n: ("b\n" * n, "m\n" * n, "t\n" * n),
    "empty lines": lambda n: ("\n" * n, "\n" * (n + 1) + "m", "t" + "\n" * (n - 1)),
    "two lines in turns": lambda n: ("a\nb\n" * n, "b\na\n" * n + "m", "a\na\nb\n" * n),
    "shuffled": lambda n: (shuffled(n, 0), shuffled(n, 1), shuffled(n, 2)),
    "backwards": lambda n: (
        shuffled(n, 0),
        "".join(f"{x}\n" for x in range(n)),
        "".join(f"{x}\n" for x in range(n, 0, -1)),
    ),
    "one line": lambda n: ("b" * n * 20, "m" * n * 20, "t" * n * 20),
    "one line of words": lambda n: ("a b " * n, "b a " * n, "b b a " * n),
    "one line of signs": lambda n: ("漢字" * n, "字漢" * n, "字字漢" * n),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts(kind: str) -> None:
    assert steps(one(text, *TEXTS[kind](2400)), of="line") < 3_000_000  # about a tenth of a second


def test_many_texts_take_no_longer_than_a_few() -> None:
    base, mine, theirs = TEXTS["shuffled"](300)
    sides = [{f"f{n}": side for n in range(24)} for side in (base, mine, theirs)]
    assert steps(asked_about(sides, {f"f{n}": text for n in range(24)}), of="line") < 6_000_000


@pytest.mark.parametrize("known", [True, False])
def test_lists(known: bool) -> None:
    def work(size: int) -> Work:
        sides = [[f"{mark}{n}" for n in range(size)] for mark in "bmt"]
        base = {"f": sides[0]} if known else None
        return asked_about((base, {"f": sides[1]}, {"f": sides[2]}), {"f": members})

    assert grows(work, 500) < 2.3


def test_words_and_numbers() -> None:
    assert grows(lambda size: one(words, "b," * size, "m," * size, ",".join(map(str, range(size)))), 1000) < 2.3
    for long in ("9" * 100_000, "1e" + "9" * 50, "." * 50_000, "1_" * 40_000 + "1", "-" * 50_000):
        assert steps(one(number, "1", long, "2")) < 20_000


def test_forms_with_many_fields() -> None:
    def starlette(size: int) -> Work:
        form = FormData([(f"field{n}", "x") for n in range(size)])
        return lambda: echo(Posted(form).items(), ())

    def mapping(size: int) -> Work:
        form = {f"field{n}": ["x"] for n in range(size)}
        return lambda: echo(Posted(form).items(), ())

    def same(size: int) -> Work:
        form = FormData([("title", "x")] * size)
        return lambda: (Posted(form).mine({"title": whole}, whole=()), Posted(form).fault({"title": whole}))

    for make in (starlette, mapping, same):
        assert grows(make, 500) < 2.3


class Twice(dict[str, list[str]]):
    """A form that yields a name once for each of its values, as some do."""

    looked = 0

    def __iter__(self) -> Any:
        return (name for name, values in self.items() for _ in values)

    def getall(self, name: str) -> list[str]:
        self.looked += 1
        return dict.__getitem__(self, name)


def test_a_form_that_yields_names_twice_is_asked_once() -> None:
    form = Twice(title=["x"] * 1000)
    assert Posted(form).all("title") == ["x"] * 1000
    assert form.looked == 1


@pytest.mark.parametrize(
    "header", [" " * 4096, '"' * 4096, '"a",' * 1024, "W/" * 2048, '"a" ' * 1024, "\t" * 4095 + "x"]
)
def test_lists_of_tags(header: str) -> None:
    def work() -> None:
        with contextlib.suppress(ValueError):
            strong_tags(header)

    assert steps(work) < 60_000
