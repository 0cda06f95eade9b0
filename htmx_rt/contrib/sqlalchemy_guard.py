"""SQLAlchemy and guards: versions compared in the UPDATE itself, and a save that is tried again where it lost a race.

saving = save(session, docs, Doc, id, form)           # in a thread, with a Session
saving = await save(session, docs, Doc, id, form)     # with an AsyncSession

with stale(docs, session, doc, form):                 # anywhere else
    session.commit()
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast, overload
from uuid import UUID

from sqlalchemy import BigInteger, Integer, inspect, select
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import Mapped, Mapper, Session, declared_attr, has_inherited_table, mapped_column, scoped_session
from sqlalchemy.orm.exc import StaleDataError

from ..eventual import Eventual
from ..exceptions import ConfigurationError
from ..guards import Guard, Saving
from ..merge import Text, flag

if TYPE_CHECKING:  # which needs greenlet, and that is not installed with SQLAlchemy
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

TRIES: Final = 10
TIMEOUT: Final = 30.0  # seconds that a thread waits for a check
_LOST: Final = ("40001", "40P01")  # SQLSTATE of serialization failures and deadlocks
_LOST_MYSQL: Final = (1213, 1020)  # deadlock; record has changed since last read

Fill = Callable[[Any, Saving], object]
Parse = Mapping[str, Callable[[Any], Any]]


class Versioned:
    """Mixin with `lock_version`: it grows with each change, and each UPDATE and DELETE compares it.

    A class with `__mapper_args__` of its own adds `"version_id_col"` to them.
    """

    lock_version: Mapped[int] = mapped_column(Integer, nullable=False, server_default="1")

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {} if has_inherited_table(cast("type[Any]", cls)) else {"version_id_col": cls.lock_version}


class Fenced(Versioned):
    """The same, with a column for the fence of the last lease it was saved under: `rt.guard(…, fence="lock_fence")`."""

    # Fences are milliseconds since 1970.
    lock_fence: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0, server_default="0")


@overload
def save(
    session: AsyncSession | async_scoped_session[Any], guard: Guard, model: type[Any], id: Any, form: Any = ..., *,
    parse: Parse | None = ..., fill: Fill | None = ..., fields: Iterable[str] | None = ..., part: str | None = ...,
    where: Sequence[Any] = ..., options: Sequence[Any] = ...,
) -> Coroutine[Any, Any, Saving]: ...  # fmt: skip
@overload
def save(
    session: Session | scoped_session[Any], guard: Guard, model: type[Any], id: Any, form: Any = ..., *,
    parse: Parse | None = ..., fill: Fill | None = ..., fields: Iterable[str] | None = ..., part: str | None = ...,
    where: Sequence[Any] = ..., options: Sequence[Any] = ...,
) -> Saving: ...  # fmt: skip
def save(
    session: Any,
    guard: Guard,
    model: type[Any],
    id: Any,
    form: Any = None,
    *,
    parse: Parse | None = None,  # text of a field → its value; for other types than those of `PARSE`
    fill: Fill | None = None,  # fill(row, saving) writes the record instead, and whatever else belongs to the save
    fields: Iterable[str] | None = None,
    part: str | None = None,
    where: Sequence[Any] = (),  # further conditions; where they are not met, the record is gone
    options: Sequence[Any] = (),  # of the SELECT, such as selectinload(…)
) -> Any:
    """Load a record, check it against `form`, write it and commit; again from the beginning where somebody was faster.

    `saving.row` is the record, readable after the commit too. Raised: `Conflict`; `ConfigurationError` where the model
    does not compare versions, or `session` has changes already, which a second try would lose.
    """
    work = _Save(guard, model, id, form, parse, fill, fields, part, where, options)
    found = _current(session)
    work.prove(getattr(found, "sync_session", found))
    return work.run_async(found) if hasattr(found, "sync_session") else work.run(found)


class _Save:
    def __init__(
        self, guard: Guard, model: type[Any], id: Any, form: Any, parse: Parse | None, fill: Fill | None,
        fields: Iterable[str] | None, part: str | None, where: Sequence[Any], options: Sequence[Any],
    ) -> None:  # fmt: skip
        self._guard = guard
        self._mapper: Mapper[Any] = inspect(model)
        self._id = id if isinstance(id, tuple | list) else (id,)
        self._form = form
        self._parse = _parsers(self._mapper, guard) | dict(parse or {})
        self._fill = fill
        self._fields = None if fields is None else list(fields)
        self._part = part
        self._where = where
        self._options = options

    def prove(self, session: Session) -> None:
        """Raised for what would go wrong in the rare case, too: `ConfigurationError`."""
        _prove_versions(self._mapper, self._guard)
        waiting = [*session.new, *session.dirty, *session.deleted]
        if waiting:
            raise ConfigurationError(
                f"{waiting[0]!r:.200} waits in the session, and would be lost where save() has to begin again. Commit it "
                "before, or write it in save(…, fill=…)."
            )
        if getattr(session, "_trans_context_manager", None) is not None:
            raise ConfigurationError("save() commits by itself: give it a session outside of `with session.begin()`.")

    def check(self, session: Session, *, ask: bool = False) -> Eventual[Saving]:
        same = [column == value for column, value in zip(self._mapper.primary_key, self._id, strict=True)]
        fresh = select(self._mapper).where(*same, *self._where).options(*self._options)
        row = session.scalars(fresh.execution_options(populate_existing=True)).unique().one_or_none()
        return self._guard.check(row, self._form, fields=self._fields, part=self._part, ask=ask)

    def write(self, session: Session, saving: Saving, *, remember: bool = False) -> bool:
        """Do it; False where somebody was faster. With `remember`, what the session holds can be read on without I/O."""
        row, loaded = saving.row, _loaded(session) if remember else []
        if self._fill is not None:
            self._fill(row, saving)
        else:
            saving.apply(row, self._parse)
        saving.done(row, after=session)
        expires = session.expire_on_commit
        session.expire_on_commit = False  # what is shown next is read of it, where nothing may be loaded any more
        try:
            session.commit()
        except (StaleDataError, DBAPIError) as error:
            _roll_back(session, loaded)
            if not _lost(error):
                raise
            return False
        finally:
            session.expire_on_commit = expires
        return True

    def run(self, session: Session) -> Saving:
        for _ in range(TRIES):
            saving = self.check(session).result(TIMEOUT)
            if self.write(session, saving):
                return saving
        _never(self.check(session, ask=True).result(TIMEOUT))

    async def run_async(self, session: AsyncSession) -> Saving:
        for _ in range(TRIES):
            saving = await (await session.run_sync(self.check))
            if await session.run_sync(partial(self.write, saving=saving, remember=True)):
                return saving
        _never(await (await session.run_sync(lambda sync: self.check(sync, ask=True))))


def stale(
    guard: Guard, session: Any, row: Any, form: Any = None, *, fields: Iterable[str] | None = None, part: str | None = None
) -> _Stale:  # fmt: skip
    """Return a `with` block, `async with` for an AsyncSession, in which a lost race becomes the panel: `Conflict`.

    What the session was about to write is rolled back then; what the person typed is in the panel.
    """
    return _Stale(guard, session, row, form, fields, part)


class _Stale:
    def __init__(
        self, guard: Guard, session: Any, row: Any, form: Any, fields: Iterable[str] | None, part: str | None
    ) -> None:
        state: Any = inspect(row)
        if state.identity is None:
            raise ConfigurationError(f"{row!r:.200} is not in the database yet, so nobody else can have changed it.")
        _prove_versions(state.mapper, guard)
        self._session = _current(session)
        self._save = _Save(guard, state.mapper.class_, state.identity, form, None, None, fields, part, (), ())

    def __enter__(self) -> None:
        if hasattr(self._session, "sync_session"):
            raise ConfigurationError("With an AsyncSession, write `async with stale(…)`.")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None and _lost(error):
            self._session.rollback()
            _never(self._save.check(self._session, ask=True).result(TIMEOUT))

    async def __aenter__(self) -> None:
        if not hasattr(self._session, "sync_session"):
            raise ConfigurationError("With a Session, write `with stale(…)`.")
        self._loaded = _loaded(self._session.sync_session)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is not None and _lost(error):
            await self._session.run_sync(lambda sync: _roll_back(sync, self._loaded))
            _never(await (await self._session.run_sync(lambda sync: self._save.check(sync, ask=True))))


def _current(session: Any) -> Any:
    """Return the session that a scoped one, such as Flask-SQLAlchemy's db.session, stands for."""
    registry = getattr(session, "registry", None)
    return registry() if callable(registry) else session


def _prove_versions(mapper: Mapper[Any], guard: Guard) -> None:
    column, name = mapper.version_id_col, mapper.class_.__name__
    if column is None:
        raise ConfigurationError(
            f"{name} does not compare versions when it is written. Give it the mixin Versioned, or version_id_col in its "
            "__mapper_args__."
        )
    key = mapper.get_property_by_column(cast("Any", column)).key
    if key != guard.version:
        raise ConfigurationError(f"{name} counts its versions in {key!r}: write rt.guard(…, version={key!r}).")


def _lost(error: BaseException) -> bool:
    """Tell whether somebody else was faster, by what SQLAlchemy or a database says."""
    if isinstance(error, StaleDataError):
        return True
    orig = getattr(error, "orig", None)
    if not isinstance(error, DBAPIError) or orig is None:
        return False
    code = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None)
    busy = str(getattr(orig, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
    return busy or code in _LOST or orig.args[:1] in [(one,) for one in _LOST_MYSQL]


def _loaded(session: Session) -> list[Any]:
    return [one for one in session if not inspect(one).expired]


def _roll_back(session: Session, loaded: Iterable[Any]) -> None:
    """Roll back, and load again what was `loaded`: nobody can, later, where nothing may block."""
    session.rollback()
    for one in loaded:
        with contextlib.suppress(InvalidRequestError):  # it is gone
            session.refresh(one)


def _never(saving: Saving) -> NoReturn:
    raise AssertionError(f"{saving!r} was to be asked about.")


# Text to values

PARSE: Final[Mapping[type, Callable[[str], Any]]] = {
    bool: flag.read, int: int, float: float, Decimal: Decimal, UUID: UUID,
    date: date.fromisoformat, datetime: datetime.fromisoformat, time: time.fromisoformat,
}  # fmt: skip


def _parsers(mapper: Mapper[Any], guard: Guard) -> dict[str, Callable[[Any], Any]]:
    """Return how the text of each guarded column is read, where its type says so."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name in guard.fields:
        column = mapper.columns.get(name)
        kind: Any = None
        if column is not None:
            with contextlib.suppress(NotImplementedError):
                kind = column.type.python_type
        if column is not None and kind in PARSE:
            found[name] = _parser(PARSE[kind], nullable=bool(column.nullable) and kind is not bool)
    return found


def _parser(read: Callable[[str], Any], *, nullable: bool) -> Callable[[Text], Any]:
    return lambda value: None if nullable and not value else read(cast("str", value))
