"""SQLAlchemy and long lists: the statement of the page that comes after a cursor.

statement = after(select(Message), (Message.at.desc(), Message.id.desc()), cursor, size=20)
page = keyset(session.scalars(statement), size=20, key=lambda message: (message.at, message.id))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Column, ColumnElement, Select, and_, case, false, or_
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.types import TypeDecorator

from ..exceptions import BadCursor, ConfigurationError
from ..paging import read_cursor

Statement = TypeVar("Statement", bound=Select[Any])


class _Term(NamedTuple):
    """A part of an order."""

    column: Any
    down: bool
    nullable: bool
    nulls_first: bool

    def orders(self) -> list[Any]:
        """Databases do not agree on where NULL stands: that is said in all of them."""
        flag = [case((self.column.is_(None), 0 if self.nulls_first else 1), else_=1 if self.nulls_first else 0)]
        return [*(flag if self.nullable else []), self.column.desc() if self.down else self.column.asc()]

    def same(self, value: Any) -> ColumnElement[bool]:
        return self.column == value  # type: ignore[no-any-return]  # IS NULL, where it is None

    def beyond(self, value: Any, *, same: bool = False) -> ColumnElement[bool]:
        """Rows that stand after `value`, or `same`, with it."""
        if value is None:
            rest = self.column.is_not(None) if self.nulls_first else false()
            return or_(rest, self.column.is_(None)) if same else rest
        names = ("__le__", "__lt__") if self.down else ("__ge__", "__gt__")
        rest = getattr(self.column, names[0 if same else 1])(value)
        return or_(rest, self.column.is_(None)) if self.nullable and not self.nulls_first else rest


def after(statement: Statement, order: Sequence[Any], cursor: str | None, *, size: int = 20) -> Statement:
    """Return `statement` ordered and limited to the page after `cursor`, and one row more, as `keyset` wants it.

    `order` are columns, each with `.asc()` or `.desc()`, the last of them unique, such as the id. Rows with NULL stand
    at the end, unless `.nulls_first()` says otherwise. Raised: `BadCursor`, for an order that does not tell rows apart
    `ConfigurationError`.
    """
    terms = [_term(part) for part in order]
    _check_unique([term.column for term in terms])
    values = read_cursor(cursor)
    if values is not None:
        _check_types(terms, values)
        steps = (
            and_(
                *(term.same(value) for term, value in zip(terms[:n], values, strict=False)), terms[n].beyond(values[n])
            )
            for n in range(len(terms))
        )
        # Said once more without the OR, so that an index can begin there.
        statement = statement.where(terms[0].beyond(values[0], same=True), or_(*steps))
    orders = [one for term in terms for one in term.orders()]
    return statement.order_by(None).order_by(*orders).limit(size + 1)


def _term(part: Any) -> _Term:
    down, nulls_first = False, False
    while isinstance(part, UnaryExpression) and part.modifier is not None:
        down = down or part.modifier is operators.desc_op
        nulls_first = nulls_first or part.modifier is operators.nulls_first_op
        part = part.element
    column = part.__clause_element__() if hasattr(part, "__clause_element__") else part
    return _Term(column, down, getattr(column, "nullable", True) is not False, nulls_first)


def _check_unique(columns: list[Any]) -> None:
    plain = [column for column in columns if isinstance(column, Column)]
    names = {(column.table, column.name) for column in plain}
    for column in plain:
        keys = {(column.table, key.name) for key in column.table.primary_key}
        if (keys and keys <= names) or (column.unique and not column.nullable):
            return
    # A part of a subquery or an expression may be unique: nobody can tell.
    if len(plain) < len(columns) or not columns:
        if columns:
            return
        raise ConfigurationError("after() needs an order, such as (Message.at.desc(), Message.id.desc()).")
    said = ", ".join(str(column) for column in columns)
    raise ConfigurationError(
        f"Rows may be equal in {said}, and would be shown twice or left out at the end of a page. End the order with "
        "something unique, such as the id."
    )


def _check_types(terms: list[_Term], values: tuple[Any, ...]) -> None:
    if len(values) != len(terms):
        raise BadCursor(
            f"A cursor of {len(values)} values for an order of {len(terms)}. Answer it with the first page."
        )
    for term, value in zip(terms, values, strict=True):
        kind = None if isinstance(term.column.type, TypeDecorator) else _python_type(term.column)
        if (not term.nullable) if value is None else (kind is not None and type(value) is not kind):
            raise BadCursor(f"A cursor with {value!r:.80} for {term.column}. Answer it with the first page.")


def _python_type(column: Any) -> type | None:
    try:
        kind: type = column.type.python_type
    except NotImplementedError:
        return None
    return None if kind is object else kind  # of an expression nobody knows
