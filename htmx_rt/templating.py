"""What templates see: macros that subscribe a page, and rendering of fragments that everybody gets."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, Undefined
from markupsafe import Markup

from .exceptions import ConfigurationError, PersonalContent

_PERSONAL: Final = ("request", "current_user", "csrf_token")
# As personal where a framework puts them among the globals; as arguments they may be anything.
_PERSONAL_GLOBALS: Final = (*_PERSONAL, "session", "g", "get_flashed_messages")
_shared: ContextVar[str | None] = ContextVar("htmx_rt_shared", default=None)  # name of what is rendered for all


def shared() -> str | None:
    """Return the name of the template that is being rendered for everybody, or None."""
    return _shared.get()


class _Poison(Undefined):
    """Stands for a personal name in shared HTML; any use of it raises."""

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> Any:
        raise personal(self._undefined_name or "this")

    __iter__ = __str__ = __len__ = _fail_with_undefined_error
    __eq__ = __ne__ = __bool__ = __hash__ = _fail_with_undefined_error
    __call__ = __getitem__ = _fail_with_undefined_error
    __html__ = _fail_with_undefined_error


def personal(what: str) -> PersonalContent:
    """Return the error for something personal in what everybody gets."""
    return PersonalContent(
        f"{what!r} is personal, and {_shared.get()!r} is rendered once for everybody on a topic. Pass what all may see as "
        "an argument of rt.render(), or publish rt.topic(…).refresh('#target'), so that each reader fetches their own."
    )


class Environments:
    """The template environments of one app: its own, and what we see of it."""

    def __init__(self) -> None:
        self._installed: Environment | None = None
        self._own: Environment | None = None  # for our templates
        self._shared: Environment | None = None  # for what everybody gets

    def install(self, environment: Environment, macros: object, *, name: str) -> None:
        """Make the macros known to `environment` as the global `name` and as `htmx_rt/macros.html`."""
        ours = PrefixLoader({"htmx_rt": PackageLoader("htmx_rt", "templates/htmx_rt")})
        # The app's loader comes first, so that it can override htmx_rt/banner.html and the like.
        environment.loader = ChoiceLoader([environment.loader, ours]) if environment.loader else ours
        environment.globals[name] = macros
        environment.globals.setdefault("htmx_rt", macros)
        self._installed, self._own, self._shared = environment, None, None

    @property
    def installed(self) -> Environment:
        """The app's own environment. Raised where there is none yet: `ConfigurationError`."""
        return self._environment()

    def render(self, name: str, values: Mapping[str, Any]) -> Markup:
        """Render one of our templates, synchronously and escaped, whatever the app's environment does."""
        if self._own is None:
            self._own = self._environment().overlay(enable_async=False, autoescape=True)
        return Markup(self._own.get_template(name).render(values))

    def render_shared(self, name: str, values: Mapping[str, Any], *, block: str | None = None) -> Markup:
        """Render what everybody on a topic gets: only what is passed and globals, and nothing personal."""
        with _rendering(name):
            for word in _PERSONAL:
                if word in values:
                    raise personal(word)
            if self._shared is None:
                self._shared = _poisoned(self._environment())
            template = self._shared.get_template(name)
            if block is None:
                return Markup(template.render(values))
            if block not in template.blocks:
                known = ", ".join(template.blocks) or "none"
                raise ConfigurationError(f"Template {name!r} has no block {block!r}. Its blocks: {known}.")
            return Markup("".join(template.blocks[block](template.new_context(dict(values)))))

    def _environment(self) -> Environment:
        if self._installed is None:
            raise ConfigurationError("No templates yet. Call rt.install(templates.env) once, where the app is made.")
        return self._installed


def _poisoned(environment: Environment) -> Environment:
    """Return a view of `environment` in which personal names raise, those among its globals too.

    Globals, not values: imported templates see nothing else, and Flask has `request` among them.
    """
    view: Any = environment.overlay(enable_async=False)
    poison: dict[str, Any] = {word: _Poison(name=word) for word in _PERSONAL_GLOBALS}
    view.globals = ChainMap(poison, environment.globals)
    return cast(Environment, view)


@contextmanager
def _rendering(name: str) -> Iterator[None]:
    token = _shared.set(name)
    try:
        yield
    finally:
        _shared.reset(token)
