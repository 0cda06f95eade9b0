"""Skeletons: grey shapes of what is to come, as large as it will be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from markupsafe import Markup

from .exceptions import ConfigurationError
from .likeness import ITEMS, draw
from .templating import Environments

_MOST: Final = 200  # of anything
_PIXELS: Final = 4096
_KEPT: Final = 64  # drawn templates


class Skeletons:
    """What templates know as `rt.skeleton`. Each shape takes `classes`, to have the measures of what it stands for."""

    def __init__(self, render: Callable[..., Markup], environments: Environments) -> None:
        self._render = render
        self._environments = environments
        self._drawn: dict[tuple[object, str, int], Markup] = {}
        self._lock = threading.Lock()

    def text(self, lines: int = 1, *, classes: str = "") -> Markup:
        """Return lines of text; of several, the last is shorter."""
        return self._shape("text", classes, lines=_count("text", "lines", lines))

    def block(self, height: int = 96, *, width: int | str = "100%", classes: str = "") -> Markup:
        """Return a block of `height` pixels, as wide as there is room or `width` pixels."""
        wide = width if width == "100%" else _count("block", "width", width, most=_PIXELS)
        return self._shape("block", classes, height=_count("block", "height", height, most=_PIXELS), width=wide)

    def avatar(self, size: int = 40, *, classes: str = "") -> Markup:
        """Return a disc of `size` pixels."""
        return self._shape("avatar", classes, size=_count("avatar", "size", size, most=_PIXELS))

    def card(self, lines: int = 3, *, image: int = 0, classes: str = "") -> Markup:
        """Return a card: a picture `image` pixels high if that is given, a title, `lines` of text."""
        tall = _count("card", "image", image, most=_PIXELS) if image else 0
        return self._shape("card", classes, lines=_count("card", "lines", lines), image=tall)

    def table(self, rows: int = 3, columns: int = 3, *, header: bool = True, classes: str = "") -> Markup:
        """Return a table; its cells have the measures that the page gives to those of any table."""
        rows, columns = _count("table", "rows", rows), _count("table", "columns", columns)
        return self._shape("table", classes, rows=rows, columns=columns, header=header)

    def table_row(self, columns: int = 3, *, rows: int = 1, classes: str = "") -> Markup:
        """Return rows for the body of a table."""
        rows, columns = _count("table_row", "rows", rows), _count("table_row", "columns", columns)
        return self._shape("table_row", classes, rows=rows, columns=columns)

    def tile(self, *, classes: str = "") -> Markup:
        """Return a figure with a line above and below it."""
        return self._shape("tile", classes)

    def list(self, items: int = 3, *, avatar: bool = False, lines: int = 1, classes: str = "") -> Markup:
        """Return items below each other, each with an avatar on wish, and `lines` of text."""
        items, lines = _count("list", "items", items), _count("list", "lines", lines)
        return self._shape("list", classes, items=items, avatar=avatar, lines=lines)

    def like(self, template: str, count: int = 1, *, items: int = ITEMS, **samples: Any) -> Markup:
        """Return `count` times what the app's own `template` looks like: its elements and classes, bones for its texts.

        Whatever it shows is stood in for, and a loop runs `items` times; pass `samples` of what decides how it looks.
        Raised where it cannot be drawn so: `ConfigurationError`.
        """
        _count("like", "count", count)
        _count("like", "items", items)
        environment = self._environments.installed
        if samples or environment.auto_reload:  # may change at any time
            return draw(environment, template, samples, items=items) * count
        key = (environment, template, items)
        drawn = self._drawn.get(key)
        if drawn is None:
            drawn = draw(environment, template, {}, items=items)
            with self._lock:
                if len(self._drawn) >= _KEPT:
                    self._drawn.pop(next(iter(self._drawn)))
                self._drawn[key] = drawn
        return drawn * count

    def _shape(self, shape: str, classes: str, **values: Any) -> Markup:
        names = " ".join(filter(None, (f"rt-skeleton rt-skeleton-{shape.replace('_', '-')}", classes)))
        return Markup(self._render(f"skeleton/{shape}.html", classes=names, **values).strip())


def _count(shape: str, name: str, value: object, *, most: int = _MOST) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ConfigurationError(f"rt.skeleton.{shape}({name}={value!r}): pass a whole number from 1 to {most}.")
    return value
