"""Counts that stand at something: how they are written, the same in a page and in what is pushed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from markupsafe import Markup

from .exceptions import BadOperation

MOST: Final = 9
LARGEST: Final = 10**9
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")

Label = str | Mapping[str, str]


def badge_id(name: object) -> str:
    """Return the id of the element that shows the badge `name`, or raise `BadOperation`."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return f"rt-badge-{name}"
    raise BadOperation(f"Bad badge name {name!r}. Use 1 to 48 letters, digits, _ and -, such as 'unread'.")


def checked_count(count: object) -> int:
    """Return a count that can be shown, or raise `BadOperation`."""
    if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= LARGEST:
        return count
    raise BadOperation(f"Bad count {count!r}. A badge shows a whole number from 0 to {LARGEST}.")


def shown(count: int, most: int = MOST) -> str:
    """Return what is seen: "9+" above `most`."""
    return f"{most}+" if count > most else str(count)


def badge(
    name: str,
    count: int,
    *,
    label: Label,
    plural: Callable[[int], str],
    most: int = MOST,
    title: bool = False,
    live: Markup | None = None,
) -> Markup:
    """Return the badge: what is seen, and the whole number in words for those who do not see it; hidden at none.

    `live` are the attributes that let a topic change it.
    """
    forms = {"other": label} if isinstance(label, str) else dict(label)
    if "other" not in forms or not all(isinstance(one, str) for one in forms.values()):
        raise BadOperation(f"Bad badge label {label!r}. Give text, or plural forms with at least 'other'.")
    number = checked_count(count)
    spoken = forms.get(plural(number), forms["other"]).replace("{n}", str(number))
    return Markup(
        '<span id="{}" class="rt-badge" rt-badge="{}" data-most="{}" data-label="{}"{}{}{}>'
        '<span aria-hidden="true">{}</span><span class="rt-visually-hidden">{}</span></span>'
    ).format(
        badge_id(name),
        number,
        checked_count(most),
        json.dumps(forms, ensure_ascii=False, separators=(",", ":")),
        Markup(" data-title") if title else "",
        Markup(" hidden") if number == 0 else "",
        Markup(" ") + live if live else "",
        shown(number, most),
        spoken,
    )
