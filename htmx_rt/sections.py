"""Sections of a site, declared once: what pages below a path subscribe to, and on what their readers are shown.

rt.section("/docs/{id}", topics=["doc:{id}"], presence=True)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .exceptions import ConfigurationError
from .paths import PathPattern
from .topics import Pattern, is_topic


class Found(NamedTuple):
    """What a page belongs to."""

    topics: tuple[str, ...] = ()  # to read
    here: tuple[str, ...] = ()  # on which its reader is shown
    visitors: bool = False  # its reader is counted

    @classmethod
    def of(cls, several: Iterable[Found]) -> Found:
        """Return all of `several` in one, each topic once."""
        all_ = list(several)
        topics = dict.fromkeys(topic for one in all_ for topic in one.topics)
        here = dict.fromkeys(topic for one in all_ for topic in one.here)
        return cls(tuple(topics), tuple(here), any(one.visitors for one in all_))


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

    def __bool__(self) -> bool:
        return bool(self._sections)

    def find(self, path: str) -> list[tuple[Section, Found]]:
        """Return the sections that `path` is in, the outermost first, and what they mean for it."""
        found = []
        for section in self._sections:
            fields = section.path.above(path)
            if fields is None:
                continue
            topics = tuple(name for text in section.topics if (name := filled(text, fields)) is not None)
            here = filled(section.here, fields) if section.here else None
            found.append((section, Found(topics, (here,) if here else (), section.visitors)))
        return sorted(found, key=lambda pair: len(pair[0].path.pattern))


def filled(text: str, fields: dict[str, str]) -> str | None:
    """Return the topic that `text` is with `fields` put in; None where that is another one than meant, or none at all.

    What stands in an address may be anything, so it must come out of the topic again as it was put in: "7:secret" is
    no document's id.
    """
    name = text.format_map(fields)
    wanted = {field: fields[field] for field in Pattern(text).fields}
    return name if is_topic(name) and Pattern(text).match(name) == wanted else None
