"""Endpoints that answer with a panel where a save cannot be done as it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from .exceptions import Conflict

_E = TypeVar("_E", bound=Callable[..., Any])


@overload
def answers(make: type) -> Callable[[_E], _E]: ...
@overload
def answers(make: _E) -> _E: ...
def answers(make: Any) -> Any:
    """Answer with its panel where an endpoint raises `Conflict`; a decorator, with a response class or without.

    `@docs.answers` makes a response of Starlette, `@docs.answers(quart.Response)` one of that class.
    """
    if inspect.isclass(make):
        return lambda endpoint: _answering(endpoint, make)
    return _answering(make, None)


def _answering(endpoint: Any, make: Any) -> Any:
    # An object that is called is async where its method is.
    if inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(type(endpoint).__call__):

        @functools.wraps(endpoint)
        async def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return await endpoint(*args, **kwargs)
            except Conflict as conflict:
                return conflict.response(make)

        return run

    @functools.wraps(endpoint)
    def run_in_thread(*args: Any, **kwargs: Any) -> Any:
        try:
            return endpoint(*args, **kwargs)
        except Conflict as conflict:
            return conflict.response(make)

    return run_in_thread
