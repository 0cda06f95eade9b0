"""Drafts: what somebody has typed and not sent, kept on the server, for that person on every device (`protocol.md` §6).

A draft belongs to a person and a name. Every change names the revision that it was made on, so an older tab never
writes over a newer draft; after the form was sent a tombstone of a higher revision stops autosaves that come late.

    draft = await rt.drafts.get("application")          # in the view: its values, for the first render
    {{ rt.draft("application", draft) }}                # in the form
    await rt.drafts.done("application")                 # where the form was taken in
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .eventual import Eventual, Home
from .exceptions import ConfigurationError, Refused, StoreConflict, TooLarge
from .identity import Identity, RequestState
from .signing import Signer
from .stores.base import Item, Store
from .types import Limits

log = logging.getLogger("htmx_rt")

PREFIX: Final = "draft:"
# Fields that are never kept: what is secret, and what belongs to one rendering of a form.
SECRET: Final = re.compile(
    r"(?i:passw|pwd|csrf|authenticity.?token|one.?time|cvc|cvv|card.?number|^lock_version$|^rt-)"
    r"|(?:^|[^A-Za-z])(?i:otp)(?![a-z])|Otp(?![a-z])"
)
MAX_NAME: Final = 128  # characters
TOMB: Final = 24 * 3600.0  # seconds that a sent form stops late autosaves
TRIES: Final = 5
PAGE: Final = 500  # items read at once

Values = Mapping[str, Sequence[str]]  # name → values, as a form sends them
Cipher = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Draft:
    """What was kept. As a mapping it has the first value of each field: `draft["title"]`, `draft.get("title", "")`."""

    name: str
    rev: int = 0  # 0: there is none
    fields: dict[str, list[str]] = field(default_factory=dict)
    at: float = 0.0  # Unix seconds when it was kept
    tab: str = ""  # that kept it
    ended: bool = False  # sent or discarded: only its revision counts
    stored: int = 0  # revision of its item in the store, which begins again at 1 once that was forgotten

    def __bool__(self) -> bool:
        return bool(self.rev) and not self.ended

    def __getitem__(self, field: str) -> str:
        for value in self.fields[field]:
            return value
        raise KeyError(field)

    def __contains__(self, field: object) -> bool:
        return field in self.fields

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def get(self, field: str, default: Any = "") -> Any:
        """Return the first value of a field."""
        return next(iter(self.fields.get(field, ())), default)

    def getlist(self, field: str) -> list[str]:
        """Return all values of a field."""
        return list(self.fields.get(field, ()))


class Ciphers:
    """Encryption at rest with a list of keys: the first one encrypts, all decrypt. Without keys nothing is encrypted."""

    def __init__(self, keys: str | bytes | Sequence[str | bytes] | None) -> None:
        given = [keys] if isinstance(keys, str | bytes) else list(keys or ())
        self._fernet: Any = None
        if not given:
            return
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError:
            raise ConfigurationError("draft_keys= needs cryptography: pip install 'htmx-rt[drafts]'.") from None
        try:
            self._fernet = MultiFernet([Fernet(key) for key in given])
        except ValueError:
            raise ConfigurationError(
                "draft_keys= holds no Fernet keys. Make one with: python -c "
                '"from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None

    def hide(self, value: bytes) -> bytes:
        """Return `value` as it is stored."""
        return value if self._fernet is None else b"f" + self._fernet.encrypt(value)

    def show(self, value: bytes) -> bytes | None:
        """Return what was stored; None where no key fits."""
        if not value.startswith(b"f"):
            return value
        if self._fernet is None:
            return None
        from cryptography.fernet import InvalidToken

        try:
            shown: bytes = self._fernet.decrypt(value[1:])
        except InvalidToken:
            return None
        return shown


class Drafts:
    """`rt.drafts`."""

    def __init__(
        self,
        *,
        store: Store,
        identity: Identity,
        signer: Signer,
        limits: Limits,
        home: Home,
        request: Callable[[str], RequestState],
        ciphers: Ciphers,
    ) -> None:
        self._store = store
        self._identity = identity
        self._signer = signer
        self._limits = limits
        self._home = home
        self._request = request
        self._ciphers = ciphers

    # What an app asks

    def get(self, name: str) -> Eventual[Draft]:
        """Return the draft of whoever asks; an empty one, which is false, where there is none."""
        owner = self._owner("rt.drafts.get()", name)
        return Eventual(self.find(owner, name), self._home)

    def done(self, name: str) -> Eventual[None]:
        """Forget the draft of whoever asks, as its form was taken in; autosaves that come late are not kept."""
        owner = self._owner("rt.drafts.done()", name)

        async def end() -> None:
            await self.end(owner, name)

        return Eventual(end(), self._home)

    def all(self) -> Eventual[list[Draft]]:
        """Return all drafts of whoever asks, the newest first."""
        owner = self._owner("rt.drafts.all()", "x")

        async def find() -> list[Draft]:
            return sorted(await self._of(owner), key=lambda one: one.at, reverse=True)

        return Eventual(find(), self._home)

    def _owner(self, what: str, name: str) -> str:
        check_name(name)
        state = self._request(what)
        self._identity.speak(state)
        return self._identity.owner(state)

    # What pages ask

    def key(self, owner: str, name: str) -> str:
        """Return what a page calls a draft by; nobody else's page can."""
        return self._signer.dumps("draft", [owner, check_name(name)])

    def name_of(self, owner: str, key: str) -> str:
        """Return the name of a draft. Raised for a key that is somebody else's or none: `Refused` (403)."""
        value = self._signer.loads("draft", key)
        if not isinstance(value, list) or len(value) != 2 or value[0] != owner:
            raise Refused(403, "forbidden", "This is no draft of yours.")
        return str(value[1])

    def secret(self, field: str) -> bool:
        """Tell whether a field of that name is never kept."""
        return SECRET.search(field) is not None

    async def find(self, owner: str, name: str) -> Draft:
        """Return a draft, what is left of one, or an empty one."""
        item = await self._store.get(_key(owner, name))
        return self._read(name, item) if item is not None else Draft(name)

    async def keep(self, owner: str, name: str, fields: Values, *, rev: int, tab: str) -> tuple[Draft, list[str]]:
        """Keep `fields` where the draft is at `rev` still; return it, and the names of drafts that had to go for it.

        Raised: `TooLarge`; `StoreConflict`, whose `present` is the newer `Draft`; `StoreUnavailable`.
        """
        kept = {str(field): [str(one) for one in values] for field, values in fields.items() if not self.secret(field)}
        size = len(_json(kept))
        if size > self._limits.draft:
            raise TooLarge(f"Draft {name!r} has {size} bytes; {self._limits.draft} are the most.")
        there = await self.find(owner, name)
        if there and there.fields == kept and there.rev >= rev:
            return there, []  # the same again, from wherever
        if there.rev != rev:
            raise StoreConflict(name, wanted=rev, present=there)
        draft = self._next(there, kept, tab)
        try:
            await self._put(owner, draft, there, self._limits.draft_life)
        except StoreConflict as conflict:
            raise StoreConflict(name, wanted=rev, present=await self.find(owner, name)) from conflict
        return draft, [] if there else await self._make_room(owner, _key(owner, name))

    async def end(self, owner: str, name: str, *, rev: int | None = None) -> Draft:
        """Leave a tombstone. With `rev` only where the draft is at that: `StoreConflict` otherwise."""
        for _ in range(TRIES):
            there = await self.find(owner, name)
            if rev is not None and there.rev != rev and there:
                raise StoreConflict(name, wanted=rev, present=there)
            if there.ended and there.at:
                return there  # said twice, by the view and by the header: a page rendered in between is not out of date
            tomb = self._next(there)
            try:
                await self._put(owner, tomb, there, TOMB)
            except StoreConflict:
                continue
            return tomb
        raise StoreConflict(name, wanted=rev or 0, present=await self.find(owner, name))

    async def taken_in(self, state: RequestState, key: str) -> None:
        """Forget the draft of a form whose request was not refused, unless nobody is signed in who was before.

        Where the request signed somebody in, it may be that of the nobody they were. Raised: as by `name_of`, `end`.
        """
        self._identity.speak(state)
        owner, before = self._identity.owner(state), self._identity.nobody(state)
        try:
            name = self.name_of(owner, key)
        except Refused:
            if before is None:
                raise
            owner, name = before, self.name_of(before, key)
        await self.end(owner, name)

    # Inside

    async def _items(self, owner: str) -> list[tuple[str, Item]]:
        found: list[tuple[str, Item]] = []
        prefix, last = f"{PREFIX}{owner}:", ""
        while page := await self._store.scan(prefix, after=last, limit=PAGE):
            found += page
            if len(page) < PAGE:
                break
            last = page[-1][0]
        return found

    async def _of(self, owner: str) -> list[Draft]:
        return [draft for _, item in await self._items(owner) if (draft := self._read("", item))]

    async def _make_room(self, owner: str, new: str) -> list[str]:
        """Let the oldest drafts of a person but `new` go where there are more than may be; return their names."""
        items = await self._items(owner)
        if len(items) <= self._limits.drafts_per_person:
            return []
        there = sorted(
            (key == new, draft.at, key, draft.name) for key, item in items if (draft := self._read("", item))
        )
        gone = there[: max(0, len(there) - int(self._limits.drafts_per_person))]
        for *_, key, _ in gone:
            await self._store.delete(key)
        return [one[-1] for one in gone]

    def _next(self, there: Draft, fields: dict[str, list[str]] | None = None, tab: str = "") -> Draft:
        """Return what is to follow on `there`: a tombstone without `fields`.

        Revisions go by the clock, so that one of a draft that was forgotten never passes for one of the next.
        """
        now = self._store.clock()
        rev = max(there.rev + 1, round(now * 1000))
        return Draft(there.name, rev, fields or {}, now, tab, ended=fields is None)

    async def _put(self, owner: str, draft: Draft, there: Draft, ttl: float) -> None:
        record = {
            "name": draft.name,
            "rev": draft.rev,
            "at": draft.at,
            "tab": draft.tab,
            "ended": draft.ended,
            "fields": draft.fields,
        }
        value = self._ciphers.hide(_json(record))
        await self._store.put(_key(owner, draft.name), value, ttl=ttl, rev=there.stored)

    def _read(self, name: str, item: Item) -> Draft:
        """Return what was kept; where no key opens it any more, that there is something of its revision."""
        value = self._ciphers.show(item.value)
        try:
            record = json.loads(value or b"")
            fields = {name: list(values) for name, values in record["fields"].items()}
            return Draft(record["name"], record["rev"], fields, record["at"], record["tab"], record["ended"], item.rev)
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("A draft %r cannot be read: no key of draft_keys= fits, or it is damaged.", name)
            return Draft(name, item.rev, ended=True, stored=item.rev)


def check_name(name: object) -> str:
    """Return the name of a draft. Raised where it is none: `ConfigurationError`."""
    if isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable():
        return name
    raise ConfigurationError(f"Bad draft name {name!r}. Use 1 to {MAX_NAME} characters, such as 'application:7'.")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _key(owner: str, name: str) -> str:
    return f"{PREFIX}{owner}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"
