"""What a guarded form was rendered with, and what it sends back: versions, signed values, decisions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import protocol
from .merge import Merger, Text
from .signing import Signer

_VERSION: Final = re.compile(r"[0-9]{1,18}")
_PLAIN: Final = re.compile(r"0|[1-9][0-9]{0,17}")  # of our own ETags
_ETAG: Final = re.compile(r'\s*(?:(W/)?"([^"]*)")\s*(?:,|\Z)')
UNKNOWN: Final = -1  # in place of a version
_LONGEST: Final = 4096  # characters of an If-Match header
_OURS: Final = (protocol.VERSION_FIELD, protocol.BASE_FIELD, protocol.FENCE_FIELD, protocol.FIELDS_FIELD)
_OUR_PREFIXES: Final = (protocol.BASE_FIELD + ".", protocol.TAKE_FIELD, protocol.MINE_FIELD)


def is_ours(name: str) -> bool:
    """Tell whether a field of a form is one of the kit's own."""
    return name in _OURS or name.startswith(_OUR_PREFIXES)


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

    def read(self, token: object, resource: str | None = None) -> Base | None:
        """Return what was signed for `resource`, or for any; None for anything else."""
        value = self._signer.loads("base", token, most=self._most) if isinstance(token, str) else None
        if not isinstance(value, list) or len(value) != 4 or resource not in (None, value[0]):
            return None
        return Base(*value)

    def older(self, posted: Posted, names: Iterable[str], resource: str) -> dict[str, Text]:
        """Return the values that fields are based on whose chip nobody has decided yet."""
        found: dict[str, Text] = {}
        read: dict[str | None, Base | None] = {None: None}  # they are long, and several fields mostly have the same
        for name in names:
            token = posted.one(f"{protocol.BASE_FIELD}.{name}")
            if token not in read:
                read[token] = self.read(token, resource)
            base = read[token]
            if base is not None and name in base.values:
                found[name] = base.values[name]
        return found


class Posted:
    """What a form sends, of whatever kind a framework has it; files are left out."""

    def __init__(self, form: Any) -> None:
        self._values: dict[str, list[Any]] = {}
        for name, values in _lists(form):
            kept = self._values.setdefault(_whole(str(name)), [])
            kept += [_whole(value) if isinstance(value, str) else value for value in values]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Yield each name with each of its values."""
        for name, values in self._values.items():
            for value in values:
                yield name, value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def all(self, name: str) -> list[str]:
        """Return the texts of `name`."""
        return [str(value) for value in self._values.get(name, ()) if value is not None]

    def one(self, name: str) -> str | None:
        """Return the first text of `name`, or None."""
        return next(iter(self.all(name)), None)

    @property
    def shown(self) -> list[str] | None:
        """The fields that the form shows; None where it does not say."""
        text = self.one(protocol.FIELDS_FIELD)
        return text.split() if text is not None else None

    def fault(self, mergers: Mapping[str, Merger]) -> str | None:
        """Return what is wrong with a guarded field, if something is."""
        for name, merger in mergers.items():
            for key in (name, protocol.MINE_FIELD + name):
                values = self._values.get(key, ())
                if any(isinstance(value, dict | list | tuple | set | bytes) for value in values):
                    return f"{key[:80]!r} is no text."
                # Nobody knows which of them the person saw last.
                if not merger.plural and len({str(merger.read(value)) for value in values}) > 1:
                    return f"{key[:80]!r} is sent twice, with different values."
        return None

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
            values = self._values.get(protocol.MINE_FIELD + name) if take == "mine" else None
            if values is None and not (take == "mine" and merger.several):
                values = self._values.get(name)
            if values is None and name in shown and merger.unchecked:
                values = []
            if values is not None:
                found[name] = values if merger.plural else values[0] if values else ""
        return found


def _lists(form: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield names with their values, in one pass: asked for one name, some forms look through all of them."""
    if form is None:
        return
    if hasattr(form, "multi_items"):  # Starlette
        pairs: Iterable[tuple[Any, Any]] = ((name, [value]) for name, value in form.multi_items())
    elif hasattr(form, "lists"):  # Werkzeug, Django
        pairs = form.lists()
    else:
        many = getattr(form, "getlist", None) or getattr(form, "getall", None)
        pairs = ((name, many(name) if many else form[name]) for name in dict.fromkeys(form))
    for name, values in pairs:
        several = list(values) if isinstance(values, list | tuple | set | frozenset) else [values]
        kept = [value for value in several if not hasattr(value, "filename")]
        if kept or not several:
            yield name, kept


def _whole(text: str) -> str:
    """Return `text` without halves of characters, which JSON can hold and no page and no database can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def version_of(text: str | None) -> int | None:
    """Return a version as a form or header names it. Raised for what is none: `ValueError`."""
    if text is None:
        return None
    if not _VERSION.fullmatch(text.strip()):
        raise ValueError(f"{text[:40]!r} is no version.")
    return int(text)


def version_given(texts: Iterable[str], match: str | None, current: int) -> tuple[int | None, bool]:
    """Return the version that a request is for, and whether its If-Match `match` says that it must not be done.

    `texts` are what fields and headers say; None is none, `UNKNOWN` one that is not told. Raised: `ValueError`.
    """
    named = {version_of(text) for text in texts}
    if len(named) > 1:
        raise ValueError("lock_version is given twice, and differs.")
    given = next(iter(named), None)
    if match is None:
        return given, False
    tags = strong_tags(match)
    versions = {int(tag) for tag in tags or () if _PLAIN.fullmatch(tag)}
    if given is not None and versions and given not in versions:
        raise ValueError(f"lock_version says {given}, If-Match says something else.")
    if tags is None or str(current) in tags:
        return (current if given is None else given), False
    if given is None:
        given = versions.pop() if len(versions) == 1 else UNKNOWN
    return given, True


def strong_tags(header: str) -> list[str] | None:
    """Return what an If-Match header names, None where that is anything at all. Raised for no list: `ValueError`.

    Weak tags are left out, as they never match (RFC 9110, 13.1.1).
    """
    if header.strip() == "*":
        return None
    found, at = [], 0
    while at < len(header) or not at:
        tag = _ETAG.match(header, at) if len(header) <= _LONGEST else None
        if tag is None:
            raise ValueError(f"If-Match: {header[:80]!r} is no list of tags.")
        found += [] if tag[1] else [tag[2]]
        at = tag.end()
    return found
