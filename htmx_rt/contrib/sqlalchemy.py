"""SQLAlchemy: entity events by themselves, after the commit; guarded records, whose versions its UPDATE compares; pages.

publish_changes(rt, Session, {Task: Watched("task", parent=lambda task: ("board", task.board_id))})

class Doc(Versioned, Base): …
saving = save(session, docs, Doc, id, form)

statement = after(select(Message), (Message.at.desc(), Message.id.desc()), cursor, size=20)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Column, Float, MetaData, String, Table, event, inspect
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ..entities import Action
from ..realtime import Realtime
from ..transactions import MARKS
from .sqlalchemy_guard import Fenced, Versioned, save, stale
from .sqlalchemy_pages import after

__all__ = ["Fenced", "Versioned", "Watched", "after", "publish_changes", "save", "stale", "undo_marks"]

MOST: Final = 100  # entities of a kind in one flush that are named; above, the kind alone

Parent = Callable[[Any], "tuple[str, object] | None"]

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker

    Sessions = (
        type[Session]
        | sessionmaker[Any]
        | scoped_session[Any]
        | async_sessionmaker[Any]
        | async_scoped_session[Any]
        | Session
        | AsyncSession
    )


class Watched(NamedTuple):
    """How a mapped class is told of: its kind, and whom it belongs to, as (kind, id) or None."""

    kind: str
    parent: Parent = lambda _: None


def publish_changes(rt: Realtime, sessions: Sessions, watched: Mapping[type[Any], str | Watched]) -> Callable[[], None]:
    """Call `rt.changed` for each `watched` object that `sessions` flush, once they commit; return what ends that.

    What moves to another parent is told to both. Statements that bypass the unit of work (`update(Task).where(…)`)
    are not seen: call `rt.changed` for those.
    """
    kinds = {cls: Watched(how) if isinstance(how, str) else how for cls, how in watched.items()}
    target = _target(sessions)

    def before_flush(session: Session, *_: Any) -> None:
        # What an expired object belongs to can only be read while its row is there.
        for obj in session.deleted:
            for cls, how in kinds.items():
                if isinstance(obj, cls):
                    how.parent(obj)

    def after_flush(session: Session, _: Any) -> None:
        changes: list[tuple[Action, list[Any]]] = [
            ("created", list(session.new)),
            ("updated", [obj for obj in session.dirty if session.is_modified(obj)]),
            ("deleted", list(session.deleted)),
        ]
        for cls, how in kinds.items():
            found = [(action, obj) for action, objects in changes for obj in objects if isinstance(obj, cls)]
            if len(found) > MOST:
                rt.changed(how.kind, after=session)
                continue
            for action, obj in found:
                _tell(rt, session, how, action, obj)

    event.listen(target, "before_flush", before_flush)
    event.listen(target, "after_flush", after_flush)

    def stop() -> None:
        event.remove(target, "before_flush", before_flush)
        event.remove(target, "after_flush", after_flush)

    return stop


def _tell(rt: Realtime, session: Session, how: Watched, action: Action, obj: Any) -> None:
    identity, now = _identity(obj), how.parent(obj)
    rt.changed(how.kind, identity, action, parent=now, after=session)
    before = how.parent(_Before(obj)) if action == "updated" else now
    if before is not None and before != now:
        rt.changed(how.kind, identity, action, parent=before, after=session)


class _Before:
    """An object as it was before the flush, as far as its attributes are known."""

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def __getattr__(self, name: str) -> Any:
        attributes = inspect(self._obj).attrs
        deleted = attributes[name].history.deleted if name in attributes else ()
        return deleted[0] if deleted else getattr(self._obj, name)


def _target(sessions: Any) -> Any:
    try:
        from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
    except ImportError:  # without greenlet there are none
        return sessions
    if isinstance(sessions, AsyncSession):
        return sessions.sync_session
    if isinstance(sessions, async_scoped_session):
        return _target(sessions.session_factory)
    if isinstance(sessions, async_sessionmaker):
        # An async session wraps a sync one, and only that raises events; give this factory a class of its own for it.
        own = sessions.kw.get("sync_session_class")
        if own is None or own is Session:
            own = type("Session", (own or Session,), {})
            sessions.configure(sync_session_class=own)
        return own
    return sessions


def _identity(obj: Any) -> str:
    return "-".join(str(part) for part in inspect(obj).mapper.primary_key_from_instance(obj))


def undo_marks(metadata: MetaData) -> Table:
    """Add the table in which `rt.undo.claim` notes what was done; it is created with the others of `metadata`."""
    return Table(
        MARKS, metadata, Column("id", String(64), primary_key=True), Column("at", Float, nullable=False, index=True)
    )
