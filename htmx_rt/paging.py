"""Long lists a page at a time, by the last row that was shown: nothing is shown twice or left out when rows come and go.

page = keyset(rows, size=20, key=lambda row: (row.at, row.id))      # rows: the query's, one more than `size`
values = read_cursor(request.query_params.get("after"), (datetime, int))
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from .exceptions import BadCursor, ConfigurationError

MOST: Final = 2048  # characters of a cursor
PARTS: Final = 8
_VERSION: Final = "1."
_LETTERS: Final = re.compile(r"[A-Za-z0-9_-]+")
_CURE: Final = "Answer it with the first page."

Row = TypeVar("Row")
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of one page, and the cursor of the next one, None on the last."""

    items: list[Row]
    next: str | None


def keyset(rows: Iterable[Row], *, key: Callable[[Row], Any], size: int = 20) -> Page[Row]:
    """Return the first `size` of `rows`; that there is one more says that there is a next page.

    `key` returns what the rows are ordered by: a value, or a tuple that ends in something unique, such as the id.
    Raised for a key that no cursor can hold: `ConfigurationError`.
    """
    if size < 1:
        raise ConfigurationError(f"keyset(size={size!r}): a page has at least one row.")
    items = list(islice(rows, size + 1))
    if len(items) <= size:
        return Page(items, None)
    del items[size:]
    values = key(items[-1])
    return Page(items, write_cursor(values if isinstance(values, tuple) else (values,)))


def write_cursor(values: Sequence[Any]) -> str:
    """Return a text for an address that stands for `values`. Raised for what it cannot hold: `ConfigurationError`."""
    if not 0 < len(values) <= PARTS:
        raise ConfigurationError(f"A cursor of {len(values)} values. Order by 1 to {PARTS}.")
    try:
        data = json.dumps([_packed(value) for value in values], ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{values!r:.200} holds text that is no Unicode.") from error
    text = _VERSION + base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    if len(text) > MOST:
        raise ConfigurationError(
            f"A cursor of {len(text)} characters; {MOST} are the most. Order by something shorter."
        )
    return text


def read_cursor(text: str | None, types: Sequence[type] | None = None) -> Values | None:
    """Return the values of a cursor, as they were; None where there is none: the first page.

    `types` are those of the values, one each; None may stand for any of them. Raised for anything else, as whoever
    asks may have written it: `BadCursor`. A cursor says where a page begins, and never what somebody may see.
    """
    if not text:
        return None
    if len(text) > MOST or not text.startswith(_VERSION):
        raise BadCursor(f"No cursor of this version: {text!r:.80}. {_CURE}")
    try:
        packed = json.loads(_decoded(text[len(_VERSION) :]))
        if not isinstance(packed, list) or not 0 < len(packed) <= PARTS:
            raise ValueError("no list of values")
        values = tuple(_unpacked(value) for value in packed)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise BadCursor(f"A broken cursor: {text!r:.80}. {_CURE}") from error
    if types is not None:
        fits = len(values) == len(types) and all(
            value is None or type(value) is kind for value, kind in zip(values, types, strict=True)
        )
        if not fits:
            found = ", ".join(type(value).__name__ for value in values)
            wanted = ", ".join(kind.__name__ for kind in types)
            raise BadCursor(f"A cursor of ({found}) for a list ordered by ({wanted}). {_CURE}")
    return values


def _decoded(text: str) -> str:
    if not _LETTERS.fullmatch(text):  # base64 would drop what it does not know
        raise ValueError("no base64")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def _packed(value: Any) -> Any:
    """What JSON says by itself stays; all else is a list of one letter and a text."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int and _fits(value):
        return value
    if kind is str and "\0" not in value:
        return value
    if kind is float and not math.isnan(value):
        return ["f", value.hex()]
    if kind is Decimal and _sane(value):
        return ["d", str(value)]
    for letter, (known, write, _) in _KINDS.items():
        if kind is known:
            return [letter, write(value)]
    names = "int, str, bool, float, Decimal, datetime, date, UUID and None"
    raise ConfigurationError(f"{value!r:.80} ({kind.__name__}) cannot stand in a cursor. It holds {names}.")


def _unpacked(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and _fits(value):
        return value
    if isinstance(value, str) and "\0" not in value:
        value.encode()  # half a surrogate pair is no text
        return value
    letter, text = value
    if not isinstance(text, str):
        raise TypeError("no text")
    if letter == "f":
        number = float.fromhex(text)
        if math.isnan(number):
            raise ValueError("no number")
        return number
    if letter == "d":
        decimal = Decimal(text)
        if not _sane(decimal):
            raise InvalidOperation
        return decimal
    found = _KINDS[letter][2](text) if letter in _KINDS else _unknown(letter)
    if isinstance(found, datetime) and found.tzinfo is not None:
        found.astimezone(UTC)  # as databases do: raised where that is before the year 1, or after 9999
    return found


def _unknown(letter: Any) -> Any:
    raise ValueError(f"unknown kind {letter!r}")


def _fits(number: int) -> bool:
    return -(2**63) <= number < 2**63  # what databases have


def _sane(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) < 1000


_KINDS: Final[dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]]] = {
    "t": (datetime, datetime.isoformat, datetime.fromisoformat),
    "D": (date, date.isoformat, date.fromisoformat),
    "u": (UUID, str, UUID),
}
