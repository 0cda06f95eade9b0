"""What a guarded form was rendered with, and what it sends back: versions, signed values, decisions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import protocol
from .merge import Merger, Text
from .signing import Signer

_VERSION: Final = re.compile(r"[0-9]{1,18}")
_ETAG: Final = re.compile(r'\s*(?:(W/)?"([^"]*)"|(\*))\s*(?:,|\Z)')
OURS: Final = (
    protocol.VERSION_FIELD, protocol.BASE_FIELD, protocol.FENCE_FIELD, protocol.TAKE_FIELD, protocol.MINE_FIELD,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Base:
    """The values that a form was rendered with, as the server itself said."""

    resource: str
    version: int
    values: dict[str, Text]
    lang: str = "en"  # of the page


class Bases:
    """Signs and reads them."""

    def __init__(self, signer: Signer, *, most: int) -> None:
        self._signer = signer
        self._most = most  # characters

    def write(self, base: Base) -> str:
        """Return `base` signed; empty where it is too long to travel, and a save is then compared with less."""
        token = self._signer.dumps("base", [base.resource, base.version, base.values, base.lang])
        return token if len(token) <= self._most else ""

    def read(self, token: object, resource: str) -> Base | None:
        """Return what was signed for `resource`; None for anything else."""
        value = self._signer.loads("base", token, most=self._most) if isinstance(token, str) else None
        if not isinstance(value, list) or len(value) != 4 or value[0] != resource:
            return None
        return Base(*value)


class Posted:
    """What a form sends, of whatever kind a framework has it."""

    def __init__(self, form: Any) -> None:
        self._values: dict[str, list[Any]] = {}
        for name in form if form is not None else ():
            self._values[str(name)] = _all(form, name)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Yield each name with each of its values."""
        for name, values in self._values.items():
            for value in values:
                yield name, value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def one(self, name: str) -> str | None:
        """Return the first text of `name`, or None."""
        return next((str(value) for value in self._values.get(name, ()) if isinstance(value, str | int)), None)

    def mine(self, mergers: Mapping[str, Merger], *, whole: Iterable[str]) -> dict[str, Any]:
        """Return what the person wants, by field; what the form does not hold is left out.

        Of the fields in `whole` it is known that the form shows them: there a checkbox that is not sent is off.
        """
        found: dict[str, Any] = {}
        shown = frozenset(whole)
        for name, merger in mergers.items():
            take = self.one(protocol.TAKE_FIELD + name)
            if take == "theirs":
                continue
            values = self._values.get(protocol.MINE_FIELD + name if take == "mine" else name)
            if values is None and name in shown and (merger.unchecked or take == "mine"):
                values = []
            if values is not None:
                found[name] = values if merger.several else values[0] if values else ""
        return found


def _all(form: Any, name: Any) -> list[Any]:
    for many in ("getlist", "getall"):
        if hasattr(form, many):
            return list(getattr(form, many)(name))
    value = form[name]
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def version_of(text: str | None) -> int | None:
    """Return a version as a form or header names it. Raised where it is none: `ValueError`."""
    if text is None:
        return None
    if not _VERSION.fullmatch(text.strip()):
        raise ValueError(f"{text[:40]!r} is no version.")
    return int(text)


def matches(header: str, version: int) -> bool:
    """Tell whether an If-Match header names `version`; weak tags never do (RFC 9110, 13.1.1). Raised: `ValueError`."""
    tags = list(_ETAG.finditer(header[:4096]))
    if not tags or sum(len(tag[0]) for tag in tags) != len(header):
        raise ValueError(f"If-Match: {header[:80]!r} is no list of tags.")
    return any(tag[3] or (tag[1] is None and tag[2] == str(version)) for tag in tags)
