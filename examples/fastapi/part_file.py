"""A list of parts as a file: reading it row by row, saying what is wrong with a row, and making a long one to try.

No framework in here, and no async: `imports.py` calls it in threads.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from random import Random
from typing import Any

COLUMNS = ("sku", "name", "brand", "price", "stock")
NEEDED = ("sku", "name", "price", "stock")
MOST = 100_000  # rows
SHOWN = 8  # rows in the preview
_SKU = re.compile(r"[A-Z0-9][A-Z0-9-]{2,23}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Unreadable(Exception):
    """Raised where a file is no list of parts; says so in words for the person."""


@dataclass(frozen=True)
class Wrong:
    """A row that cannot be taken over."""

    line: int
    sku: str
    why: str


@dataclass
class Preview:
    rows: int = 0
    first: list[dict[str, str]] = field(default_factory=list)


def preview(path: Path) -> Preview:
    """Return how many rows there are, and the first of them. Raised for anything but a list of parts: `Unreadable`."""
    found = Preview()
    for _, row in _rows(path):
        found.rows += 1
        if len(found.first) < SHOWN:
            found.first.append({name: _clean(row.get(name, ""))[:80] for name in COLUMNS})
    if not found.rows:
        raise Unreadable("There is no row below the names of the columns.")
    return found


def read(path: Path) -> Iterator[dict[str, Any] | Wrong]:
    """Yield each row as the columns of a part, or what is wrong with it."""
    seen: set[str] = set()
    for line, row in _rows(path):
        sku = _clean(row.get("sku", "")).upper()
        why = _why(row, sku, seen)
        seen.add(sku)
        if why:
            yield Wrong(line, sku[:24], why)
        else:
            cents = int(Decimal(row["price"].strip().replace(",", ".")) * 100)
            name, brand = _clean(row["name"]), _clean(row.get("brand", ""))[:60]
            yield {"sku": sku, "name": name, "brand": brand, "cents": cents, "stock": int(row["stock"])}


def _why(row: dict[str, str], sku: str, seen: set[str]) -> str:
    if not _SKU.fullmatch(sku):
        return f"“{sku[:24]}” is no part number." if sku else "The part number is missing."
    if sku in seen:
        return f"{sku} stands further up already."
    name = _clean(row["name"])
    if not name or len(name) > 120:
        return "The name is longer than 120 characters." if name else "The name is missing."
    price, stock = row["price"].strip().replace(",", "."), row["stock"].strip()
    try:
        value = Decimal(price)
    except InvalidOperation:
        return f"“{row['price'].strip()[:24]}” is no price." if price else "The price is missing."
    if not value.is_finite() or not 0 <= value < 100_000 or value != value.quantize(Decimal("0.01")):
        return f"“{price[:24]}” is no price."
    if not re.fullmatch(r"[0-9]{1,6}", stock, re.ASCII):
        return f"“{stock[:24]}” is no number of pieces."
    return ""


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows below the header, each with its line in the file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline(4096)
            separator = ";" if head.count(";") > head.count(",") else ","
            names = [_clean(name).lower() for name in next(csv.reader([head], delimiter=separator), [])]
            if missing := [name for name in NEEDED if name not in names]:
                raise Unreadable(f"The first line has to name the columns. Missing: {', '.join(missing)}.")
            reader = csv.reader(file, delimiter=separator)
            for count, values in enumerate((one for one in reader if any(one)), 1):
                if count > MOST:
                    raise Unreadable(f"{MOST:,} rows fit. Split the file, please.")
                values += [""] * (len(names) - len(values))
                yield reader.line_num + 1, dict(zip(names, values, strict=False))
    except (UnicodeDecodeError, csv.Error):
        raise Unreadable("This is not a CSV file in UTF-8.") from None


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def harmless(text: str) -> str:
    """Return text for a cell of a report such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def sample(path: Path, rows: int = MOST) -> None:
    """Write a wholesaler's list, with the few mistakes such lists have."""
    random = Random(2041)
    kinds = (
        ("Inner tube", ("20", "24", "26", "28"), "inch"), ("Tyre", ("32-622", "37-622", "47-507", "50-559"), ""),
        ("Chain", ("8", "9", "10", "11", "12"), "speed"), ("Cassette", ("11-28", "11-34", "11-42"), ""),
        ("Spoke", ("254", "260", "266", "292"), "mm"), ("Brake cable", ("1500", "1800", "2100"), "mm"),
        ("Handlebar", ("600", "640", "680"), "mm"), ("Seat post", ("27.2", "30.9", "31.6"), "mm"),
    )  # fmt: skip
    brands = ("Hagen", "Solin", "Volta", "Orbit", "Nordlicht", "Two Rivers", "Cap&Co")
    ours = {  # what was on order arrives
        "KC-1007": ("Brake pads, resin, pair", "Hagen", 1180, 48), "KC-1012": ("Chain, 11-speed", "Solin", 2540, 30),
        "KC-1031": ("Pannier rack, black", "Orbit", 4450, 6),
    }  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for sku, (name, brand, cents, stock) in list(ours.items())[:rows]:
            writer.writerow((sku, name, brand, f"{cents / 100:.2f}", stock))
        for number in range(len(ours), rows):
            kind, sizes, unit = kinds[number % len(kinds)]
            name = f"{kind} {random.choice(sizes)} {unit}".strip()
            price, stock = f"{random.randrange(190, 12_000, 5) / 100:.2f}", str(random.randrange(400))
            if number % 4_111 == 977:
                price = random.choice(("", "on request", "-1.00"))
            if number % 9_973 == 4_001:
                stock = "plenty"
            writer.writerow((f"W-{100_000 + number}", name, random.choice(brands), price, stock))
