"""What all guards share: who saved last, what people get to see instead of a save, and what other pages are told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote

from . import protocol
from .bases import Base, Bases, Posted, is_ours
from .catalogue import Catalogue
from .eventual import Home
from .exceptions import Conflict, StoreUnavailable, TooLarge
from .identity import Identity, RequestState
from .lock_record import Lock
from .locks import Locks
from .merge import Merge, Merger, Text
from .operations import toast_args
from .panel import Typed, describe, echo, typed
from .paths import back_path
from .publishing import Publisher
from .reverts import LEFT, Revert, Reverts, revert_of
from .savers import GONE, Last, Savers
from .stores.base import Store
from .topics import edit_topic, public_key
from .types import Limits

log = logging.getLogger("htmx_rt")

SPANS: Final = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"))

_WHOLE: Final = (b"hx-boosted", b"hx-history-restore-request")  # requests of htmx that want pages

Render = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a guard says of its records."""

    fields: dict[str, Merger]
    labels: dict[str, str]
    preset: str
    to: str | None  # path of the list
    create: str | None  # path that makes a new one


class Editing:
    """`render(template, lang=…, **values)` draws one of our templates; `home_path(state, path)` is an address of ours."""

    def __init__(
        self,
        *,
        store: Store,
        locks: Locks,
        bases: Bases,
        identity: Identity,
        publisher: Publisher,
        words: Catalogue,
        limits: Limits,
        home: Home,
        request: Callable[[str], RequestState],
        here: Callable[[], RequestState | None],
        later: Callable[[Coroutine[Any, Any, None]], None],
        render: Render,
        styles: Callable[[RequestState], str],
        prefix: str,
    ) -> None:
        self.bases = bases
        self.limits = limits
        self.home = home
        self.request = request
        self._here = here
        self.reverts = Reverts(store)
        self.savers = Savers(store)
        self._store = store
        self._locks = locks
        self._identity = identity
        self._publisher = publisher
        self._words = words
        self._later = later
        self._render = render
        self._styles = styles
        self._prefix = prefix

    def speak(self, state: RequestState) -> None:
        """Find out who asks."""
        self._identity.speak(state)

    def here(self) -> RequestState | None:
        """Return the request that runs now, and find out who asks, as no macro and no check may have yet."""
        state = self._here()
        if state is not None:
            self.speak(state)
        return state

    def lang(self, state: RequestState | None) -> str:
        """Return the language to answer in where no page says it."""
        return self._words.choose(state.header(b"accept-language") or "") if state is not None else "en"

    async def standing(self, state: RequestState, resource: str, fence: int | None) -> tuple[str, Lock | None]:
        """Tell whether whoever asks may write; where the store is away nobody is refused: versions are compared."""
        try:
            return await self._locks.standing(resource, self._identity.owner(state), fence)
        except StoreUnavailable as error:
            log.warning(
                "Who holds %r could not be looked up, so its save is compared by version alone: %s", resource, error
            )
            return "free", None

    def newest(self, resource: str, state: str) -> dict[str, Any] | None:
        """Return what was told last of a record, where this worker knows of it."""
        return self._publisher.newest(edit_topic(resource), state)

    # What pages are told

    def _who(self, state: RequestState | None) -> dict[str, Any] | None:
        if state is None:
            return None
        user, key = self._identity.user(state), public_key(self._identity.owner(state))
        return {"k": key, "n": user.shown if user else "", "c": int(key, 16) % 10}

    def saved(
        self, state: RequestState | None, resource: str, version: int, values: dict[str, Text], token: str
    ) -> None:
        """Tell everybody who has a record open what it is now."""
        who = self._who(state)
        args: dict[str, Any] = {"v": version, "who": who}
        try:
            self._publisher.tell(resource, "saved", args | {"fields": values, "base": token} if token else args)
        except TooLarge:  # they look for themselves
            self._publisher.tell(resource, "saved", args)
        self._note(resource, version, who)

    def _last(self, version: int, who: dict[str, Any] | None, why: str) -> Last:
        return Last(version, who["n"] if who else "", self._store.clock(), who["k"] if who else "", why)

    def _note(self, resource: str, version: int, who: dict[str, Any] | None, why: str = "") -> None:
        self._soon(self.savers.note(resource, self._last(version, who, why)))

    def tell_gone(
        self, state: RequestState | None, resource: str, why: str, to: str | None, create: str | None
    ) -> None:
        """Tell everybody who has a record open that it is no more."""
        who = self._who(state)
        self._publisher.tell(resource, "gone", {"why": why, "who": who, "to": to, "create": create})
        self._note(resource, GONE, who, why)

    def toast_merged(
        self, state: RequestState, by: str, labels: list[str], before: Iterable[tuple[str, str]], base: Base
    ) -> None:
        """Tell whoever saved that their change was put together with somebody else's, and offer to take it back."""
        lang = self.lang(state)
        name = by or self._words.say(lang, "guard.somebody")
        text = self._words.say(lang, "guard.merged", n=len(labels), name=name, fields=", ".join(labels))
        ours = ((protocol.VERSION_FIELD, str(base.version)), (protocol.BASE_FIELD, self.bases.write(base)))
        revert, id = revert_of(state, [*ours, *before]), self.reverts.name()
        undo = None
        if self.reverts.fits(revert):
            undo = {"id": id, "left": round(LEFT * 1000)}
            self._soon(self._keep(self._identity.owner(state), id, revert))
        args = toast_args(text, level="info", key=None, timeout=None, undo=undo)
        kept = {key: value for key, value in args.items() if value is not None}
        state.toasts = [*(state.toasts or []), kept][-3:]

    async def _keep(self, owner: str, id: str, revert: Revert) -> None:
        try:
            await self.reverts.keep(owner, id, revert)
        except StoreUnavailable as error:
            log.warning("A save cannot be taken back, as that could not be noted: %s", error)

    def form_before(self, rules: Rules, posted: Posted, merge: Merge) -> Iterable[tuple[str, str]]:
        """Yield the form that brings back what was there before a save."""
        yield from self._echo(rules, posted)
        for name, one in merge.fields.items():
            for value in [one.theirs] if isinstance(one.theirs, str) else one.theirs:
                yield name, value

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self.home()
        if loop is None:  # no server runs, as in a script
            work.close()
            return
        loop.call_soon_threadsafe(self._later, work)

    # What people see instead of a save

    def refuse(self, state: RequestState, status: int, problem: str, detail: str, version: int | None) -> Conflict:
        """Return the answer to a request that is malformed."""
        return self._answer(state, status, problem, version, "edit/refused", lang=None, detail=detail)

    async def conflict(
        self, state: RequestState, rules: Rules, posted: Posted, merge: Merge, *, status: int, problem: str,
        resource: str, version: int, base: str, lang: str | None,
    ) -> Conflict:  # fmt: skip
        """Return the panel on which somebody decides."""
        last = await self.savers.last(resource, version)
        mine = last.key == public_key(self._identity.owner(state))
        spoken = lang or self.lang(state)
        return self._answer(
            state, status, problem, version, "edit/conflict", lang=lang, merge=merge,
            fields=describe(merge, rules.labels, rules.fields), who="" if mine else last.name, ago=self._ago(last, spoken),
            base=base, echo=self._echo(rules, posted), problem=problem,
            message=self._words.say(spoken, "guard.yourself") if mine else "",
        )  # fmt: skip

    async def locked(
        self, state: RequestState, rules: Rules, posted: Posted, lock: Lock | None, version: int
    ) -> Conflict:
        """Return what is said where somebody else holds the record."""
        holder = lock.holder if lock is not None else None
        again = [(name, value) for name, value in posted.items() if is_ours(name) or name in rules.fields]
        return self._answer(
            state, 423, "locked", version, "edit/locked", lang=None, who=holder.name if holder else "",
            kind=rules.preset, values=self._typed(rules, posted), echo=[*again, *self._echo(rules, posted)],
        )  # fmt: skip

    async def gone(self, state: RequestState, rules: Rules, posted: Posted) -> Conflict:
        """Return what is said where there is no such record any more."""
        # Which record that was says what the form was made from.
        base = self.bases.read(posted.one(protocol.BASE_FIELD))
        last = await self.savers.last(base.resource, GONE) if base is not None else Last()
        return self._answer(
            state, 410, "gone", None, "edit/gone", lang=base.lang if base is not None else None,
            why=last.why or "deleted", who=last.name, to=rules.to, create=rules.create,
            values=self._typed(rules, posted), echo=self._echo(rules, posted),
        )  # fmt: skip

    def _typed(self, rules: Rules, posted: Posted) -> list[Typed]:
        mine = posted.mine(rules.fields, whole=())
        texts = {name: rules.fields[name].write(rules.fields[name].read(value)) for name, value in mine.items()}
        return typed(texts, rules.labels, rules.fields)

    def _echo(self, rules: Rules, posted: Posted) -> list[tuple[str, str]]:
        """Return what else the form held; a CSRF token is needed again."""
        return echo([(name, value) for name, value in posted.items() if not is_ours(name)], rules.fields)

    def _ago(self, last: Last, lang: str) -> str:
        if not last.at:
            return ""
        since = max(0.0, self._store.clock() - last.at)
        for seconds, unit in SPANS:
            if since >= seconds:
                return self._words.say(lang, f"guard.ago.{unit}", n=int(since // seconds))
        return self._words.say(lang, "guard.ago.now")

    def _answer(
        self, state: RequestState, status: int, problem: str, version: int | None, template: str, /, *,
        lang: str | None, merge: Merge | None = None, **values: Any,
    ) -> Conflict:  # fmt: skip
        headers = {
            protocol.PROBLEM: problem,
            "Cache-Control": "private, no-store",
            "Vary": "Accept, HX-Request, Cookie",
        }
        if version is not None:
            headers |= {protocol.LOCK_VERSION: str(version), "ETag": f'"{version}"'}
        accept, kind = state.header(b"accept") or "", state.header(b"content-type") or ""
        htmx = state.header(b"hx-request") == "true"
        if "text/html" not in accept and ("json" in accept or ("json" in kind and not htmx)):
            document: dict[str, Any] = {"type": "about:blank", "title": problem, "status": status, "version": version}
            document |= {"detail": values["detail"]} if "detail" in values else {}
            if merge is not None:
                document["fields"] = {name: asdict(one) for name, one in merge.fields.items()}
            headers["Content-Type"] = "application/problem+json"
            return Conflict(status, problem, body=json.dumps(document), headers=headers, merge=merge)
        headers["Content-Type"] = "text/html; charset=utf-8"
        whole = state.header(b"hx-request-type") == "full" or any(map(state.header, _WHOLE))
        # Two slashes at its beginning would make another site's name of it.
        path = "/" + quote(str(state.scope["path"]).lstrip("/"), safe="/~!$&'()*+,;=:@")
        query = state.scope.get("query_string", b"").decode("latin-1")
        root = str(state.scope.get("root_path", "")).rstrip("/")
        back = back_path(state.header(b"referer"), state.header(b"host"), root=root, but=root + self._prefix)
        body = self._render(
            f"{template}.html" if htmx and not whole else f"{template}_page.html",
            lang=lang or self.lang(state), version=version, styles=self._styles(state),
            back=back, action=path + (f"?{query}" if query else ""), method=state.scope["method"].lower(), **values,
        )  # fmt: skip
        return Conflict(status, problem, body=str(body), headers=headers, merge=merge)
