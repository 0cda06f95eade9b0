"""Who may see whom.

    @rt.presence.can_see
    def can_see(viewer, subject):  # a User or None, and a Person
        return viewer is not None and team_of(viewer.id) == team_of(subject.user)

Asked for each viewer and each person on a topic whenever it is drawn. People for whom `group` returns the same see the
same, and are asked for once. Everybody sees themselves.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from .people import Person
from .types import User

log = logging.getLogger("htmx_rt")

Policy = Callable[[User | None, Person], bool]
Group = Callable[[User | None], Hashable]


class Viewer(NamedTuple):
    """Somebody who looks."""

    owner: str
    user: User | None


class Sight:
    """The app's word on it; without one everybody sees everybody."""

    def __init__(self) -> None:
        self.policy: Policy | None = None
        self.group: Group | None = None

    def eyes(self, viewer: Viewer) -> str:
        """Return a name for those who see the same as `viewer`; empty where all do."""
        if self.policy is None:
            return ""
        if self.group is None:
            return viewer.owner
        try:
            return f"={self.group(viewer.user)!r}"
        except Exception:
            log.exception("The group= of rt.presence.can_see failed for %r, who is looked after alone.", viewer.user)
            return viewer.owner

    def sees(self, viewer: Viewer, person: Person) -> bool:
        """Tell whether `viewer` may know that `person` is there."""
        if self.policy is None or viewer.owner == person.owner:
            return True
        try:
            return bool(self.policy(viewer.user, person))
        except Exception:
            log.exception("rt.presence.can_see failed, so it counts as a no.")
            return False

    def among(self, viewer: Viewer, people: Iterable[Person]) -> list[Person]:
        """Return those of `people` whom `viewer` may see."""
        return [person for person in people if self.sees(viewer, person)]


def arguments(policy: Any, group: Group | None) -> tuple[Policy, Group | None]:
    """Return the policy and its group, checked. Raised for what is no plain function: `TypeError`."""
    for function in (policy, group):
        if function is not None and (not callable(function) or inspect.iscoroutinefunction(function)):
            raise TypeError(f"{function!r} is asked while a page is drawn, so it has to be a plain function.")
    return policy, group
