"""Entity events: something was created, updated or deleted, and whoever shows it may fetch it again."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from .exceptions import BadTopic
from .topics import check_topic, plain_or_hashed

Action = Literal["created", "updated", "deleted"]
ACTIONS: Final = ("created", "updated", "deleted")
PREFIX: Final = "entity:"
ANY: Final = "entities:"  # any of a kind may have changed
_KIND: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_ON: Final = re.compile(
    rf"(?:(?P<above>{_KIND.pattern}):(?P<parent>[^/]+)/)?(?P<kind>{_KIND.pattern})(?::(?P<id>[^/]+))?"
)


class Entity(NamedTuple):
    """What changed: a kind such as "task", its id, and the one it belongs to, as (kind, id)."""

    kind: str
    id: str | None = None
    parent: tuple[str, str] | None = None

    @property
    def topics(self) -> list[str]:
        """Where a change of it is told: to who watches this one, all of its kind, or all of its parent's."""
        names = [entity_topic(self.kind)]
        if self.id is None:
            names.append(ANY + self.kind)  # whoever watches one of them, or those of one parent
        else:
            names.append(entity_topic(self.kind, self.id))
        if self.parent is not None:
            names.append(entity_topic(self.kind, parent=self.parent))
        return names


def entity_topic(kind: str, identity: object = None, *, parent: tuple[str, object] | None = None) -> str:
    """Return the topic of a kind, of one entity, or of a kind below one parent.

    `entity:task` · `entity:task:7` · `entity:board:3:task`. Raised for a malformed kind: `BadTopic`.
    """
    for name in (kind, parent[0] if parent else kind):
        if not isinstance(name, str) or not _KIND.fullmatch(name):
            raise BadTopic(f"Bad kind {name!r}. Use 1 to 32 letters, digits and _ . -, such as 'task'.")
    if parent is not None:
        return check_topic(f"{PREFIX}{parent[0]}:{plain_or_hashed(str(parent[1]))}:{kind}")
    return check_topic(PREFIX + kind if identity is None else f"{PREFIX}{kind}:{plain_or_hashed(str(identity))}")


def watched(on: str) -> list[str]:
    """Return the topics of what a region names with `on=`: "task", "task:7" or "board:3/task".

    Ids hold no slash here. Raised for anything else: `BadTopic`.
    """
    found = _ON.fullmatch(on) if isinstance(on, str) else None
    if found is None:
        raise BadTopic(f"Bad on={on!r}. Use a kind, one of it, or those of a parent: 'task', 'task:7', 'board:3/task'.")
    kind, identity = found["kind"], found["id"]
    if found["above"]:
        return [entity_topic(kind, parent=(found["above"], found["parent"])), ANY + kind]
    return [entity_topic(kind)] if identity is None else [entity_topic(kind, identity), ANY + kind]
