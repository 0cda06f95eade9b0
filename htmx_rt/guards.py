"""Guards: what a kind of record promises to those who edit it at the same time. Declared once, asked at each save.

docs = rt.guard("doc:{id}", {"title": whole, "body": text}, preset="merge")

saving = await docs.check(doc, form)       # raises Conflict, with what to show instead
doc.title = saving["title"]; …; commit     # the UPDATE itself compares doc.lock_version
saving.done(doc)                           # other open forms learn of it
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from . import protocol
from .answering import answers
from .bases import Base, Posted, is_ours, version_given, version_of
from .editing import Editing, Rules
from .eventual import Eventual
from .exceptions import ConfigurationError
from .identity import RequestState
from .lock_record import CLOSED, Kind, Lock, Terms
from .merge import Merger, Text, merge_fields
from .panel import label
from .rows import Attributes, Seen, attribute, put
from .savers import Last
from .topics import check_topic
from .transactions import now_or_after

log = logging.getLogger("htmx_rt")

Preset = Literal["detect", "merge", "live", "lock", "owner"]
HELD: Final = ("lock", "owner")  # presets in which one holds it
_NAME: Final = re.compile(r"[^\s\x00-\x1f]{1,64}")  # of a field; pages are told of them in a list with spaces


@dataclass(frozen=True, slots=True)
class Saving:
    """A save that may go ahead: write `values`, and compare `version` in the same statement."""

    guard: Guard
    resource: str
    values: dict[str, Text]  # as a form sends them
    version: int  # of the record as it was read
    fence: int | None  # of the lease it was typed under
    merged: list[str]  # fields in which somebody else's change was taken over
    by: str  # who made those
    before: tuple[tuple[str, str], ...] = ()  # the form that takes the save back, without its version
    row: Any = field(default=None, repr=False)  # the record as it was given to `check`

    def __getitem__(self, name: str) -> Text:
        return self.values[name]

    def apply(self, row: Any, parse: Mapping[str, Callable[[Any], Any]] | None = None) -> None:
        """Set what has changed of `row`, each made of its text by `parse`, and its fence where the guard has one."""
        for name, value in self.values.items():
            read = self.guard.fields[name].read
            if read(attribute(row, name)) != read(value):  # what nobody changed stays as it is, None or a list
                how = (parse or {}).get(name)
                put(row, name, how(value) if how else value)
        if self.guard.fence is not None and self.fence is not None:
            put(row, self.guard.fence, max(self.fence, attribute(row, self.guard.fence) or 0))

    def done(self, row: Any, *, after: object = None) -> None:
        """Tell everybody who has the record open: once it is committed, or before, with the session as `after`.

        `row` is the record as it is then: its version is read, and its values are what others get to see.
        """
        self.guard.tell(row, saving=self, after=after)


class Guard:
    """What `rt.guard(…)` returns."""

    def __init__(
        self,
        desk: Editing,
        pattern: str,
        fields: Mapping[str, Merger],
        *,
        preset: Preset,
        version: str,
        fence: str | None,
        name: str | None,
        labels: Mapping[str, str] | None,
        enforce: bool,
        grace: float | None,
        auto_grant: float,
        to: str | None,
        create: str | None,
    ) -> None:
        if preset not in protocol.PRESETS:
            raise ConfigurationError(f"rt.guard(preset={preset!r}): use one of {', '.join(protocol.PRESETS)}.")
        if not fields or len(fields) > desk.limits.guarded_fields:
            raise ConfigurationError(f"rt.guard({pattern!r}): name 1 to {desk.limits.guarded_fields} fields.")
        for one, merger in fields.items():
            if not isinstance(one, str) or not _NAME.fullmatch(one) or is_ours(one):
                raise ConfigurationError(
                    f"rt.guard({pattern!r}): {one!r} cannot be guarded. Use names without spaces that are not the kit's own."
                )
            if not isinstance(merger, Merger):
                raise ConfigurationError(
                    f"rt.guard({pattern!r}): {one!r} is merged by {merger!r}. Use one of htmx_rt.merge, such as whole."
                )
        if grace is not None and not 1 <= grace <= 30:
            raise ConfigurationError(f"rt.guard(grace={grace!r}): from 1 to 30 seconds.")
        if not 1 <= auto_grant <= 3600:
            raise ConfigurationError(f"rt.guard(auto_grant={auto_grant!r}): from 1 to 3600 seconds.")
        self._desk = desk
        self.pattern = pattern
        self.fields = dict(fields)
        self.preset: Preset = preset
        self.version = version
        self.fence = fence
        self.name = name or pattern.partition("{")[0].rstrip(":.-_")
        self.labels = {field: (labels or {}).get(field, label(field)) for field in fields}
        self.enforce = enforce
        self.to = to
        self.create = create
        self._warned = False
        self._rules = Rules(self.fields, self.labels, preset, to, create)
        kind: Kind = "owner" if preset == "owner" else "lock"
        self.terms = Terms(kind, CLOSED[kind] if grace is None else grace, auto_grant)

    # About a record

    def resource(self, row: Any, part: str | None = None) -> str:
        """Return what a record is called, such as "doc:7"; with `part`, what the lease of that part is called."""
        name = self.pattern.format_map(Attributes(row))
        return check_topic(f"{name}:{part}" if part else name)

    def version_of(self, row: Any) -> int:
        """Return the version of a record. Raised where it has none: `ConfigurationError`."""
        version = attribute(row, self.version)
        if not isinstance(version, int) or isinstance(version, bool):
            raise ConfigurationError(
                f"{row!r}.{self.version} is {version!r}, no version. Name the column: rt.guard(…, version='revision')."
            )
        return version

    def etag(self, row: Any) -> str:
        """Return the ETag of a record, for APIs whose clients send If-Match."""
        return f'"{self.version_of(row)}"'

    def values(self, row: Any, fields: Iterable[str] | None = None) -> dict[str, Text]:
        """Return the guarded values of a record as a form sends them."""
        chosen = self.chosen(fields)
        return {name: one.write(one.read(attribute(row, name))) for name, one in chosen.items()}

    def base(self, row: Any, *, fields: Iterable[str] | None, lang: str) -> str:
        """Return the signed values that a form is rendered with."""
        return self._desk.bases.write(Base(self.resource(row), self.version_of(row), self.values(row, fields), lang))

    def typed(self, row: Any, form: Any) -> dict[str, Text]:
        """Return the values of a record where `form` has others: those of a form that is shown again."""
        mine, kept = Posted(form).mine(self.fields, whole=()), self.values(row)
        changed = (name for name in mine if self.fields[name].read(mine[name]) != self.fields[name].read(kept[name]))
        return {name: kept[name] for name in changed}

    def newest(self, resource: str, state: str) -> dict[str, Any] | None:
        """Return what was told last of a record, where this worker knows of it."""
        return self._desk.newest(resource, state)

    def chosen(self, fields: Iterable[str] | None) -> dict[str, Merger]:
        """Return the mergers of some fields, or of all. Raised for an unknown one: `ConfigurationError`."""
        names = list(self.fields) if fields is None else list(fields)
        for name in names:
            if name not in self.fields:
                raise ConfigurationError(f"{name!r} is no guarded field. Fields: {', '.join(self.fields)}.")
        return {name: self.fields[name] for name in names}

    # Saving

    def check(
        self,
        row: Any,
        form: Any = None,
        *,
        fields: Iterable[str] | None = None,
        part: str | None = None,
        ask: bool = False,
    ) -> Eventual[Saving]:
        """Compare what the current request sends with the record `row` as it is now; None is one that is gone.

        `form` is any mapping. Of `fields`, or all, those that only others changed are taken over. Raised when awaited,
        where somebody has to decide, or nobody may save, or always with `ask`: `Conflict`.
        """
        state = self._desk.request("rt.guard(…).check()")
        self._desk.speak(state)
        mergers = self.chosen(fields)
        # Read here: an ORM may have to load what it reads, and does so in its own thread or greenlet alone.
        seen = self._see(row, mergers, part) if row is not None else None
        return Eventual(self._check(state, row, seen, Posted(form), mergers, ask), self._desk.home)

    def _see(self, row: Any, mergers: Mapping[str, Merger], part: str | None) -> Seen:
        return Seen(
            self.resource(row), self.resource(row, part), self.version_of(row), {name: attribute(row, name) for name in mergers},
            self.values(row, mergers), attribute(row, self.fence) if self.fence is not None else None,
        )  # fmt: skip

    async def _check(
        self, state: RequestState, row: Any, seen: Seen | None, posted: Posted, mergers: dict[str, Merger], ask: bool
    ) -> Saving:
        desk = self._desk
        if (fault := posted.fault(mergers)) is not None:
            raise desk.refuse(state, 400, "bad-request", fault, seen.version if seen is not None else None)
        if seen is None:
            raise await desk.gone(state, self._rules, posted)
        resource, current = seen.resource, seen.version
        base = desk.bases.read(posted.one(protocol.BASE_FIELD), resource)
        lang = base.lang if base else None
        try:
            given, strict = self._given(state, posted, current)
            fence = version_of(posted.one(protocol.FENCE_FIELD) or state.header(protocol.FENCE.lower().encode()))
        except ValueError as error:
            raise desk.refuse(state, 400, "bad-version", str(error), current) from None
        if given is None:
            if not self._warned:
                self._warned = True
                log.warning(
                    'A save of %r came without a version. Is {{ rt.guard("%s", …) }} in its form?', resource, self.name
                )
            raise desk.refuse(state, 428, "version-required", "Send lock_version, or If-Match.", current)
        # Whoever sends no base at all is a program, and changes only what it names.
        shown = posted.shown
        if shown is None:
            shown = list(base.values) if base is not None else list(mergers) if protocol.BASE_FIELD in posted else []
        if base is not None and base.version != given:
            base = None  # of another page: nothing is known of this one's values
        older = desk.bases.older(posted, mergers, resource)
        known: dict[str, Text] | None = base.values if base is not None else None
        if given == current and known is None:
            known = seen.values
        known = {**known, **older} if known is not None else (older or None)
        merge = merge_fields(known, posted.mine(mergers, whole=shown), seen.raw, mergers)
        standing, lock = await self._standing(state, seen, fence)
        if standing == "locked":
            raise await desk.locked(state, self._rules, posted, lock, current)
        asks = bool(merge.conflicts) or strict or ask
        if self.preset == "detect" and given != current:
            asks = asks or any(one.decision in ("mine", "merged") for one in merge.fields.values())
        if asks or standing == "fenced":
            problem = "fenced" if standing == "fenced" else "stale"
            status = 412 if strict else 409
            new = desk.bases.write(Base(resource, current, seen.values, lang or desk.lang(state)))
            raise await desk.conflict(
                state, self._rules, posted, merge, status=status, problem=problem, resource=resource, version=current,
                base=new, lang=lang,
            )  # fmt: skip
        last = await desk.savers.last(resource, current) if merge.theirs else Last()
        number = lock.fence if lock is not None and standing == "mine" else None
        before = tuple(desk.form_before(self._rules, posted, merge)) if merge.theirs else ()
        return Saving(self, resource, merge.values, current, number, merge.theirs, last.name, before, row)

    def _given(self, state: RequestState, posted: Posted, current: int) -> tuple[int | None, bool]:
        header = state.header(protocol.LOCK_VERSION.lower().encode())
        texts = [*posted.all(protocol.VERSION_FIELD), *([header] if header is not None else ())]
        return version_given(texts, state.header(b"if-match"), current)

    async def _standing(self, state: RequestState, seen: Seen, fence: int | None) -> tuple[str, Lock | None]:
        if self.preset not in HELD:
            return "free", None
        standing, lock = await self._desk.standing(state, seen.lease, fence)
        if standing in ("mine", "free") and fence is not None and fence < (seen.fence or 0):
            standing = "fenced" if standing == "mine" else "late"  # as the row knows, though the store does not
        if standing == "late" and self.preset == "lock":
            standing = "fenced"
        if standing == "late" or (not self.enforce and standing in ("locked", "fenced")):
            return "free", None  # merged like any other
        return standing, lock

    # Telling

    def tell(self, row: Any, *, saving: Saving | None = None, after: object = None) -> None:
        """Tell everybody who has `row` open that it was saved; for scripts too, where there is no `Saving`."""
        resource = saving.resource if saving is not None else self.resource(row)
        state = self._desk.here()
        seen: list[tuple[int, dict[str, Text]]] = []

        def look() -> None:
            try:
                seen[:] = [(self.version_of(row), self.values(row))]
            except Exception:
                if after is None:
                    raise
                log.warning("%r was saved, but cannot be read, so nobody is told.", resource, exc_info=True)

        def told() -> None:
            for version, values in seen:
                base = Base(resource, version, values, self._desk.lang(state))
                if state is not None:
                    # Who was merged still sees the values of before, which by the new version would count as theirs.
                    state.saved_version = None if saving is not None and saving.merged else version
                    if saving is not None and saving.merged:
                        labels = [self.labels[name] for name in saving.merged]
                        self._desk.toast_merged(state, saving.by, labels, saving.before, base)
                self._desk.saved(state, resource, version, values, self._desk.bases.write(base))

        now_or_after(after, told, look)

    saved = tell

    def gone(
        self, row: Any, why: Literal["deleted", "archived"] = "deleted", *, to: str | None = None, after: object = None
    ) -> None:
        """Tell everybody who has `row` open, or its resource, that it is gone; `to` is where its list is."""
        resource = row if isinstance(row, str) else self.resource(row)
        state = self._desk.here()

        def told() -> None:
            self._desk.tell_gone(state, resource, why, to or self.to, self.create)

        now_or_after(after, told)

    answers = staticmethod(answers)
