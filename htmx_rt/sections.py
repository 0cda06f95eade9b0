"""Sections of a site, declared once: what pages below a path subscribe to, and on what their readers are shown.

rt.section("/docs/{id}", topics=["doc:{id}"], presence=True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .exceptions import ConfigurationError
from .paths import PathPattern
from .topics import Pattern, is_topic


class Found(NamedTuple):
    """What a page belongs to."""

    topics: tuple[str, ...] = ()  # to read
    here: tuple[str, ...] = ()  # on which its reader is shown
    visitors: bool = False  # its reader is counted


class Section(NamedTuple):
    """One of them."""

    path: PathPattern
    topics: tuple[str, ...]
    here: str | None
    visitors: bool
    public: bool


class Sections:
    """Those of one app."""

    def __init__(self) -> None:
        self._sections: list[Section] = []

    def add(self, path: str, *, topics: Sequence[str], presence: bool | str, visitors: bool, public: bool) -> None:
        """Declare one. Raised where it could not work: `ConfigurationError`."""
        if isinstance(topics, str):
            raise ConfigurationError(f"rt.section({path!r}, topics={topics!r}): pass a list, such as [{topics!r}].")
        if presence is True and not topics:
            raise ConfigurationError(
                f"rt.section({path!r}, presence=True) needs topics=[…], the first of which it is of."
            )
        here = topics[0] if presence is True else presence or None
        pattern = PathPattern(path)
        for name in (*topics, *([here] if here else ())):
            unknown = set(Pattern(name).fields) - set(pattern.names)
            if unknown:
                raise ConfigurationError(
                    f"rt.section({path!r}): the topic {name!r} names {unknown}, which the path does not."
                )
        self._sections.append(Section(pattern, tuple(topics), here, visitors, public))
        self._sections.sort(key=lambda section: len(section.path.pattern))

    def __bool__(self) -> bool:
        return bool(self._sections)

    def of(self, path: str, *, guarded: Callable[[str], bool]) -> Found:
        """Return what the page at `path` belongs to, the innermost section last.

        Raised where a topic of it could be had by just asking for the page, as none is `guarded`: `ConfigurationError`.
        """
        topics: dict[str, None] = {}
        here: dict[str, None] = {}
        visitors = False
        for section in self._sections:
            fields = section.path.above(path)
            if fields is None:
                continue
            names = [(text, filled(text, fields)) for text in section.topics]
            shown = [(section.here, filled(section.here, fields))] if section.here else []
            for text, name in (*names, *shown):
                if name is not None and not section.public and not guarded(name):
                    raise ConfigurationError(
                        f"rt.section({section.path.pattern!r}) subscribes whoever sees a page there, an error page too, "
                        f"to {name!r}. Write @rt.authorize({text!r}), or pass public=True where anybody may read it."
                    )
            topics |= {name: None for _, name in names if name is not None}
            here |= {name: None for _, name in shown if name is not None}
            visitors = visitors or section.visitors
        return Found(tuple(topics), tuple(here), visitors)


def filled(text: str, fields: dict[str, str]) -> str | None:
    """Return the topic that `text` is with `fields` put in; None where that is another one than meant, or none at all.

    What stands in an address may be anything, so it must come out of the topic again as it was put in: "7:secret" is
    no document's id.
    """
    name = text.format_map(fields)
    wanted = {field: fields[field] for field in Pattern(text).fields}
    return name if is_topic(name) and Pattern(text).match(name) == wanted else None
