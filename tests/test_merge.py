from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest

from htmx_rt.merge import members, merge_fields, number, text, whole, words

SEED = int(os.environ.get("MERGE_SEED", "0")) or random.randrange(2**32)
ROUNDS = 10_000


@pytest.fixture(autouse=True)
def seed() -> None:
    print(f"MERGE_SEED={SEED}")


def some_text(chance: random.Random) -> str:
    lines = [chance.choice(["alpha", "beta", "gamma", "", "delta\tx"]) for _ in range(chance.randrange(8))]
    return "\n".join(lines) + ("\n" if lines and chance.random() < 0.5 else "")


def changed(chance: random.Random, base: str, mark: str) -> tuple[str, list[str]]:
    """Return `base` with some lines put in, taken out or changed; what is put in is told by its mark."""
    lines, put = base.split("\n"), []
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(lines) + 1)
        new = f"{mark}{len(put)}"
        kind = chance.randrange(3)
        if kind == 0 or not lines:
            lines.insert(at, new)
            put.append(new)
        elif kind == 1:
            gone = lines.pop(min(at, len(lines) - 1))
            if gone in put:
                put.remove(gone)
        else:
            at = min(at, len(lines) - 1)
            if lines[at] in put:
                put.remove(lines[at])
            lines[at] = new
            put.append(new)
    return "\n".join(lines), put


def test_no_line_that_either_wrote_is_lost_in_ten_thousand_random_merges() -> None:
    chance = random.Random(SEED)
    clean = 0
    for _ in range(ROUNDS):
        base = some_text(chance)
        mine, my_lines = changed(chance, base, "mine-")
        theirs, their_lines = changed(chance, base, "theirs-")
        merge = merge_fields({"t": base}, {"t": mine}, {"t": theirs}, {"t": text})
        result = merge.values["t"]
        missing = Counter(my_lines + their_lines) - Counter(result.replace("\r\n", "\n").split("\n"))
        assert not missing, (base, mine, theirs, result)
        if merge.clean:
            clean += 1
            # Whoever comes first: the same text.
            assert merge_fields({"t": base}, {"t": theirs}, {"t": mine}, {"t": text}).values["t"] == result
        else:
            [field] = merge.conflicts
            assert (field.mine, field.theirs) == (mine, theirs)
    assert clean > ROUNDS / 4


@pytest.mark.parametrize("merger", [text, words, members, number, whole])
def test_what_only_one_side_did_is_the_result(merger: Any) -> None:
    chance = random.Random(SEED)
    for _ in range(500):
        base, new = values(chance, merger), values(chance, merger)
        for mine, theirs, wanted in ((new, base, new), (base, new, new), (new, new, new), (base, base, base)):
            merge = merge_fields({"f": base}, {"f": mine}, {"f": theirs}, {"f": merger})
            assert merge.values == {"f": wanted}
            assert merge.clean


def values(chance: random.Random, merger: Any) -> Any:
    if merger is text:
        return some_text(chance)
    if merger is words:
        return ", ".join(chance.sample("abcdef", chance.randrange(5)))
    if merger is members:
        return chance.sample("abcdef", chance.randrange(5))
    return chance.randrange(10)


def test_members_that_either_added_or_took_out() -> None:
    chance = random.Random(SEED)
    for _ in range(ROUNDS):
        base, mine, theirs = (set(chance.sample("abcdefgh", chance.randrange(8))) for _ in range(3))
        result, clean = members(base, mine, theirs)
        assert clean
        assert result == (base & mine & theirs) | (mine - base) | (theirs - base)
        assert members(base, theirs, mine)[0] == result


def test_numbers_add_up() -> None:
    assert number(10, 12, 9) == (11, True)
    assert number(None, 12, 9) == (12, False)


def test_tags() -> None:
    assert words("red, blue", "red, blue, green", "blue") == ("blue, green", True)


def test_different_fields_are_merged_and_the_same_one_is_asked_about() -> None:
    base = {"title": "A", "price": "1", "note": "x"}
    merge = merge_fields(base, {**base, "title": "mine", "note": "m"}, {**base, "price": "2", "note": "t"})
    assert merge.values == {"title": "mine", "price": "2", "note": "m"}
    assert [one.name for one in merge.conflicts] == ["note"]
    assert merge.theirs == ["price"]


def test_a_field_that_the_form_does_not_have_is_as_the_others_left_it() -> None:
    assert merge_fields({"a": 1, "b": 1}, {"a": 2}, {"a": 1, "b": 3}).values == {"a": 2, "b": 3}


def test_both_wrote_the_same() -> None:
    assert merge_fields({"a": 1}, {"a": 2}, {"a": 2}).fields["a"].decision == "same"


def test_lines_that_both_changed_are_proposed_one_after_the_other() -> None:
    value, clean = text("one\ntwo\nthree\n", "one\nZWEI\nthree\n", "one\nDOS\nthree\n")
    assert (value, clean) == ("one\nZWEI\nDOS\nthree\n", False)


def test_long_texts_are_asked_about_whole() -> None:
    base = "\n".join(str(number) for number in range(6_000))
    assert text(base, base + "\na", base + "\nb") == (base + "\na", False)
