"""SQLAlchemy: entity events by themselves, after the commit.

publish_changes(rt, Session, {Task: Watched("task", parent=lambda task: ("board", task.board_id))})
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import event, inspect
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from ..entities import Action
from ..realtime import Realtime

MOST: Final = 100  # entities of a kind in one flush that are named; above, the kind alone


class Watched(NamedTuple):
    """How a mapped class is told of: its kind, and whom it belongs to, as (kind, id) or None."""

    kind: str
    parent: Callable[[Any], tuple[str, object] | None] = lambda _: None


def publish_changes(
    rt: Realtime,
    sessions: type[Session] | sessionmaker[Any] | async_sessionmaker[Any] | Session | AsyncSession,
    watched: Mapping[type[Any], str | Watched],
) -> Callable[[], None]:
    """Call `rt.changed` for each `watched` object that `sessions` flush, once they commit; return what ends that.

    Statements that bypass the unit of work (`update(Task).where(…)`) are not seen: call `rt.changed` for those.
    """
    kinds = {cls: Watched(how) if isinstance(how, str) else how for cls, how in watched.items()}
    target = _target(sessions)

    def after_flush(session: Session, _: Any) -> None:
        changes: list[tuple[Action, Iterable[Any]]] = [
            ("created", session.new),
            ("updated", [obj for obj in session.dirty if session.is_modified(obj)]),
            ("deleted", session.deleted),
        ]
        for cls, how in kinds.items():
            found = [(action, obj) for action, objects in changes for obj in objects if isinstance(obj, cls)]
            if len(found) > MOST:
                for parent in {how.parent(obj) for _, obj in found}:
                    rt.changed(how.kind, parent=parent, after=session)
                continue
            for action, obj in found:
                rt.changed(how.kind, _identity(obj), action, parent=how.parent(obj), after=session)

    event.listen(target, "after_flush", after_flush)
    return lambda: event.remove(target, "after_flush", after_flush)


def _target(sessions: Any) -> Any:
    if isinstance(sessions, AsyncSession):
        return sessions.sync_session
    if isinstance(sessions, async_sessionmaker):
        # An async session wraps a sync one, and only that raises events; give this factory a class of its own for it.
        own = sessions.kw.get("sync_session_class") or type("Session", (Session,), {})
        sessions.configure(sync_session_class=own)
        return own
    return sessions


def _identity(obj: Any) -> str:
    return "-".join(str(part) for part in inspect(obj).mapper.primary_key_from_instance(obj))
