from __future__ import annotations

import os
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from htmx_rt.merge import Merger, amount, flag, members, merge_fields, number, text, whole, words

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


@pytest.mark.parametrize(
    "merger", [text, words, members, number, whole, flag], ids=["text", "words", "members", "number", "whole", "flag"]
)
def test_what_only_one_side_did_is_the_result(merger: Merger) -> None:
    chance = random.Random(SEED)
    for _ in range(500):
        base, new = values(chance, merger), values(chance, merger)
        for mine, theirs, wanted in ((new, base, new), (base, new, new), (new, new, new), (base, base, base)):
            merge = merge_fields({"f": base}, {"f": mine}, {"f": theirs}, {"f": merger})
            assert merge.values == {"f": merger.write(merger.read(wanted))}
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
        base, mine, theirs = (chance.sample("abcdefgh", chance.randrange(8)) for _ in range(3))
        merge = merge_fields({"f": base}, {"f": mine}, {"f": theirs}, {"f": members})
        other = merge_fields({"f": base}, {"f": theirs}, {"f": mine}, {"f": members})
        assert merge.clean
        kept = set(base) & set(mine) & set(theirs)
        assert set(merge.values["f"]) == kept | (set(mine) - set(base)) | (set(theirs) - set(base))
        if merge.fields["f"].decision == "merged":
            assert other.values == merge.values


def merged(merger: Merger, base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    merge = merge_fields({"f": base}, {"f": mine}, {"f": theirs}, {"f": merger})
    return merge.values["f"], merge.clean


def test_numbers_add_up() -> None:
    assert merged(number, 10, "12", 9) == ("11", True)
    assert merged(number, Decimal("3.50"), "4.00", "3.5") == ("4.00", True)
    assert merged(number, None, "12", 9) == ("12", False)
    assert merged(number, 10, "a lot", 9) == ("a lot", False)


def test_a_number_written_otherwise_is_the_same() -> None:
    assert merge_fields({"f": Decimal("3.5")}, {"f": "3.50"}, {"f": 4}, {"f": number}).values == {"f": "4"}


def test_a_number_that_would_fill_the_memory_is_text() -> None:
    assert merged(number, "1", "1e999999999", "2") == ("1e999999999", False)


def test_tags() -> None:
    assert merged(words, "red, blue", "red, blue, green", "blue") == ("blue, green", True)


def test_a_checkbox_that_was_not_sent_is_off() -> None:
    assert merge_fields({"f": True}, {"f": ""}, {"f": True}, {"f": flag}).values == {"f": ""}


def test_line_ends_as_forms_send_them_are_no_change() -> None:
    merge = merge_fields({"f": "one\ntwo"}, {"f": "one\r\ntwo"}, {"f": "one\nthree"}, {"f": text})
    assert merge.fields["f"].decision == "theirs"


def test_where_the_base_is_not_known_every_difference_is_asked_about() -> None:
    merge = merge_fields(None, {"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": whole, "b": number})
    assert [(one.name, one.base) for one in merge.conflicts] == [("b", None)]


def test_different_fields_are_merged_and_the_same_one_is_asked_about() -> None:
    base = {"title": "A", "price": "1", "note": "x"}
    mergers = dict.fromkeys(base, whole)
    merge = merge_fields(base, {**base, "title": "mine", "note": "m"}, {**base, "price": "2", "note": "t"}, mergers)
    assert merge.values == {"title": "mine", "price": "2", "note": "m"}
    assert [one.name for one in merge.conflicts] == ["note"]
    assert merge.theirs == ["price"]


def test_a_field_that_the_form_does_not_have_is_as_the_others_left_it() -> None:
    mergers = {"a": whole, "b": whole}
    assert merge_fields({"a": 1, "b": 1}, {"a": 2}, {"a": 1, "b": 3}, mergers).values == {"a": "2", "b": "3"}


def test_both_wrote_the_same() -> None:
    assert merge_fields({"a": 1}, {"a": 2}, {"a": 2}, {"a": whole}).fields["a"].decision == "same"


def test_lines_that_both_changed_are_proposed_one_after_the_other() -> None:
    found = merged(text, "one\ntwo\nthree\n", "one\nZWEI\nthree\n", "one\nDOS\nthree\n")
    assert found == ("one\nZWEI\nDOS\nthree\n", False)


def test_long_texts_are_asked_about_whole() -> None:
    base = "\n".join(str(number) for number in range(6_000))
    assert merged(text, base, base + "\na", base + "\nb") == (base + "\na", False)


def test_a_text_of_the_same_line_over_and_over_is_merged() -> None:
    base = "\n" * 4_000
    assert merged(text, base, base + "a", "b" + base) == ("b" + base + "a", True)


def test_texts_with_thousands_of_changes_are_merged_by_the_lines_that_stand_once_in_each() -> None:
    lines = [f"{number}\n" for number in range(4_000)]
    mine = [f"mine {number}\n" if number % 2 else line for number, line in enumerate(lines)]
    theirs = ["theirs\n", *lines]
    assert merged(text, "".join(lines), "".join(mine), "".join(theirs)) == ("theirs\n" + "".join(mine), True)


def test_no_digit_is_rounded_away() -> None:
    base = "1" + "0" * 50
    assert merged(number, base, base[:-1] + "1", base[:-1] + "2.25") == ("1" + "0" * 49 + "3.25", True)


def test_of_two_amounts_one_counts() -> None:
    both = merge_fields({"price": "3.50"}, {"price": "4"}, {"price": Decimal("5.00")}, {"price": amount})
    assert (both.fields["price"].decision, both.values["price"]) == ("conflict", "4")
    same = merge_fields({"price": Decimal("3.50")}, {"price": "3.5"}, {"price": Decimal("3.500")}, {"price": amount})
    assert same.fields["price"].decision == "same"
