"""What is tied to a transaction of SQLAlchemy: sending after its commit, and noting in it that something is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .exceptions import BadOperation

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction

# Kept in the session itself: a table of ours would keep a forgotten session, and its connection, alive.
_OUTBOX: Final = "htmx_rt.outbox"


def after_commit(
    session: object, send: Callable[[], None], drop: Callable[[], None], *, look: Callable[[], None] | None = None
) -> None:
    """Call `send` when the transaction of `session` commits, or `drop` when it is rolled back.

    Just before the commit, `look` may read what is written. What is deferred inside a savepoint is dropped with that
    savepoint. Raised if `session` is no SQLAlchemy session: `BadOperation`.
    """
    # A scoped_session, such as Flask-SQLAlchemy's db.session, stands for the one of this thread or task.
    registry = getattr(session, "registry", None)
    current = registry() if callable(registry) else session
    sync = getattr(current, "sync_session", current)
    try:
        from sqlalchemy.orm import Session
    except ImportError:
        Session = ()  # type: ignore[misc, assignment]
    if not isinstance(sync, Session):
        raise BadOperation(
            f"after={session!r} is no SQLAlchemy Session or AsyncSession. Pass the session whose commit to wait for, "
            "or commit first and leave after= out."
        )
    outbox = sync.info.get(_OUTBOX)
    if outbox is None:
        outbox = sync.info[_OUTBOX] = _Outbox(sync)
    outbox.add(sync, send, drop, look)


def now_or_after(session: object, send: Callable[[], None], look: Callable[[], None] | None = None) -> None:
    """Do both when the transaction of `session` commits, or at once where there is none."""
    if session is not None:
        after_commit(session, send, lambda: None, look=look)
        return
    if look is not None:
        look()
    send()


class _Item(NamedTuple):
    transaction: SessionTransaction
    send: Callable[[], None]
    drop: Callable[[], None]
    look: Callable[[], None] | None


class _Outbox:
    """What one session has to send, each with the transaction it was said in."""

    def __init__(self, session: Session) -> None:
        from sqlalchemy import event

        self._items: list[_Item] = []
        self._committed: set[int] = set()
        event.listen(session, "before_commit", self._before_commit)
        event.listen(session, "after_commit", self._after_commit)
        event.listen(session, "after_transaction_end", self._after_end)

    def add(
        self,
        session: Session,
        send: Callable[[], None],
        drop: Callable[[], None],
        look: Callable[[], None] | None,
    ) -> None:
        # A session between transactions begins one at the next statement; begin it now, to have something to wait for.
        transaction = session.get_nested_transaction() or session.get_transaction() or session.begin()
        self._items.append(_Item(transaction, send, drop, look))

    def _before_commit(self, session: Session) -> None:
        transaction = session.get_nested_transaction() or session.get_transaction()
        looks = [item.look for item in self._items if item.look is not None and item.transaction is transaction]
        if looks:
            session.flush()  # which counts versions up; after the commit records may be forgotten
        for look in looks:
            look()

    def _after_commit(self, session: Session) -> None:
        # Fires for savepoints too, each time for the innermost transaction that is being committed.
        transaction = session.get_nested_transaction() or session.get_transaction()
        if transaction is not None:
            self._committed.add(id(transaction))

    def _after_end(self, session: Session, transaction: SessionTransaction) -> None:
        committed = id(transaction) in self._committed
        self._committed.discard(id(transaction))
        mine = [item for item in self._items if item.transaction is transaction]
        if not mine:
            return
        others = [item for item in self._items if item.transaction is not transaction]
        parent = transaction.parent
        if committed and parent is not None:
            # A released savepoint is only as good as what it lies in.
            self._items = [
                item._replace(transaction=parent) if item.transaction is transaction else item for item in self._items
            ]
            return
        self._items = others
        for item in mine:
            (item.send if committed else item.drop)()


MARKS: Final = "rt_undo_marks"  # the table that contrib.sqlalchemy.undo_marks makes
_MARK_LIFE: Final = 7 * 24 * 3600.0  # seconds; nothing is run again after so long


def mark_once(session: Session, id: str) -> bool:
    """Note in the transaction of `session` that `id` is done; False where it was noted before.

    With an AsyncSession: `await session.run_sync(rt.undo.claim, undo.id)`. Raised for anything else: `BadOperation`.
    """
    from sqlalchemy import column, delete, insert, literal, select, table
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.orm import Session, scoped_session

    if not isinstance(session, Session | scoped_session):
        raise BadOperation(
            f"rt.undo.claim({session!r}, …) needs a Session; with an AsyncSession write "
            "await session.run_sync(rt.undo.claim, undo.id)."
        )
    marks: Any = table(MARKS, column("id"), column("at"))
    now = time.time()
    values = {"id": id, "at": now}
    session.execute(delete(marks).where(marks.c.at < now - _MARK_LIFE))
    dialect = session.get_bind().dialect.name
    if dialect in ("sqlite", "postgresql"):
        upsert = (sqlite if dialect == "sqlite" else postgresql).insert(marks).values(**values)
        done: Any = session.execute(upsert.on_conflict_do_nothing(index_elements=["id"]))
        return bool(done.rowcount)
    if session.scalar(select(literal(1)).where(marks.c.id == id)) is not None:
        return False
    session.execute(insert(marks).values(**values))  # two at once: the second one's transaction fails
    return True
