"""What a real template looks like before there is anything to show: drawn with stand-ins, its texts become bones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jinja2 import Environment, TemplateNotFound, Undefined
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS
from jinja2.tests import TESTS
from markupsafe import Markup

from .bones import Bones
from .exceptions import ConfigurationError

ITEMS: Final = 3  # that a loop runs over
_INNER: Final = 2  # in a loop inside of a loop
_DEEP: Final = 2  # loops around it, in which there is nothing any more
_FAR: Final = 12  # names after each other
_PERSONAL: Final = (
    "request",
    "current_user",
    "csrf_token",
    "csrf_input",
    "session",
    "g",
    "get_flashed_messages",
    "htmx_rt",
)
# How long a text is, by what it is called; whatever else, two or three words.
_LENGTHS: Final = (
    (("description", "body", "text", "content", "summary", "message", "comment", "note"), 72),
    (
        (
            "id",
            "no",
            "nr",
            "age",
            "count",
            "total",
            "number",
            "n",
            "qty",
            "size",
            "rank",
            "stock",
            "minutes",
            "hours",
            "days",
            "year",
        ),
        3,
    ),
    (("price", "amount", "sum", "cost", "percent"), 7),
    (("at", "date", "day", "time", "due", "created", "updated", "when", "on"), 10),
    (("title", "subject", "headline", "label"), 24),
    (("email", "url", "address", "link", "href"), 20),
    (("state", "status", "kind", "type", "level"), 7),
)
_USUAL: Final = 13
_WORD: Final = "nnnnnn "


class StandIn:
    """Anything at all: it has every attribute and every item, can be called, looped over, compared and written out."""

    def __init__(self, name: str = "", *, items: int = ITEMS, loops: int = 0, far: int = 0) -> None:
        self._name, self._items, self._loops, self._far = name, items, loops, far

    def _next(self, name: str = "", *, loops: int = 0) -> StandIn:
        return StandIn(name or self._name, items=self._items, loops=self._loops + loops, far=self._far + 1)

    def _there(self) -> bool:
        return self._loops <= _DEEP and self._far < _FAR

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._next(name)

    def __getitem__(self, key: Any) -> Any:
        return self._next(key if isinstance(key, str) else "")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._next()

    def __iter__(self) -> Iterator[Any]:
        return iter([self._next(loops=1) for _ in range(len(self))])

    def __reversed__(self) -> Iterator[Any]:
        return iter(self)

    def __len__(self) -> int:
        if self._loops >= _DEEP or not self._there():
            return 0
        return _INNER if self._loops else self._items

    def __bool__(self) -> bool:
        return self._there()

    def __str__(self) -> str:
        last = self._name.lower().rpartition("_")[2]
        long = next((length for names, length in _LENGTHS if last in names), _USUAL)
        return (_WORD * (long // len(_WORD) + 1))[:long].strip()

    def __format__(self, spec: str) -> str:
        for value in (str(self), 12.5, 12):
            try:
                return format(value, spec)
            except (TypeError, ValueError):
                continue
        return str(self)

    def __html__(self) -> str:
        return str(self)

    # It is never equal to what it is compared with, and more than it.

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)

    def __contains__(self, item: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True

    def __lt__(self, other: object) -> bool:
        return False

    __ge__, __le__ = __gt__, __lt__

    def __int__(self) -> int:
        return 12

    __index__ = __trunc__ = __int__

    def __float__(self) -> float:
        return 12.5

    def __round__(self, digits: int | None = None) -> Any:
        return self

    def _same(self, *others: Any) -> Any:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _same
    __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _same


class _Nobody(StandIn, Undefined):  # type: ignore[misc]
    """A name that the template was not given; to `is defined` and `default()` it is missing."""

    _count = ITEMS

    def __init__(self, hint: Any = None, obj: Any = None, name: str | None = None, exc: Any = None) -> None:
        StandIn.__init__(self, name or "", items=self._count)


def draw(environment: Environment, name: str, values: Mapping[str, Any], *, items: int = ITEMS) -> Markup:
    """Return the bones of template `name`, where whatever `values` lack is stood in for.

    Raised where the template is missing or refuses stand-ins: `ConfigurationError`.
    """
    try:
        text = _lenient(environment, items).get_template(name).render(values)
    except TemplateNotFound as error:
        raise ConfigurationError(
            f"rt.skeleton.like({name!r}): there is no template {error.name!r}. Pass the name that {{% include %}} takes."
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"rt.skeleton.like({name!r}) could not be drawn with stand-in values: {type(error).__name__}: {error}. "
            f"Pass a sample of what it needs, such as rt.skeleton.like({name!r}, task={{'title': 'Buy milk'}})."
        ) from error
    bones = Bones()
    bones.feed(text)
    bones.close()
    return Markup(bones.written())


def _lenient(environment: Environment, items: int) -> Environment:
    """Return a view of `environment` in which nothing is missing and nothing raises."""
    view: Any = environment.overlay(enable_async=False, autoescape=True)
    macros = environment.globals.get("htmx_rt")
    view.globals = {name: _forgiving(name, one, macros) for name, one in environment.globals.items()}
    view.globals |= {name: StandIn(name) for name in _PERSONAL if name in view.globals}
    view.filters = {
        name: one if FILTERS.get(name) is one else _trying(one) for name, one in environment.filters.items()
    }
    view.tests = {name: one if TESTS.get(name) is one else _trying(one) for name, one in environment.tests.items()}
    view.policies = {**environment.policies, "json.dumps_function": lambda *args, **kwargs: '""'}
    view.undefined = type("Nobody", (_Nobody,), {"_count": items})
    return view  # type: ignore[no-any-return]


def _forgiving(name: str, one: Any, macros: object) -> Any:
    if one is macros and macros is not None:  # ours: what they write is of one person, or of one version
        return StandIn(name)
    if DEFAULT_NAMESPACE.get(name) is one or isinstance(one, type) or not callable(one):
        return one
    return _trying(one)


def _trying(function: Any) -> Callable[..., Any]:
    """Return `function` such that a stand-in comes of what it cannot do anything with."""

    @functools.wraps(function)
    def attempt(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            return StandIn()

    return attempt
