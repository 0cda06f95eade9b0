"""Readers by name: of a topic, of a person. There is one more often than not, and a dict of one takes five times its tuple."""

from __future__ import annotations

from typing import TypeVar

from .reader import Reader

Name = TypeVar("Name", bound="str | None")
Crowd = tuple[Reader] | dict[Reader, None]  # in order of arrival


def join(crowds: dict[Name, Crowd], name: Name, reader: Reader) -> None:
    """Add `reader` to the crowd `name`."""
    crowd = crowds.get(name)
    if crowd is None:
        crowds[name] = (reader,)
    elif isinstance(crowd, dict):
        crowd[reader] = None
    else:
        crowds[name] = dict.fromkeys((*crowd, reader))


def part(crowds: dict[Name, Crowd], name: Name, reader: Reader) -> None:
    """Take `reader` out of the crowd `name`, where it may be in; an empty one is forgotten."""
    crowd = crowds.get(name)
    if isinstance(crowd, dict):
        crowd.pop(reader, None)
    if not crowd or crowd == (reader,):
        crowds.pop(name, None)
