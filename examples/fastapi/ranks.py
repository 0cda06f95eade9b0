"""Places in a list that people sort by hand: short strings, between any two of which there is room for another one.

A row that is moved is the only one that changes: nothing is numbered anew. The method is that of "Implementing
Fractional Indexing" (https://observablehq.com/@dgreensp/implementing-fractional-indexing).
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase, digits

DIGITS = digits + ascii_uppercase + ascii_lowercase  # in the order databases and browsers compare them


def between(low: str, high: str) -> str:
    """Return a rank above `low` and below `high`; "" leaves that side open.

    Read as digits after a point, without a zero at the end, so that there is always room in front. Raised if there is
    none: `ValueError`.
    """
    if high and not low < high:
        raise ValueError(f"Nothing lies between {low!r} and {high!r}.")
    bottom, top = not low, not high
    rank, place = "", 0
    while True:
        floor = DIGITS.index(low[place]) if place < len(low) else 0
        ceiling = DIGITS.index(high[place]) if place < len(high) else len(DIGITS)
        if ceiling - floor > 1:
            # At an open end a list grows again and again: one step there, not half of what is left.
            middle = (floor + ceiling) // 2 if bottom == top else floor + 1 if top else ceiling - 1
            return rank + DIGITS[middle]
        rank, place = rank + DIGITS[floor], place + 1
        if floor < ceiling:
            high = ""  # whatever follows now is below it
