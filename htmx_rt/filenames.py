"""Names that come with files: what may be shown, stored and handed on of them. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MOST: Final = 120  # characters
MOST_BYTES: Final = 240  # in UTF-8: file systems take 255, and " (2)" must still fit
EXTENSION: Final = 16  # characters that count as one, with the dot
NAMELESS: Final = "file"
_EXTENSION: Final = re.compile(rf"\.[^.\s]{{1,{EXTENSION - 1}}}\Z")
_RESERVED: Final = re.compile(r'[<>:"|?*]')  # a colon opens another stream of a file on Windows
# Names of devices on Windows, whatever follows the first dot.
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|\Z)", re.IGNORECASE)
# As in names of people: Persian, Indic scripts and emoji need the two joiners.
_JOINERS: Final = "\u200c\u200d"
_HIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def safe_name(name: str) -> str:
    """Return what may be shown of a file's name, and used as one: NFC, no folders, nothing hidden, 120 characters."""
    base = re.split(r"[/\\]", name[-4096:])[-1]
    kept = (
        char
        for char in unicodedata.normalize("NFC", base)
        if char in _JOINERS or unicodedata.category(char) not in _HIDDEN
    )
    text = _RESERVED.sub("_", " ".join("".join(kept).split())).lstrip(". ").rstrip(". ")
    if not text.strip(_JOINERS):
        return NAMELESS
    if _DEVICE.match(text):
        text = "_" + text
    return _shorten(text, MOST, MOST_BYTES)


def extension(name: str) -> str:
    """Return the extension of a name with its dot, in lower case; empty where there is none."""
    found = _EXTENSION.search(name[1:])
    return found[0].lower() if found else ""


def plain_extension(name: str) -> str:
    """Return the extension where it is letters and digits only, for the names that are given on disk."""
    found = extension(name)
    return found if found.isascii() and found[1:].isalnum() else ""


def unique(names: Iterable[str]) -> list[str]:
    """Return `names` so that no two are equal, whatever their case: the second one gets " (2)"."""
    taken: set[str] = set()
    given: list[str] = []
    for name in names:
        free, number = name, 1
        while free.casefold() in taken:
            number += 1
            mark = f" ({number})"
            stem = name[: len(name) - len(extension(name))]
            end = name[len(stem) :]  # as it was written
            free = _cut(stem, MOST - len(end) - len(mark), MOST_BYTES - len((end + mark).encode())) + mark + end
        taken.add(free.casefold())
        given.append(free)
    return given


def _shorten(text: str, most: int, most_bytes: int) -> str:
    end = extension(text)
    kept = text[len(text) - len(end) :]  # as it was written
    return _cut(text[: len(text) - len(end)], most - len(kept), most_bytes - len(kept.encode())) + kept


def _cut(text: str, most: int, most_bytes: int) -> str:
    text = (
        text[:most].encode()[:most_bytes].decode("utf-8", "ignore") if len(text.encode()) > most_bytes else text[:most]
    )
    return text.rstrip(_JOINERS + ". ")
