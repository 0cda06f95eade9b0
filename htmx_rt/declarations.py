"""What an app says once, beside its routes: how records are edited, and which actions may be repeated or taken back."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from .editing import Editing
from .eventual import Eventual
from .exceptions import ConfigurationError
from .guards import Guard, Preset
from .identity import current
from .merge import Merger
from .paths import PathPattern
from .topics import Pattern

_E = TypeVar("_E", bound=Callable[..., Any])


class Declarations:
    """What a `Realtime` is told of its app."""

    def begin_declarations(self) -> None:
        """Nothing is declared yet."""
        self._irreversible: list[PathPattern] = []
        self._guards: dict[str, Guard] = {}

    _editing: Editing

    # Records that several edit

    def guard(
        self,
        pattern: str,  # what a record is called, with its attributes put in: "doc:{id}"
        fields: Mapping[str, Merger],  # how each is merged: htmx_rt.merge.whole, text, words, members, number, flag
        *,
        preset: Preset = "merge",  # detect, merge, live, lock or owner
        version: str = "lock_version",  # attribute with the number that grows with each change
        fence: str | None = None,  # attribute that keeps the fence of the last lease it was saved under
        name: str | None = None,  # for templates; "doc" where not given
        labels: Mapping[str, str] | None = None,  # of fields, as people call them
        enforce: bool = True,  # refuse who does not hold it (lock, owner)
        grace: float | None = None,  # seconds until it passes on after a line has closed
        auto_grant: float = 20.0,  # seconds until who asked for it gets it
        to: str | None = None,  # path of the list, for those whose record has gone
        create: str | None = None,  # path that makes a new record of the same fields
    ) -> Guard:
        """Say once how several people may edit one record: `{{ rt.guard("doc", doc) }}` in the form, `check` at a save.

        Raised for what could not work, or a second guard of the same name: `ConfigurationError`.
        """
        guard = Guard(
            self._editing, pattern, fields, preset=preset, version=version, fence=fence, name=name, labels=labels,
            enforce=enforce, grace=grace, auto_grant=auto_grant, to=to, create=create,
        )  # fmt: skip
        if guard.name in self._guards:
            raise ConfigurationError(f"There is a guard {guard.name!r} already. Give this one a name=.")
        self._guards[guard.name] = guard
        return guard

    def guarded(self, resource: str) -> frozenset[str] | None:
        """Return the fields of a record, or of a part of one, by its guards; None where no guard knows it."""
        names = (resource, resource.rpartition(":")[0])
        found = [guard.fields for guard in self._guards.values() if any(map(Pattern(guard.pattern).match, names))]
        return frozenset().union(*found) if found else None

    # Actions

    def repeatable(self, endpoint: _E) -> _E:
        """Mark an endpoint as one that may run again when nobody knows whether it has: it sets, and does not add."""
        call: Any = endpoint if inspect.isfunction(endpoint) or inspect.ismethod(endpoint) else type(endpoint).__call__

        def noting() -> Eventual[None] | None:
            state = current(self)
            claim = state.claim if state is not None else None
            return Eventual(claim.may_repeat(), lambda: claim.loop) if claim is not None else None

        if inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(call):

            @functools.wraps(endpoint)
            async def run(*args: Any, **kwargs: Any) -> Any:
                if (noted := noting()) is not None:
                    await noted
                return await endpoint(*args, **kwargs)

            return cast(_E, run)

        @functools.wraps(endpoint)
        def run_in_thread(*args: Any, **kwargs: Any) -> Any:
            if (noted := noting()) is not None:
                noted.result(5.0)
            return endpoint(*args, **kwargs)

        return cast(_E, run_in_thread)

    def irreversible(self, path: str) -> Callable[[_E], _E]:
        """Say that what `path` does cannot be taken back: no page shows it before it is done, or keeps it for later.

        `path` is as the browser sees it, with braces for what varies: "/invoices/{id}/send". Also a decorator.
        """
        self._irreversible.append(PathPattern(path))
        return lambda endpoint: endpoint

    def is_irreversible(self, path: str) -> bool:
        """Tell whether `path` was named to `irreversible`."""
        return any(pattern.matches(path) for pattern in self._irreversible)
